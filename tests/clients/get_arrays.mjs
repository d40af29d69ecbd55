// Reads {urls, version} from stdin and writes the first chunk of each array, base64, that zarrita's getChunk yields.
import { text } from "node:stream/consumers";
import * as zarr from "zarrita";

const { urls, version } = JSON.parse(await text(process.stdin));
const open = version === 2 ? zarr.open.v2 : zarr.open.v3;
const chunks = [];
for (const url of urls) {
  const array = await open(new zarr.FetchStore(url), { kind: "array" });
  const { data } = await array.getChunk([0]);
  chunks.push(Buffer.from(data.buffer).toString("base64"));
}
process.stdout.write(JSON.stringify(chunks));
