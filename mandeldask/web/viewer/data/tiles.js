/** Tiles of a source: loaded a few at a time, the most urgent first; cancelled when not visible; cached up to a size. */

const AT_ONCE = 6; // number of connections that browsers open to one HTTP/1.1 origin
const RETRY_S = [1, 2, 4, 8, 15, 30]; // seconds until the next try, after one, two, ... failures in a row
const TRIES = 3; // tries of a tile whose computation fails

export class Tiles {
  #kept = new Map(); // key -> tile, least recently used first
  #bytes = 0;
  #wanted = [];
  #loading = new Map(); // key -> AbortController
  #failures = new Map(); // key -> number of failures
  #away = 0; // number of consecutive requests without a reply
  #pause = 0; // time before which no request is sent
  #since = 0; // time since which no requested tile has arrived

  /**
   * @param {object} options
   * @param {(request, signal: AbortSignal) => Promise<object>} options.load resolves to a tile's content
   * @param {number} options.maxBytes
   * @param {() => void} options.changed
   * @param {(error: Error & {status?: number}, seconds: number) => void} options.failed `seconds` until the next try,
   *   0 if there is none
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
      this.#kept.delete(key); // to the end, as the most recently used
      this.#kept.set(key, tile);
    }
    return tile;
  }

  /** Request these tiles {key, ...}, the most urgent first, and cancel all others. */
  want(requests) {
    this.#wanted = requests.filter(({ key }) => !this.#kept.has(key));
    const keys = new Set(this.#wanted.map(({ key }) => key));
    for (const [key, controller] of this.#loading) if (!keys.has(key)) controller.abort();
    if (this.#loading.size === 0) this.#since = performance.now();
    this.#next();
  }

  /** Requested tiles that may still arrive. */
  get missing() {
    return this.#wanted.filter(({ key }) => !this.#kept.has(key) && !this.#hopeless(key)).length;
  }

  /** Milliseconds since the last tile arrived, while others are pending. */
  get waited() {
    return this.#loading.size > 0 ? performance.now() - this.#since : 0;
  }

  /** Number of these that only improve a loaded tile. */
  get improving() {
    return this.#wanted.filter(({ key, improves }) => improves && !this.#kept.has(key) && !this.#hopeless(key)).length;
  }

  /** Number of cached tiles, and their bytes. */
  get size() {
    return { tiles: this.#kept.size, bytes: this.#bytes, loading: this.#loading.size };
  }

  /** Forget all tiles and failures. */
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
    const most = this.#away > 0 ? 1 : AT_ONCE; // a single request tests whether the server is back
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
    else this.#wanted = this.#wanted.filter(({ key }) => key !== request.key); // it improved another tile
  }

  /** Pause if the server does not answer or is busy; give up a tile that cannot be computed. */
  #fail(key, error) {
    const overloaded = [0, 429, 503].includes(error.status);
    if (!overloaded) {
      const refused = error.status >= 400 && error.status < 500; // the reply will be the same again
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
