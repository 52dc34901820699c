/**
 * Runs the model beside the page, which stays usable meanwhile.
 *
 * The first message is the name of the model's file; every later one is an image, answered by
 * what was found and the seconds that it took, or by an error, in the order of the messages.
 */
import { PoseModel } from './model.js';

const at = (place) => new URL(place, import.meta.url).href;

let model; // a promise
let last = Promise.resolve();

self.onmessage = ({ data }) => {
  last = last.then(() => answer(data)).then(
    (found) => self.postMessage(found),
    (error) => self.postMessage({ error: error.message }),
  );
};

async function answer(given) {
  if (typeof given === 'string') {
    model = load(given);
    const { hasProposals, keypointNames, parts, skeleton } = await model;
    return { hasProposals, keypointNames, parts: Object.keys(parts), skeleton };
  }
  const ready = await model;
  const start = performance.now();
  const found = await ready.find(given);
  return { ...found, seconds: (performance.now() - start) / 1000 };
}

async function load(name) {
  const ort = await import(at('runtime/ort.wasm.bundle.min.mjs'));
  ort.env.wasm.wasmPaths = { wasm: at('runtime/ort-wasm-simd-threaded.wasm') };
  // Threads need headers that few servers of static files send.
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
  const response = await fetch(at(`model/${name}`));
  if (!response.ok) throw new Error(`the site has no model/${name}`);
  return PoseModel.load(ort, new Uint8Array(await response.arrayBuffer()));
}
