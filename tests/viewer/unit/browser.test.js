import assert from "node:assert/strict";
import { test } from "node:test";
import {
  labelColour,
  limitsOf,
  paintChannel,
  paintLabels,
  paintMap,
  table,
} from "../../../mandeldask/web/browser/files/colour.js";
import { lengthWords, scaleBar } from "../../../mandeldask/web/browser/files/scalebar.js";

const NAN = Number.NaN;

test("a colour map has 256 colours, and an unknown one is gray", () => {
  assert.equal(table("viridis").length, 768);
  assert.deepEqual(table("no such map"), table("gray"));
});

test("missing values stay transparent, limits take the ends of the map", () => {
  const pixels = new Uint8ClampedArray(20);
  paintMap(pixels, Float64Array.of(0, 10, NAN, -1, 99), {
    low: 0,
    high: 10,
    map: "gray",
    inverted: false,
    missing: -1,
  });
  assert.deepEqual([...pixels], [0, 0, 0, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
});

test("channels add up, labels have colours of their own, 0 is background", () => {
  const pixels = new Uint8ClampedArray(8);
  paintChannel(pixels, Uint8Array.of(0, 255), { low: 0, high: 255, color: "FF0000", missing: undefined });
  paintChannel(pixels, Uint8Array.of(0, 255), { low: 0, high: 255, color: "0000FF", missing: undefined });
  assert.deepEqual([...pixels.slice(4, 7)], [255, 0, 255]);
  const labels = new Uint8ClampedArray(12);
  paintLabels(labels, Uint8Array.of(0, 1, 2), { missing: undefined });
  assert.equal(labels[3], 0);
  assert.notDeepEqual(labels.slice(4, 7), labels.slice(8, 11));
  assert.deepEqual(labelColour(7), labelColour(7));
});

test("limits leave the ends of samples out, and a scale bar has a round length", () => {
  const { low, high } = limitsOf(Float64Array.from({ length: 1001 }, (_, at) => at));
  assert.ok(low >= 0 && low < 20 && high > 980 && high <= 1000);
  const bar = scaleBar(0.37);
  assert.ok(bar.pixels <= 140 && bar.pixels > 50);
  assert.match(lengthWords(1500, "micrometer"), /^1,500 /);
});
