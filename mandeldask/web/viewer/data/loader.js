/** Lets a worker fetch and decode chunks, so that the main thread only draws. */

import { Refusal } from "./server.js";

export class Loader {
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  #waiting = new Map(); // id -> {resolve, reject}
  #last = 0;

  constructor() {
    this.#worker.onmessage = ({ data }) => this.#answer(data);
  }

  /**
   * @param {object} job result of a source's `locate`
   * @param {AbortSignal} signal
   * @returns {Promise<{fixed: Uint32Array, capped: number}>}
   */
  load(job, signal) {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(new Error("no longer wanted"));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      signal.addEventListener("abort", () => this.#worker.postMessage({ cancel: id }), { once: true });
      this.#worker.postMessage({ id, job });
    });
  }

  #answer({ id, error, ...tile }) {
    const { resolve, reject } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) reject(new Refusal(error.message, error.status ?? -1, error.seconds));
    else resolve(tile);
  }
}
