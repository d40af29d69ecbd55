/** Asks for the distance to the set at the pixel under the pointer, once the pointer rests and nothing else is computed. */

import { distanceAt } from "../data/distance.js";
import { PROVEN } from "../data/encoding.js";
import { keyOf } from "../picture/scene.js";

const REST_MS = 250;
const KEPT = 500;

export class Probe {
  #found = new Map(); // key of a pixel -> distance, or null where there is none
  #key = ""; // of the pixel asked about last
  #pointed = false; // a page that nobody points at asks nothing
  #timer = 0;
  #asking = new AbortController();

  /** @param {import("./explorer.js").Explorer} explorer @param {() => void} found called when an answer is here */
  constructor(explorer, found) {
    this.explorer = explorer;
    this.found = found;
    explorer.canvas.addEventListener("pointermove", ({ pointerType }) => {
      this.#pointed = pointerType !== "touch";
    });
  }

  /** The distance at a pixel of the explorer's, {plane, pixels}; undefined where it is not known, or not yet. */
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
      this.#key = ""; // the picture comes first; it says when it has been drawn
      return;
    }
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const distance = await distanceAt(this.explorer.source, pixel, signal).catch(() => null); // refused, or away: no word
    if (signal.aborted) return;
    this.#found.set(key, distance);
    if (this.#found.size > KEPT) this.#found.delete(this.#found.keys().next().value);
    this.found();
  }
}
