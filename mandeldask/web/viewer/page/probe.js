/** Requests the distance to the set at the pixel under the pointer, when it rests and nothing else is computed. */

import { distanceAt } from "../data/distance.js";
import { PROVEN } from "../data/encoding.js";
import { keyOf } from "../picture/scene.js";

const REST_MS = 250;
const KEPT = 500;

export class Probe {
  #found = new Map(); // key of a pixel -> distance, or null if there is none
  #key = ""; // key of the last requested pixel
  #pointed = false; // without a pointer on the page, nothing is requested
  #timer = 0;
  #asking = new AbortController();

  /** @param {import("./explorer.js").Explorer} explorer @param {() => void} found called when a distance has arrived */
  constructor(explorer, found) {
    this.explorer = explorer;
    this.found = found;
    explorer.canvas.addEventListener("pointermove", ({ pointerType }) => {
      this.#pointed = pointerType !== "touch";
    });
  }

  /** The distance at a pixel of the explorer, {plane, pixels}; undefined if it is unknown. */
  at(pixel) {
    if (!pixel || pixel.fixed >= PROVEN || this.explorer.source.kind !== "plane") return undefined;
    const key = keyOf(pixel.level, pixel.row, pixel.col);
    if (!this.#found.has(key)) this.#expect(key, pixel);
    return this.#found.get(key) ?? undefined;
  }

  #expect(key, pixel) {
    if (key === this.#key || !this.#pointed) return;
    this.#asking.abort();
    clearTimeout(this.#timer);
    this.#key = key;
    this.#timer = setTimeout(() => this.#ask(key, pixel), REST_MS);
  }

  async #ask(key, pixel) {
    if (this.explorer.canvas.dataset.state !== "idle") {
      this.#key = ""; // the picture comes first; this is called again after it is drawn
      return;
    }
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const distance = await distanceAt(this.explorer.source, pixel, signal).catch(() => null); // no message
    if (signal.aborted) return;
    this.#found.set(key, distance);
    if (this.#found.size > KEPT) this.#found.delete(this.#found.keys().next().value);
    this.found();
  }
}
