// Where the page puts the tag of a pose, in node: tag.mjs, poses as lines of JSON. Prints x, y,
// width and height of the filled box.
import { createInterface } from 'node:readline';
import { drawPoses } from '../../../docs/assets/try/drawing.js';

for await (const line of createInterface({ input: process.stdin })) {
  const boxes = [];
  const known = {
    canvas: { width: 400, height: 400 },
    measureText: () => ({ width: 20 }),
    fillRect: (...box) => boxes.push(box),
  };
  const context = new Proxy(known, { get: (own, name) => own[name] ?? (() => {}), set: () => true });
  drawPoses(context, [JSON.parse(line)], [], { colors: ['red'], tags: true });
  console.log(JSON.stringify(boxes[0]));
}
