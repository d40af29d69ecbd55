/** Tiles of a pyramid: fetched a few at a time, nearest first, given up when out of sight, kept within a number of bytes. */

import { Busy } from "./zarr.js";

const AT_ONCE = 6; // what browsers open to one HTTP/1.1 origin
const RETRY_MS = 3000;

export class Tiles {
  #kept = new Map(); // key -> tile, least recently used first
  #bytes = 0;
  #wanted = [];
  #loading = new Map(); // key -> AbortController
  #waiting = new Map(); // key -> time before which not to ask again

  /**
   * @param {(request) => ArrayLike<number>} load resolves to the values of {level, row, col}
   * @param {{maxBytes: number, changed: () => void, failed: (error: Error) => void}} options
   */
  constructor({ maxBytes, changed, failed }) {
    Object.assign(this, { maxBytes, changed, failed });
  }

  /** The tile of a key, or undefined. */
  get(key) {
    const tile = this.#kept.get(key);
    if (tile) {
      this.#kept.delete(key); // to the end: most recently used
      this.#kept.set(key, tile);
    }
    return tile;
  }

  /** Ask for these tiles {key, level, row, col}, most urgent first, and for no other any more. */
  want(requests) {
    this.#wanted = requests.filter(({ key }) => !this.#kept.has(key));
    const keys = new Set(this.#wanted.map(({ key }) => key));
    for (const [key, controller] of this.#loading) if (!keys.has(key)) controller.abort();
    this.#next();
  }

  /** Whether nothing wanted is missing. */
  get complete() {
    return this.#wanted.every(({ key }) => this.#kept.has(key));
  }

  /** Tiles wanted and not here yet. */
  get missing() {
    return this.#wanted.filter(({ key }) => !this.#kept.has(key)).length;
  }

  /** Tiles held, and their bytes. */
  get size() {
    return { tiles: this.#kept.size, bytes: this.#bytes };
  }

  /** Every tile held, for repainting. */
  values() {
    return this.#kept.values();
  }

  #next() {
    const now = Date.now();
    for (const request of this.#wanted) {
      if (this.#loading.size >= AT_ONCE) return;
      const { key } = request;
      if (this.#loading.has(key) || this.#kept.has(key) || this.#waiting.get(key) > now) continue;
      this.#load(request);
    }
  }

  async #load({ key, level, row, col }) {
    const controller = new AbortController();
    this.#loading.set(key, controller);
    try {
      const values = await level.read(row, col, controller.signal);
      this.#waiting.delete(key);
      this.#keep(key, { key, level, row, col, values });
    } catch (error) {
      if (!controller.signal.aborted) this.#retry(key, error);
    } finally {
      this.#loading.delete(key);
      this.changed();
      this.#next();
    }
  }

  #retry(key, error) {
    const delay = error instanceof Busy ? 1000 * error.seconds : RETRY_MS;
    this.#waiting.set(key, Date.now() + delay);
    setTimeout(() => this.#next(), delay + 1);
    if (!(error instanceof Busy)) this.failed(error);
  }

  #keep(key, tile) {
    this.#kept.set(key, tile);
    this.#bytes += cost(tile);
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= this.maxBytes || oldest === key) break;
      this.#kept.delete(oldest);
      this.#bytes -= cost(old);
    }
  }
}

/** Bytes of the values and of their picture. */
const cost = ({ values }) => values.byteLength + 4 * values.length;
