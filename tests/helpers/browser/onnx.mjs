// What the page reads in an ONNX file: onnx.mjs FILE OUTPUT..., which declares the outputs and
// writes the longer file as FILE.more. Prints metadata and names of values as JSON.
import { readFileSync, writeFileSync } from 'node:fs';
import { readMetadata, readValueNames, withOutputs } from '../../../docs/assets/try/onnx-file.js';

const [path, ...outputs] = process.argv.slice(2);
const file = new Uint8Array(readFileSync(path));
writeFileSync(`${path}.more`, withOutputs(file, outputs));
console.log(JSON.stringify([Object.fromEntries(readMetadata(file)), [...readValueNames(file)]]));
