/**
 * A reader of Zarr v3 over fetch, as small as the viewer needs: consolidated groups, two-dimensional arrays of numbers,
 * raw or gzip chunks. What it cannot read it says in words.
 *
 * https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html
 */

const DTYPES = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
  float64: Float64Array,
};
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

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
async function ask(url, options) {
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

/**
 * Check that an array can be read, and say how.
 *
 * @returns {{shape: number[], chunks: number[], read: (row: bigint, col: bigint, signal: AbortSignal) =>
 *   Promise<ArrayLike<number>>}} read resolves to the values of a chunk, row by row, of the full chunk shape
 */
export function openArray(url, metadata, headers = {}) {
  const { shape, chunk_grid, chunk_key_encoding, data_type, fill_value, codecs } = metadata;
  const refuse = (what) => {
    throw new Error(`This page cannot read ${url.pathname}: ${what}.`);
  };
  if (shape?.length !== 2) refuse(`it has ${shape?.length} dimensions, not 2`);
  if (chunk_grid.name !== "regular") refuse(`its chunk grid is “${chunk_grid.name}”`);
  const Values = DTYPES[data_type] ?? refuse(`its values are ${JSON.stringify(data_type)}`);
  const { steps, endian } = decoder(codecs, refuse);
  const chunks = chunk_grid.configuration.chunk_shape;
  const size = chunks[0] * chunks[1];
  const key = chunkKey(chunk_key_encoding, refuse);

  async function read(row, col, signal) {
    let bytes;
    try {
      bytes = await (await ask(new URL(key(row, col), url), { headers, signal })).arrayBuffer();
    } catch (error) {
      if (error.status === 404) return new Values(size).fill(Number(fill_value)); // an absent chunk, says the spec
      throw error;
    }
    for (const step of steps) bytes = await step(bytes);
    if (bytes.byteLength !== size * Values.BYTES_PER_ELEMENT)
      throw new Error(`A chunk of ${url.pathname} is cut short.`);
    return new Values(swapped(bytes, Values.BYTES_PER_ELEMENT, endian));
  }
  return { shape, chunks, read };
}

/** Steps from stored to plain bytes, and the byte order of the values. */
function decoder(codecs, refuse) {
  const [first, ...rest] = codecs;
  if (first.name !== "bytes") refuse(`its first codec is “${first.name}”`);
  const steps = rest.toReversed().map(({ name }) => {
    if (name === "gzip") return gunzip;
    if (name === "crc32c") return async (bytes) => bytes.slice(0, -4); // TCP and gzip have checked already
    return refuse(`it is compressed with “${name}”; serve it with gzip or uncompressed`);
  });
  return { steps, endian: first.configuration?.endian ?? "little" };
}

async function gunzip(bytes) {
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(plain).arrayBuffer();
}

function chunkKey({ name, configuration }, refuse) {
  const separator = configuration?.separator ?? (name === "v2" ? "." : "/");
  if (name === "default") return (row, col) => ["c", row, col].join(separator);
  if (name === "v2") return (row, col) => [row, col].join(separator);
  return refuse(`its chunk keys are “${name}”`);
}

/** Bytes in this machine's order. */
function swapped(buffer, width, endian) {
  if (width === 1 || (endian === "little") === LITTLE_ENDIAN) return buffer;
  const bytes = new Uint8Array(buffer);
  for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
  return buffer;
}

/** Why the server said no, in one sentence. */
async function reason(response) {
  const { detail } = await response.json().catch(() => ({}));
  const path = new URL(response.url).pathname;
  const short = path.length > 80 ? `${path.slice(0, 40)}…${path.slice(-30)}` : path; // places are spelled at length
  return `The server answered ${response.status} for ${short}${detail ? `: ${detail}` : ""}.`;
}
