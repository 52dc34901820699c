/**
 * What an ONNX file says of itself, and outputs that it does not declare.
 *
 * ONNX Runtime Web gives neither metadata nor values inside the graph, so the file's protocol
 * buffers are read here: a message is a list of fields, each a key (number and type) and a value.
 */

// Field numbers of onnx.proto.
const MODEL = { graph: 7, metadata: 14 };
const GRAPH = { node: 1, output: 12 };
const NODE = { output: 2 };
const ENTRY = { key: 1, value: 2 };
const NAME = 1; // of a declared output
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/**
 * Read the metadata that tools/export_onnx.py wrote; all but `schema` and `config` is JSON.
 * @param {Uint8Array} file
 * @returns {Map<string, string>}
 */
export function readMetadata(file) {
  const entries = [...fields(file, MODEL.metadata)].map((entry) =>
    [ENTRY.key, ENTRY.value].map((number) => text([...fields(entry, number)][0] ?? [])),
  );
  return new Map(entries);
}

/**
 * List the names of all values that the graph computes.
 * @param {Uint8Array} file
 * @returns {Set<string>}
 */
export function readValueNames(file) {
  const names = new Set();
  for (const graph of fields(file, MODEL.graph)) {
    for (const node of fields(graph, GRAPH.node)) {
      for (const name of fields(node, NODE.output)) names.add(text(name));
    }
  }
  return names;
}

/**
 * Declare values of the graph as outputs, after those that it has.
 *
 * A message that is written twice in a row is merged by who reads it; so a second graph that holds
 * nothing but outputs is put behind the file.
 * @param {Uint8Array} file
 * @param {string[]} names
 * @returns {Uint8Array}
 */
export function withOutputs(file, names) {
  const declared = names.flatMap((name) =>
    field(GRAPH.output, field(NAME, [...new TextEncoder().encode(name)])),
  );
  const graph = field(MODEL.graph, declared);
  const longer = new Uint8Array(file.length + graph.length);
  longer.set(file);
  longer.set(graph, file.length);
  return longer;
}

const text = (bytes) => new TextDecoder().decode(Uint8Array.from(bytes));

/** Yield the values of all fields of a message that have this number and hold bytes. */
function* fields(message, wanted) {
  let at = 0;
  while (at < message.length) {
    const [key, afterKey] = readVarint(message, at);
    const [value, next] = readValue(message, afterKey, key % 8);
    if (next > message.length) throw new Error('the model file is cut off');
    if (key >> 3 === wanted && key % 8 === BYTES) yield value;
    at = next;
  }
}

function readValue(message, at, type) {
  if (type === VARINT) return readVarint(message, at);
  if (type === FIXED64) return [null, at + 8];
  if (type === FIXED32) return [null, at + 4];
  if (type !== BYTES) throw new Error('this is no ONNX file');
  const [length, start] = readVarint(message, at);
  return [message.subarray(start, start + length), start + length];
}

// Seven bits a byte, the lowest first; the eighth bit says that more follow. Multiplied rather than
// shifted, since shifts have 32 bits.
function readVarint(message, at) {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = message[at++];
    if (byte === undefined) throw new Error('the model file is cut off');
    value += (byte % 128) * factor;
    if (byte < 128) return [value, at];
  }
}

function field(number, content) {
  return [...varint(number * 8 + BYTES), ...varint(content.length), ...content];
}

function varint(value) {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
