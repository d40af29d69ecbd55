/** Requests to the server: bytes, documents, and the reasons of refusals. */

/** A refusal by the server, with a message; `status` is the HTTP status, 0 if there was no reply. */
export class Refusal extends Error {
  /** @param {string} message @param {number} status @param {number} seconds until the retry, if stated */
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
 * Read the document of a node.
 *
 * @param {URL} url of the node, ending in "/"
 */
export async function openNode(url, headers = {}) {
  const response = await ask(new URL("zarr.json", url), { headers });
  return await response.json();
}

/**
 * Read a group and everything below it from one document.
 *
 * @param {URL} url of the group, ending in "/"
 * @returns {Promise<{url: URL, attributes: object, nodes: Map<string, object>}>} nodes by path, e.g. "49/iterations"
 */
export async function openGroup(url, headers = {}) {
  const group = await openNode(url, headers);
  if (group.node_type !== "group") throw new Error(`${url.pathname} is not a Zarr v3 group`);
  const nodes = new Map(Object.entries(group.consolidated_metadata?.metadata ?? {}));
  return { url, attributes: group.attributes ?? {}, nodes };
}

/** The reason of a refusal, in one sentence. */
async function reason(response) {
  const { detail } = await response.json().catch(() => ({}));
  const path = new URL(response.url).pathname;
  const short = path.length > 80 ? `${path.slice(0, 40)}…${path.slice(-30)}` : path; // paths of places are long
  return `The server answered ${response.status} for ${short}${detail ? `: ${detail}` : ""}.`;
}
