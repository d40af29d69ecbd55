/** Zarr keys of one server: what several ask for at a time is fetched once, and kept for a while. */

import { packedIn } from "./elements.js";

const MOST = 64;

export class ChunkStore {
  /**
   * @param {object} server as `HttpServer` is one
   * @param {string} url of the root, maybe relative to the page
   */
  constructor(server, url) {
    this.server = server;
    this.url = server.at(url).replace(/\/$/, "");
    this.kept = new Map(); // promises of bytes by key, the least recently used first
    this.packed = new Map(); // by the path of an array, what its elements are made of
  }

  /** Bytes of a key, or undefined if the server has none. */
  async get(key, options = {}) {
    for (;;) {
      const kept = this.kept.get(key) ?? this.#read(key, options.signal);
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

  /** Some bytes of a key: what a sharded array is read by. */
  async getRange(key, range, options = {}) {
    const asked =
      range.suffixLength === undefined
        ? `${range.offset}-${range.offset + range.length - 1}`
        : `-${range.suffixLength}`;
    return await this.#ask(key, { range: `bytes=${asked}`, signal: options.signal });
  }

  async #read(key, signal) {
    const bytes = await this.#ask(key, { signal });
    if (!bytes || !key.endsWith("/zarr.json")) return bytes;
    const found = packedIn(JSON.parse(new TextDecoder().decode(bytes)));
    if (!found) return bytes;
    this.packed.set(key.slice(0, -"/zarr.json".length), found.elements);
    return new TextEncoder().encode(JSON.stringify(found.document));
  }

  async #ask(key, options) {
    const names = key.split("/");
    const array = names.slice(0, names.lastIndexOf("c")).join("/");
    if (names.includes("c") && this.packed.has(array)) names.pop(); // the axis along the bytes of an element is ours
    const { status, bytes } = await this.server.ask(`${this.url}${names.map(encodeURIComponent).join("/")}`, options);
    if (status === 404) return undefined;
    if (status >= 400) throw refusal(status, bytes);
    return bytes;
  }
}

/** Why the server said no, in its own words. */
function refusal(status, bytes) {
  return Object.assign(new Error(`The server answered ${status}${detailOf(bytes)}.`), { status });
}

function detailOf(bytes) {
  try {
    const { detail } = JSON.parse(new TextDecoder().decode(bytes));
    return detail ? `: ${detail}` : "";
  } catch {
    return "";
  }
}
