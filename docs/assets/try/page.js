/** The page "Try it in the browser": controls on one side, `Finder` and `drawPoses` on the other. */
import { colorOfPart, colorOfPerson, drawPoses } from './drawing.js';
import { Finder } from './finder.js';
import { pixelsOf, readFrame, readImage } from './images.js';

const byId = (name) => document.getElementById(`try-${name}`);
const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
const at = (place) => new URL(place, import.meta.url).href;
const [canvas, threshold, status] = ['canvas', 'threshold', 'status'].map(byId);

const site = await (await fetch(at('site.json'))).json();
const finder = new Finder(site.model);
let shown; // { canvas, name, found, model }
let turn = 0; // which image was asked for last
let stream; // of the camera
// Lowest scores that are shown; those of poses before fusion are mean keypoint scores.
const lowest = { after: site.pose_thr, before: 0.1 };

/** Write what happens where screen readers announce it. */
function say(text, isError = false) {
  status.setAttribute('aria-live', stream ? 'off' : 'polite'); // not at every frame of a camera
  status.textContent = text;
  status.classList.toggle('try-error', isError);
}

const sayError = (error) => say(`Error: ${error.message}`, true);

/** Find the people of an image and show them, unless another was asked for meanwhile. */
async function show(image, name) {
  const mine = ++turn;
  const model = await finder.load();
  const found = await finder.find(pixelsOf(image));
  if (mine !== turn) return;
  shown = { image, name, found, model };
  render();
}

/** Show an image file from wherever it comes. */
async function showFile(file) {
  stopCamera();
  const mine = turn;
  try {
    const image = await readImage(file);
    if (mine !== turn) return; // another one was chosen meanwhile
    draw(image);
    say(finder.loading ? 'Looking for people …' : `Loading ${site.megabytes.toFixed(0)} MB, once …`);
    await show(image, file.name);
  } catch (error) {
    sayError(error);
  }
}

const view = () => (byId('before').checked ? 'before' : 'after');

function switchView() {
  threshold.value = lowest[view()];
  render();
}

/** The poses that the controls ask for. */
function chosen() {
  const { found, model } = shown;
  const before = byId('before').checked && model.hasProposals;
  const poses = (before ? found.proposals : found.people).filter(
    ({ score }) => score >= Number(threshold.value),
  );
  const colors = poses.map(({ part }, i) =>
    before ? colorOfPart(part, model.parts.length) : colorOfPerson(i),
  );
  return { poses, colors, before };
}

function draw(image) {
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.hidden = false;
  byId('hint').hidden = true;
  canvas.getContext('2d').drawImage(image, 0, 0);
}

function render() {
  byId('score').value = Number(threshold.value).toFixed(2);
  if (!shown) return;
  const { image, name, found, model } = shown;
  const { poses, colors, before } = chosen();
  draw(image);
  drawPoses(canvas.getContext('2d'), poses, model.skeleton, { colors, tags: !before });
  const count = before
    ? `${poses.length} poses before fusion`
    : `${poses.length} ${poses.length === 1 ? 'person' : 'people'}`;
  canvas.setAttribute('aria-label', `${name} with ${count}`);
  say(`${count} with a score of at least ${threshold.value}; ${found.seconds.toFixed(2)} s in this browser.`);
  renderLegend(before, model);
  renderSaved(name, poses);
}

function renderLegend(before, model) {
  byId('before').disabled = !model.hasProposals;
  const legend = byId('legend');
  legend.hidden = !before && model.hasProposals;
  legend.replaceChildren(
    model.hasProposals ? 'Proposed by: ' : 'This model file does not tell the poses before fusion.',
    ...(model.hasProposals ? model.parts : []).map((part, i) => {
      const item = document.createElement('span');
      item.textContent = part;
      item.style.setProperty('--color', colorOfPart(i, model.parts.length));
      return item;
    }),
  );
}

// The line that onnx_runner.py prints.
function renderSaved(file, poses) {
  const link = byId('save');
  URL.revokeObjectURL(link.href);
  const persons = poses.map(({ score, keypoints }) => ({ score, keypoints }));
  link.href = URL.createObjectURL(
    new Blob([`${JSON.stringify({ file, persons })}\n`], { type: 'application/json' }),
  );
  link.hidden = false;
}

/** Ask for the camera; what is returned is nothing if an image is chosen before the answer. */
async function askForCamera() {
  const mine = ++turn;
  const button = byId('camera');
  button.disabled = true; // a second click would start a camera that nothing stops
  try {
    const video = { facingMode: 'environment' };
    const asked = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    if (mine === turn) return asked;
    stopTracks(asked);
  } catch (error) {
    if (mine === turn) throw navigator.mediaDevices ? error : new Error('cameras need https or localhost');
  } finally {
    button.disabled = false;
  }
}

/** Show the camera's newest frame again and again, as fast as the model is. */
async function watch() {
  try {
    stream = await askForCamera();
    if (!stream) return;
    byId('camera').textContent = 'Stop the camera';
    const video = Object.assign(document.createElement('video'), {
      srcObject: stream,
      muted: true,
      playsInline: true,
    });
    await video.play();
    say(`Loading ${site.megabytes.toFixed(0)} MB, once …`);
    for (const mine = stream; mine === stream; await nextFrame()) {
      await show(readFrame(video), 'camera');
    }
  } catch (error) {
    stopCamera();
    sayError(error);
  }
}

const stopTracks = (camera) => camera.getTracks().forEach((track) => track.stop());

function stopCamera() {
  turn++;
  if (stream) stopTracks(stream);
  stream = undefined;
  byId('camera').textContent = 'Use the camera';
}

async function describeModel() {
  const name = site.model.replace(/\.onnx$/, '');
  const card = (await (await fetch(at('model/models.json'))).json())[name];
  if (card) byId('model').textContent = `Model: ${name} (${card.knows}; ${card.terms}).`;
  if (card?.warning) byId('model').append(` ${card.warning}.`);
}

async function showExample() {
  stopCamera();
  const mine = turn;
  const name = site.example.split('/').pop();
  try {
    const response = await fetch(at(site.example));
    if (!response.ok) throw new Error(`this site has no ${name}`);
    const file = new File([await response.blob()], name);
    if (mine === turn) await showFile(file);
  } catch (error) {
    if (mine === turn) sayError(error);
  }
}

function listen() {
  byId('file').addEventListener('change', ({ target }) => target.files[0] && showFile(target.files[0]));
  byId('camera').addEventListener('click', () => (stream ? stopCamera() : watch()));
  byId('example').addEventListener('click', showExample);
  threshold.addEventListener('input', () => {
    lowest[view()] = Number(threshold.value);
    render();
  });
  for (const control of [byId('before'), byId('after')]) control.addEventListener('input', switchView);
  addEventListener('pagehide', stopCamera);
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) showFile(file);
  });
}

switchView();
await describeModel();
if (site.missing) {
  say('This copy of the site cannot run the model, see above.', true);
} else {
  listen();
  byId('controls').disabled = false;
  say(`Choose an image. The first one loads ${site.megabytes.toFixed(0)} MB from this site.`);
}
