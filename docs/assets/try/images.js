/** Images from files and cameras, as canvases whose pixels are those of the file. */

// What every browser's canvas takes; larger images are made smaller by the browser.
const MOST_PIXELS = 2 ** 24;
// No color management: a network sees the numbers of the file, as OpenCV reads them.
const PLAIN = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' };

/**
 * Read an image file, upright by its EXIF tag.
 * @param {Blob} file
 * @returns {Promise<HTMLCanvasElement>}
 */
export async function readImage(file) {
  const bitmap = await createImageBitmap(file, PLAIN).catch(() => {
    throw new Error(`${file.name ?? 'this'} is no image that this browser can read`);
  });
  return toCanvas(bitmap, bitmap.width, bitmap.height);
}

/**
 * Take the frame that a video shows now.
 * @param {HTMLVideoElement} video
 * @returns {HTMLCanvasElement}
 */
export const readFrame = (video) => toCanvas(video, video.videoWidth, video.videoHeight);

function toCanvas(source, width, height) {
  const factor = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(factor * width);
  canvas.height = Math.round(factor * height);
  // On a graphics card, some browsers would round otherwise.
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/**
 * Return the pixels of a canvas.
 * @param {HTMLCanvasElement} canvas
 * @returns {import('./geometry.js').Pixels}
 */
export function pixelsOf(canvas) {
  const { width, height, data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return { width, height, data };
}
