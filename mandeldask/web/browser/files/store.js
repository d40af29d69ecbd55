/** Zarr keys of one server: concurrent requests for a key share one fetch, and recent results are cached. */

import { packedIn } from "./elements.js";

const MOST = 64;

export class ChunkStore {
  /**
   * @param {object} server such as an `HttpServer`
   * @param {string} url URL of the root; may be relative to the page
   */
  constructor(server, url) {
    this.server = server;
    this.url = server.at(url).replace(/\/$/, "");
    this.kept = new Map(); // promises of bytes by key, the least recently used first
    this.packed = new Map(); // the parts of elements, by the path of an array
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
        if (error.name !== "AbortError" || options.signal?.aborted) throw error; // another caller cancelled it
      }
    }
  }

  /** A byte range of a key, for sharded arrays. */
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
    if (names.includes("c") && this.packed.has(array)) names.pop(); // this page added the axis of bytes
    const { status, bytes } = await this.server.ask(`${this.url}${names.map(encodeURIComponent).join("/")}`, options);
    if (status === 404) return undefined;
    if (status >= 400) throw refusal(status, bytes);
    return bytes;
  }
}

/** The reason of a refusal, from the server's reply. */
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
