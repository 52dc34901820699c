/** The worker with the model, which starts when it is first used. */

export class Finder {
  #name;
  #worker;
  #waiting = [];

  /** @param {string} name of the model's file in the site */
  constructor(name) {
    this.#name = name;
  }

  /**
   * Load the model, once; after a failure, the next call tries again.
   * @returns {Promise<object>} `hasProposals`, `keypointNames`, `parts`, `skeleton`
   */
  load() {
    this.loading ??= this.#load().catch((error) => {
      this.#worker.terminate();
      this.loading = undefined;
      throw error;
    });
    return this.loading;
  }

  /**
   * Find the people of an image.
   * @param {import('./geometry.js').Pixels} pixels which are handed over, and gone
   * @returns {Promise<object>} `people`, `proposals`, `seconds`
   */
  async find(pixels) {
    await this.load();
    return this.#ask(pixels, [pixels.data.buffer]);
  }

  #load() {
    this.#worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
    this.#worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.#waiting.shift();
      if (data.error === undefined) resolve(data);
      else reject(new Error(data.error));
    };
    this.#worker.onerror = () => {
      const error = new Error('this browser cannot start the model: it has to run module workers');
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    };
    return this.#ask(this.#name);
  }

  #ask(message, transfer = []) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(message, transfer);
    });
  }
}
