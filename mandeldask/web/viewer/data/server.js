/** What the server says: bytes, documents, and why it said no. */

/** The server said no, in words; `status` is that of HTTP, 0 where there was no answer at all. */
export class Refusal extends Error {
  /** @param {string} message @param {number} status @param {number} seconds after which to ask again, if it said so */
  constructor(message, status, seconds = 0) {
    super(message);
    this.status = status;
    this.seconds = seconds;
  }
}

/**
 * Fetch, or throw a Refusal.
 *
 * @param {URL | string} url
 * @param {RequestInit} options
 */
export async function ask(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refusal("The server does not answer.", 0);
  }
  if (response.ok) return response;
  throw new Refusal(await reason(response), response.status, Number(response.headers.get("Retry-After")) || 0);
}

/**
 * Read a group and everything below it from one document.
 *
 * @param {URL} url of the group, ending in "/"
 * @returns {Promise<{url: URL, attributes: object, nodes: Map<string, object>}>} nodes by path, e.g. "49/iterations"
 */
export async function openGroup(url, headers = {}) {
  const response = await ask(new URL("zarr.json", url), { headers });
  const group = await response.json();
  if (group.node_type !== "group") throw new Error(`${url.pathname} is not a Zarr v3 group`);
  const nodes = new Map(Object.entries(group.consolidated_metadata?.metadata ?? {}));
  return { url, attributes: group.attributes ?? {}, nodes };
}

/** Why the server said no, in one sentence. */
async function reason(response) {
  const { detail } = await response.json().catch(() => ({}));
  const path = new URL(response.url).pathname;
  const short = path.length > 80 ? `${path.slice(0, 40)}…${path.slice(-30)}` : path; // places are spelled at length
  return `The server answered ${response.status} for ${short}${detail ? `: ${detail}` : ""}.`;
}
