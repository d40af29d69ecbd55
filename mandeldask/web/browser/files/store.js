/** Zarr keys over HTTP from this server: what several ask for at a time is fetched once, and kept for a while. */

const MOST = 64;

export class ChunkStore {
  /** @param {string} url of the root, maybe relative to the page */
  constructor(url) {
    this.url = new URL(url, document.baseURI).href.replace(/\/$/, "");
    if (new URL(this.url).origin !== location.origin) throw new Error("This page reads from its own server only.");
    this.kept = new Map(); // promises of bytes by key, the least recently used first
  }

  /** Bytes of a key, or undefined if the server has none. */
  async get(key, options = {}) {
    for (;;) {
      const kept = this.kept.get(key) ?? this.#fetch(key, options.signal);
      this.kept.delete(key);
      this.kept.set(key, kept);
      if (this.kept.size > MOST) this.kept.delete(this.kept.keys().next().value);
      try {
        return await kept;
      } catch (error) {
        if (this.kept.get(key) === kept) this.kept.delete(key);
        if (error.name !== "AbortError" || options.signal?.aborted) throw error; // else another gave it up
      }
    }
  }

  async #fetch(key, signal) {
    const response = await fetch(`${this.url}${key.split("/").map(encodeURIComponent).join("/")}`, { signal });
    if (response.status === 404) return undefined;
    if (!response.ok) throw await refusal(response);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Some bytes of a key: what a sharded array is read by. */
  async getRange(key, range, options = {}) {
    const asked = range.suffixLength === undefined ? `${range.offset}-${range.offset + range.length - 1}` : `-${range.suffixLength}`;
    const response = await fetch(`${this.url}${key.split("/").map(encodeURIComponent).join("/")}`, { headers: { range: `bytes=${asked}` }, signal: options.signal });
    if (response.status === 404) return undefined;
    if (!response.ok) throw await refusal(response);
    return new Uint8Array(await response.arrayBuffer());
  }
}

/** Why the server said no, in its own words. */
async function refusal(response) {
  const { detail } = await response.json().catch(() => ({}));
  const error = new Error(`The server answered ${response.status}${detail ? `: ${detail}` : ""}.`);
  error.status = response.status;
  return error;
}
