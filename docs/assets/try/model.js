/**
 * An exported PINet: from the pixels of an image to people, and to the poses before fusion.
 *
 * What pinet_mm/onnx_runner.py does in Python. All that depends on the model, such as the size of
 * its input, keypoints and skeleton, comes from the metadata of its file.
 *
 * @typedef {{score: number, keypoints: number[][], part?: number}} Person keypoints are [x, y,
 *   score] in pixels of the image; `part` is the one that proposed a pose before fusion
 * @typedef {{people: Person[], proposals: Person[]}} Found best first
 * @typedef {import('./geometry.js').Pixels} Pixels
 */
import { cutInput, fit, inToImg } from './geometry.js';
import { readMetadata, readValueNames, withOutputs } from './onnx-file.js';

const SCHEMA = 'pinet_mm.onnx/1';
// Poses before fusion: values inside the graph, see docs/export.md.
const PROPOSALS = {
  keypoints: 'proposals',
  keypointScores: 'proposal_keypoint_scores',
  valid: 'proposal_valid',
};

export class PoseModel {
  /**
   * Load a file that tools/export_onnx.py wrote.
   * @param {object} ort ONNX Runtime Web
   * @param {Uint8Array} file
   * @returns {Promise<PoseModel>}
   */
  static async load(ort, file) {
    const facts = readMetadata(file);
    if (facts.get('schema') !== SCHEMA) {
      throw new Error(`the model must have schema ${SCHEMA}; found ${facts.get('schema')}`);
    }
    const named = readValueNames(file);
    const more = Object.values(PROPOSALS).filter((name) => named.has(name));
    const whole = more.length === Object.keys(PROPOSALS).length;
    const session = await ort.InferenceSession.create(whole ? withOutputs(file, more) : file);
    return new PoseModel(ort, session, facts, whole);
  }

  /** @private */
  constructor(ort, session, facts, hasProposals) {
    const meta = JSON.parse(facts.get('dataset_meta'));
    this.ort = ort;
    this.session = session;
    this.resize = JSON.parse(facts.get('resize'));
    /** Whether the file tells the poses before fusion. */
    this.hasProposals = hasProposals;
    /** Names of the parts, and which keypoints belong to each. */
    this.parts = JSON.parse(facts.get('parts') ?? '{}');
    /** Names of the keypoints in order. */
    this.keypointNames = Object.values(meta.keypoint_id2name);
    /** Pairs of keypoints between which a line is drawn. */
    this.skeleton = meta.skeleton_links;
  }

  /**
   * Find the people of an image.
   * @param {Pixels} image
   * @returns {Promise<Found>}
   */
  async find(image) {
    const frame = fit([image.width, image.height], this.resize);
    const [w, h] = frame.sizeIn;
    const images = new this.ort.Tensor('float32', cutInput(image, frame), [1, 3, h, w]);
    const found = await this.session.run({ images });
    const people = read(found.keypoints, found.keypoint_scores, frame, Number(found.count.data[0]));
    people.forEach((person, i) => (person.score = found.scores.data[i]));
    return { people, proposals: this.hasProposals ? this.#readProposals(found, frame) : [] };
  }

  #readProposals(found, frame) {
    const [keypoints, scores, valid] = Object.values(PROPOSALS).map((name) => found[name]);
    const total = scores.dims[1]; // ordered by part
    const perPart = total / Object.keys(this.parts).length;
    return read(keypoints, scores, frame, total)
      .map((pose, i) => ({ ...pose, part: Math.floor(i / perPart) }))
      .filter((_, i) => valid.data[i])
      .sort((a, b) => b.score - a.score);
  }
}

// The first `count` rows of (1, P, K, 2) keypoints and (1, P, K) scores; a pose's own score is the
// mean of its keypoints'.
function read(keypoints, scores, frame, count) {
  const k = scores.dims[2];
  return Array.from({ length: count }, (_, i) => {
    const points = inToImg(keypoints.data.subarray(2 * i * k, 2 * (i + 1) * k), frame);
    const values = scores.data.subarray(i * k, (i + 1) * k);
    return {
      score: values.reduce((sum, value) => sum + value, 0) / k,
      keypoints: Array.from(values, (value, j) => [points[2 * j], points[2 * j + 1], value]),
    };
  });
}
