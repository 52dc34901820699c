/**
 * Where the network input lies in an image, and the input's pixels.
 *
 * The same arithmetic as in pinet_mm/onnx_runner.py and OpenCV's warpAffine, so that the numbers
 * agree: a canvas scales images in another way. Sizes are [w, h]; `_img` are pixels of the image,
 * `_in` of the network input, pixel centers are at whole numbers.
 *
 * @typedef {{width: number, height: number, data: Uint8ClampedArray}} Pixels RGBA, as ImageData
 * @typedef {{kind: string, size: number[], multiple: number}} Resize what the ONNX file says
 * @typedef {{sizeIn: number[], centerImg: number[], scaleImg: number[]}} Frame
 */

export const MOST_RATIO = 32; // of the sides, as in the runner

/**
 * Lay the network input over an image.
 * @param {number[]} sizeImg
 * @param {Resize} resize
 * @returns {Frame}
 */
export function fit([w, h], { kind, size, multiple }) {
  if (Math.max(w, h) > MOST_RATIO * Math.min(w, h)) {
    throw new Error(`an image may be up to ${MOST_RATIO} times as long as it is wide; found ${w}×${h}`);
  }
  const shape = { BottomupResize: fitContent, WholeCentreResize: fitWhole }[kind];
  if (!shape) throw new Error(`the model file asks for an unknown way to resize: ${kind}`);
  return shape([w, h], size.map((side) => Math.ceil(side / multiple) * multiple), multiple);
}

// The short side becomes that of `size`.
function fitContent([w, h], size, multiple) {
  const content = [Math.max(size[0], size[1] * (w / h)), Math.max(size[1], size[0] / (w / h))];
  const sizeIn = content.map((side) => Math.ceil(side / multiple) * multiple);
  const scaleImg = [(w * sizeIn[0]) / content[0], (h * sizeIn[1]) / content[1]].map(Math.fround);
  return { sizeIn, centerImg: [w / 2, h / 2], scaleImg };
}

// The official implementation: what exceeds a multiple by less than a pixel is cut off.
function fitWhole([w, h], size, multiple) {
  const short = Math.min(w, h);
  const up = (side) =>
    Math.floor(((size[0] / short) * side + multiple - 1) / multiple) * multiple;
  const sizeIn = [w, h].map((side) => (side > short ? up(side) : size[0]));
  const scaleImg = sizeIn.map((side) => (side / size[0]) * short);
  return { sizeIn, centerImg: [Math.floor(w / 2 + 0.5), Math.floor(h / 2 + 0.5)], scaleImg };
}

/**
 * Bring keypoints of the network input to pixels of the image.
 * @param {ArrayLike<number>} pointsIn x, y, x, y, …
 * @param {Frame} frame
 * @returns {number[]}
 */
export function inToImg(pointsIn, { sizeIn, centerImg, scaleImg }) {
  return Array.from(pointsIn, (value, i) => {
    const axis = i % 2;
    return (value / sizeIn[axis]) * scaleImg[axis] + centerImg[axis] - 0.5 * scaleImg[axis];
  });
}

/**
 * Cut the network input out of an image: bilinear, black outside of it.
 *
 * OpenCV rounds positions to 1/32 pixel and colors to whole numbers; so does this.
 * @param {Pixels} image
 * @param {Frame} frame
 * @returns {Float32Array} 3 × H × W, RGB, 0 to 255
 */
export function cutInput({ width, height, data }, { sizeIn, centerImg, scaleImg }) {
  const [w, h] = sizeIn;
  const step = scaleImg[0] / w; // image pixels per input pixel, the same along y
  const columns = positions(w, step, centerImg[0] - (w / 2) * step);
  const rows = positions(h, step, centerImg[1] - (h / 2) * step);
  const plane = w * h;
  const input = new Float32Array(3 * plane);
  const color = (x, y, channel) =>
    x >= 0 && y >= 0 && x < width && y < height ? data[4 * (y * width + x) + channel] : 0;
  for (let v = 0; v < h; v++) {
    const y = rows[v] >> 5;
    const b = rows[v] & 31;
    for (let u = 0; u < w; u++) {
      const x = columns[u] >> 5;
      const a = columns[u] & 31;
      for (let channel = 0; channel < 3; channel++) {
        const above = (32 - a) * color(x, y, channel) + a * color(x + 1, y, channel);
        const below = (32 - a) * color(x, y + 1, channel) + a * color(x + 1, y + 1, channel);
        input[channel * plane + v * w + u] = ((32 - b) * above + b * below + 512) >> 10;
      }
    }
  }
  return input;
}

// Positions in the image of input pixels 0, 1, …, in 1/32 pixel. OpenCV rounds origin and
// distance to 1/1024 pixel before it adds them.
function positions(count, step, origin) {
  const start = Math.round(origin * 1024) + 16;
  return Int32Array.from({ length: count }, (_, i) => (start + Math.round(i * step * 1024)) >> 5);
}
