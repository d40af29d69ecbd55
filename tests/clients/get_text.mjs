// Reads {urls} from stdin and writes {shape, data} of each array of text as zarrita reads it.
import { text } from "node:stream/consumers";
import * as zarr from "zarrita";

const { urls, version } = JSON.parse(await text(process.stdin));
const open = version === 2 ? zarr.open.v2 : zarr.open.v3;
const arrays = [];
for (const url of urls) {
  const array = await open(new zarr.FetchStore(url), { kind: "array" });
  const { data, shape } = await zarr.get(array);
  arrays.push({ shape, data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => data.get?.(at) ?? data[at]) });
}
process.stdout.write(JSON.stringify(arrays));
