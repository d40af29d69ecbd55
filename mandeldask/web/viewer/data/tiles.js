/** Tiles of a source: a few at a time, most urgent first, given up when out of sight, kept within a number of bytes. */

const AT_ONCE = 6; // what browsers open to one HTTP/1.1 origin
const RETRY_S = [1, 2, 4, 8, 15, 30]; // after so many failures in a row
const TRIES = 3; // of a tile whose computation fails

export class Tiles {
  #kept = new Map(); // key -> tile, least recently used first
  #bytes = 0;
  #wanted = [];
  #loading = new Map(); // key -> AbortController
  #failures = new Map(); // key -> how often it failed
  #away = 0; // requests in a row that the server did not take
  #pause = 0; // time before which not to ask at all
  #since = 0; // time since which nothing came that is waited for

  /**
   * @param {object} options
   * @param {(request, signal: AbortSignal) => Promise<object>} options.load resolves to a tile's contents
   * @param {number} options.maxBytes
   * @param {() => void} options.changed
   * @param {(error: Error & {status?: number}, seconds: number) => void} options.failed `seconds` until the next try, 0
   *   where there is none
   * @param {() => void} options.recovered
   */
  constructor({ load, maxBytes, changed, failed, recovered }) {
    this.load = load;
    this.maxBytes = maxBytes;
    this.changed = changed;
    this.failed = failed;
    this.recovered = recovered;
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

  /** Ask for these tiles {key, ...}, most urgent first, and for no other any more. */
  want(requests) {
    this.#wanted = requests.filter(({ key }) => !this.#kept.has(key));
    const keys = new Set(this.#wanted.map(({ key }) => key));
    for (const [key, controller] of this.#loading) if (!keys.has(key)) controller.abort();
    if (this.#loading.size === 0) this.#since = performance.now();
    this.#next();
  }

  /** Tiles wanted that may still come. */
  get missing() {
    return this.#wanted.filter(({ key }) => !this.#kept.has(key) && !this.#hopeless(key)).length;
  }

  /** Milliseconds since the last tile came, while some are waited for. */
  get waited() {
    return this.#loading.size > 0 ? performance.now() - this.#since : 0;
  }

  /** How many of these only make a tile better that is here. */
  get improving() {
    return this.#wanted.filter(({ key, improves }) => improves && !this.#kept.has(key) && !this.#hopeless(key)).length;
  }

  /** Tiles held, and their bytes. */
  get size() {
    return { tiles: this.#kept.size, bytes: this.#bytes, loading: this.#loading.size };
  }

  /** Forget every tile, and what failed. */
  clear() {
    this.want([]);
    this.#kept.clear();
    this.#bytes = 0;
    this.#failures.clear();
  }

  #hopeless(key) {
    return (this.#failures.get(key) ?? 0) >= TRIES;
  }

  #next() {
    if (Date.now() < this.#pause) return;
    const most = this.#away > 0 ? 1 : AT_ONCE; // one request finds out whether the server is back
    for (const request of this.#wanted) {
      if (this.#loading.size >= most) return;
      const { key } = request;
      if (!this.#loading.has(key) && !this.#kept.has(key) && !this.#hopeless(key)) this.#load(request);
    }
  }

  async #load(request) {
    const { key } = request;
    const controller = new AbortController();
    this.#loading.set(key, controller);
    try {
      const contents = await this.load(request, controller.signal);
      if (!controller.signal.aborted) this.#arrived(request, contents);
    } catch (error) {
      if (!controller.signal.aborted) this.#fail(key, error);
    } finally {
      this.#loading.delete(key);
      this.changed();
      this.#next();
    }
  }

  #arrived(request, contents) {
    this.#since = performance.now();
    this.#failures.delete(request.key);
    if (this.#away > 0) this.recovered();
    this.#away = 0;
    if (contents) this.#keep(request.key, { ...request, ...contents });
    else this.#wanted = this.#wanted.filter(({ key }) => key !== request.key); // it made another tile better
  }

  /** A server that is away or busy is left alone for a while; a tile that cannot be computed is given up. */
  #fail(key, error) {
    const overloaded = [0, 429, 503].includes(error.status);
    if (!overloaded) {
      const refused = error.status >= 400 && error.status < 500; // it will say the same again
      this.#failures.set(key, refused ? TRIES : (this.#failures.get(key) ?? 0) + 1);
      if (this.#hopeless(key)) this.failed(error, 0);
      return;
    }
    if (Date.now() < this.#pause) return; // another request of the same batch
    const seconds = Math.max(error.seconds ?? 0, RETRY_S[Math.min(this.#away, RETRY_S.length - 1)]);
    this.#away += 1;
    this.#pause = Date.now() + 1000 * seconds;
    setTimeout(() => this.#next(), 1000 * seconds + 1);
    this.failed(error, seconds);
  }

  #keep(key, tile) {
    this.#kept.set(key, tile);
    this.#bytes += tile.fixed.byteLength;
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= this.maxBytes || oldest === key) break;
      this.#kept.delete(oldest);
      this.#bytes -= old.fixed.byteLength;
    }
  }
}
