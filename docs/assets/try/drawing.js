/**
 * Draws poses over an image, as the package's own overlays look.
 *
 * @typedef {import('./model.js').Person} Person
 */

const KEYPOINT_THR = 0.015; // keypoints with a lower score are not drawn, nor their limbs
const FOREHEAD = 0.1; // of a person's size, above the highest keypoint, where no tag stands
const HOLLOW = 0.5; // those below this part of their person's mean are rings
const EDGE = 'rgb(0 0 0 / 60%)';

/** The color of a part: as far from each other as they can be. */
export const colorOfPart = (part, parts) => `hsl(${20 + (360 * part) / parts} 90% 58%)`;

/** The color of a person: the golden angle keeps neighbors in the list apart. */
export const colorOfPerson = (index) => `hsl(${200 + 137.5 * index} 90% 68%)`;

/**
 * Draw poses.
 * @param {CanvasRenderingContext2D} context of a canvas as large as the image
 * @param {Person[]} poses
 * @param {number[][]} skeleton
 * @param {{colors: string[], tags: boolean}} style a color per pose; scores are written as tags
 */
export function drawPoses(context, poses, skeleton, { colors, tags }) {
  const unit = Math.max(context.canvas.width, context.canvas.height) / 320;
  context.lineCap = 'round';
  // The best on top.
  for (let i = poses.length - 1; i >= 0; i--) {
    drawPose(context, poses[i], skeleton, colors[i], unit);
    if (tags) drawTag(context, poses[i], colors[i], unit);
  }
}

function drawPose(context, { keypoints }, skeleton, color, unit) {
  const seen = keypoints.map(([, , score]) => score >= KEYPOINT_THR);
  const limbs = skeleton.filter(([from, to]) => seen[from] && seen[to]);
  for (const [stroke, width] of [[EDGE, 2.2 * unit], [color, 1.2 * unit]]) {
    context.strokeStyle = stroke;
    context.lineWidth = width;
    for (const [from, to] of limbs) {
      context.beginPath();
      context.moveTo(keypoints[from][0], keypoints[from][1]);
      context.lineTo(keypoints[to][0], keypoints[to][1]);
      context.stroke();
    }
  }
  const mean = keypoints.reduce((sum, [, , score]) => sum + score, 0) / keypoints.length;
  keypoints.filter((_, i) => seen[i]).forEach(([x, y, score]) => {
    context.beginPath();
    context.arc(x, y, 1.6 * unit, 0, 2 * Math.PI);
    context.fillStyle = score >= HOLLOW * mean ? color : '#fff';
    context.strokeStyle = score >= HOLLOW * mean ? EDGE : color;
    context.lineWidth = 0.6 * unit;
    context.fill();
    context.stroke();
  });
}

const extent = (values) => Math.max(...values) - Math.min(...values);

function drawTag(context, { score, keypoints }, color, unit) {
  const seen = keypoints.filter(([, , each]) => each >= KEYPOINT_THR);
  if (!seen.length) return;
  const [x, y] = seen.reduce((top, point) => (point[1] < top[1] ? point : top));
  const sides = [0, 1].map((axis) => extent(seen.map((point) => point[axis])));
  const [height, text] = [8 * unit, score.toFixed(2)];
  context.font = `${height}px sans-serif`;
  const width = context.measureText(text).width + 3 * unit;
  const left = Math.min(Math.max(x - width / 2, 0), context.canvas.width - width);
  const top = Math.max(y - FOREHEAD * Math.max(...sides) - height - 5 * unit, 0);
  context.fillStyle = color;
  context.fillRect(left, top, width, height + 2 * unit);
  context.fillStyle = '#000';
  context.textBaseline = 'middle';
  context.fillText(text, left + 1.5 * unit, top + height / 2 + 1.2 * unit);
}
