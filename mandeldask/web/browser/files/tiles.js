/** Tiles of an image: read when they become visible, cached up to a limit, and cancelled when no longer visible. */

const MOST_BYTES = 192 * 2 ** 20;
const AT_ONCE = 8;

export class Tiles {
  /**
   * @param {object} picture the result of `openImage`
   * @param {() => void} changed called when a tile has arrived
   * @param {(message: string) => void} failed called with an error message
   */
  constructor(picture, changed, failed) {
    this.picture = picture;
    this.changed = changed;
    this.failed = failed;
    this.kept = new Map(); // by key, the least recently used first
    this.bytes = 0;
    this.reading = new Map();
    this.tries = new Map();
    this.wanted = [];
  }

  /** The tile if it is loaded. */
  get(key) {
    const tile = this.kept.get(key);
    if (tile) {
      this.kept.delete(key);
      this.kept.set(key, tile);
    }
    return tile;
  }

  /** Request tiles, the most urgent first; earlier requests for other tiles are cancelled. */
  want(list) {
    this.wanted = list.filter(({ key }) => !this.kept.has(key));
    const keys = new Set(this.wanted.map(({ key }) => key));
    for (const [key, abort] of this.reading)
      if (!keys.has(key)) {
        abort.abort();
        this.reading.delete(key);
      }
    this.#next();
  }

  get busy() {
    return this.wanted.length > 0;
  }

  #next() {
    for (const tile of this.wanted) {
      if (this.reading.size >= AT_ONCE) return;
      if (!this.reading.has(tile.key)) this.#read(tile);
    }
  }

  async #read({ key, level, row, column, at, part }) {
    const abort = new AbortController();
    this.reading.set(key, abort);
    try {
      this.#keep(key, await this.picture.tile(level, row, column, at, part, abort.signal));
    } catch (error) {
      if (!abort.signal.aborted) await this.#failed(key, error);
    }
    if (this.reading.get(key) === abort) this.reading.delete(key);
    this.wanted = this.wanted.filter((tile) => !this.kept.has(tile.key));
    if (!abort.signal.aborted) this.changed();
    this.#next();
  }

  /** Retry later while the server is busy; otherwise report the error and leave the tile empty. */
  async #failed(key, error) {
    const tries = (this.tries.get(key) ?? 0) + 1;
    this.tries.set(key, tries);
    if (error.status === 503 && tries < 20) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return;
    }
    this.#keep(key, { values: new Uint8Array(0), height: 0, width: 0 });
    this.failed(error.message);
  }

  #keep(key, tile) {
    this.kept.set(key, tile);
    this.bytes += sizeOf(tile);
    for (const [old, other] of this.kept) {
      if (this.bytes <= MOST_BYTES || old === key) break;
      this.kept.delete(old);
      this.bytes -= sizeOf(other);
    }
  }
}

const sizeOf = ({ values, exact }) => values.byteLength + (exact?.byteLength ?? 0);
