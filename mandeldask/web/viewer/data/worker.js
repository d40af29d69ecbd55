/** Fetches and decodes chunks off the main thread: {id, job} in, {id, fixed, capped} or {id, error} out. */

import { chunkShape, openArray } from "./chunks.js";
import { crop, encode } from "./encoding.js";

const arrays = new Map(); // url -> promise of an opened array
const running = new Map(); // id -> AbortController

self.onmessage = async ({ data: { id, job, cancel } }) => {
  if (cancel) {
    running.get(cancel)?.abort();
    return;
  }
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const raw = await (await open(job)).read(job.row, job.col, controller.signal);
    const { fixed, capped } = encode(raw, job.rule, job.metadata.attributes);
    if (job.valid) crop(fixed, chunkShape(job.metadata)[1], job.valid);
    self.postMessage({ id, fixed, capped }, { transfer: [fixed.buffer] });
  } catch (error) {
    const { message, status, seconds } = error;
    self.postMessage({ id, error: { message, status, seconds, aborted: controller.signal.aborted } });
  } finally {
    running.delete(id);
  }
};

function open({ url, metadata, headers }) {
  if (!arrays.has(url)) {
    arrays.set(url, openArray(new URL(url), metadata, headers));
    if (arrays.size > 500) arrays.delete(arrays.keys().next().value);
  }
  return arrays.get(url);
}
