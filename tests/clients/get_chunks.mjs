// Reads {url, version, chunks} from stdin and writes the chunks' bytes, base64, that zarrita's getChunk yields.
import { text } from "node:stream/consumers";
import * as zarr from "zarrita";

const { url, version, chunks } = JSON.parse(await text(process.stdin));
const open = version === 2 ? zarr.open.v2 : zarr.open.v3;
const array = await open(new zarr.FetchStore(url), { kind: "array" });
const tiles = await Promise.all(chunks.map((coords) => array.getChunk(coords)));
process.stdout.write(JSON.stringify(tiles.map(({ data }) => Buffer.from(data.buffer).toString("base64"))));
