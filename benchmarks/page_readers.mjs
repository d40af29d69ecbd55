// Reads the same chunks by the set's own reader and by zarrita, turn by turn: node page_readers.mjs URL ROUNDS
import { performance } from "node:perf_hooks";

const files = new URL("../mandeldask/web/", import.meta.url);
const own = await import(new URL("viewer/data/zarr.js", files));
const zarrita = await import(new URL("browser/files/vendor/zarrita.js", files));

const [, , url, rounds] = process.argv;
const group = new URL(`${url}/`);
const { nodes } = await own.openGroup(group);
const path = "0/iterations";
const mine = own.openArray(new URL(`${path}/`, group), nodes.get(path));

/** What zarrita reads from: keys over fetch. */
const store = {
  async get(key) {
    const response = await fetch(`${url}${key}`);
    return response.status === 404 ? undefined : new Uint8Array(await response.arrayBuffer());
  },
};
const theirs = await zarrita.open.v3(zarrita.root(store).resolve(path), { kind: "array" });
const side = mine.shape[0] / mine.chunks[0];
const places = Array.from({ length: side * side }, (_, index) => [Math.floor(index / side), index % side]);

const readers = {
  own: async (row, column) => await mine.read(BigInt(row), BigInt(column)),
  zarrita: async (row, column) => (await theirs.getChunk([row, column])).data,
};
const times = { own: [], zarrita: [] };
for (let round = -1; round < Number(rounds); round++)
  for (const name of round % 2 ? ["own", "zarrita"] : ["zarrita", "own"]) {
    const began = performance.now();
    const found = await Promise.all(places.map(([row, column]) => readers[name](row, column)));
    if (round >= 0) times[name].push((performance.now() - began) / places.length);
    times[`${name}Sum`] = found.reduce((sum, values) => sum + values.reduce((total, value) => total + value, 0), 0);
  }
const median = (list) => list.toSorted((one, other) => one - other)[list.length >> 1];
console.log(JSON.stringify({ own: median(times.own), zarrita: median(times.zarrita), same: times.ownSum === times.zarritaSum }));
