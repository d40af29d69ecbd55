import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CAPPED,
  crop,
  encode,
  escapeTime,
  NONE,
  PROVEN,
  prove,
  UNKNOWN,
} from "../../../mandeldask/web/viewer/data/encoding.js";

test("escape times keep 1/256", () => {
  const { fixed, capped } = encode(Float32Array.of(-1.5, 0, 12.25, Number.NaN), { kind: "escape", cap: 255 });
  assert.deepEqual([...fixed].slice(0, 3).map(escapeTime), [-1.5, 0, 12.25]);
  assert.equal(fixed[3], UNKNOWN);
  assert.equal(capped, 1);
});

test("counts at the cap have no escape", () => {
  const { fixed, capped } = encode(Uint8Array.of(0, 254, 255), { kind: "escape", cap: 255, counts: true });
  assert.deepEqual([...fixed].slice(0, 2).map(escapeTime), [0.5, 254.5]);
  assert.equal(fixed[2], UNKNOWN);
  assert.equal(capped, 1);
});

test("what a period proves is inside, the rest is at the cap", () => {
  const fixed = Uint32Array.of(7, UNKNOWN, UNKNOWN);
  assert.equal(prove(fixed, Uint32Array.of(0, 3, 0)), 1);
  assert.deepEqual([...fixed], [7, PROVEN + 3, CAPPED]);
});

test("other values lie between their limits", () => {
  const { fixed } = encode(Uint16Array.of(0, 500, 1000, 2000), { kind: "linear", low: 0, high: 1000 });
  assert.deepEqual([...fixed], [0, 2 ** 23, 2 ** 24, 2 ** 24]);
});

test("pixels past an array's end are none", () => {
  const fixed = new Uint32Array(12);
  crop(fixed, 4, [2, 3]);
  assert.deepEqual([...fixed], [0, 0, 0, NONE, 0, 0, 0, NONE, NONE, NONE, NONE, NONE]);
});

test("packed values are unpacked as CF says", () => {
  const packing = { scale_factor: 1 / 64, add_offset: -2, _FillValue: 0xffffffff };
  const raw = Uint32Array.of(0, 192, 0xffffffff);
  const { fixed, capped } = encode(raw, { kind: "escape", cap: 255 }, packing);
  assert.deepEqual([...fixed].map(escapeTime), [-2, 1, Number.NaN]);
  assert.equal(capped, 1);
  const { fixed: other } = encode(raw, { kind: "linear", low: -2, high: 2 }, packing);
  assert.deepEqual([...other], [0, 3 * 2 ** 22, NONE]);
});
