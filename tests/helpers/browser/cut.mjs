// Network inputs as the page cuts them: cut.mjs, with lines [RESIZE, WIDTH, HEIGHT, FILE] on stdin;
// FILE is raw RGBA, and its input is written as FILE.input. Prints the sides of each input.
import { readFileSync, writeFileSync } from 'node:fs';
import { cutInput, fit } from '../../../docs/assets/try/geometry.js';

for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
  const [resize, width, height, file] = JSON.parse(line);
  const frame = fit([width, height], resize);
  const data = new Uint8ClampedArray(readFileSync(file));
  writeFileSync(`${file}.input`, cutInput({ width, height, data }, frame));
  console.log(JSON.stringify(frame.sizeIn));
}
