// What the page's modules compute, in node: find.mjs RUNTIME MODEL IMAGE..., images as raw RGBA
// beside a .json of their sides. Prints a line of JSON per image.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { PoseModel } from '../../../docs/assets/try/model.js';

const [runtime, file, ...images] = process.argv.slice(2);
const ort = await import(pathToFileURL(`${runtime}/ort.wasm.bundle.min.mjs`));
ort.env.wasm.wasmBinary = readFileSync(`${runtime}/ort-wasm-simd-threaded.wasm`);
ort.env.wasm.numThreads = 1;
const model = await PoseModel.load(ort, new Uint8Array(readFileSync(file)));
for (const image of images) {
  const data = new Uint8ClampedArray(readFileSync(image));
  const sides = JSON.parse(readFileSync(`${image}.json`));
  console.log(JSON.stringify(await model.find({ ...sides, data })));
}
