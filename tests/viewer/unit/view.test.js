import assert from "node:assert/strict";
import { test } from "node:test";
import { parse, rational } from "../../../mandeldask/web/viewer/numbers/rationals.js";
import { fromHash } from "../../../mandeldask/web/viewer/page/permalink.js";
import { View } from "../../../mandeldask/web/viewer/numbers/view.js";

const at = (scale) => View.at(parse("7.2563561129628413"), parse("7.8681740957946881"), scale);

test("what is under the pointer stays there", () => {
  for (const scale of [-10, -60.5, -3400]) {
    const before = at(scale);
    const after = before.zoom(scale - 7, 200, -100);
    const [dx, dy] = before.pan(200, -100).distanceTo(after.pan(200, -100));
    assert.ok(Math.hypot(dx, dy) < 0.001);
  }
});

test("moving there and back leads to the same point", () => {
  const view = at(-1000);
  const back = view.pan(123.5, -7).pan(-123.5, 7);
  assert.equal(back.x, view.x);
  assert.equal(back.y, view.y);
});

test("cells are those of exact arithmetic", () => {
  const view = View.at(rational(5n, 2n), rational(3n), 0);
  const unit = { m: 1n, e: -1 };
  assert.deepEqual(view.cell(0, 0, unit, unit), [5n, 6n]);
  assert.deepEqual(view.cell(-10, 0, unit, unit), [-15n, 6n]);
  const [x] = view.toScreen(5n, 6n, unit, unit);
  assert.equal(x, 0);
});

test("distances are told across any depth", () => {
  const [near] = at(-20).distanceTo(at(-3000));
  assert.ok(Math.abs(near) < 1);
  const [far] = at(-3000).distanceTo(View.at(rational(1n), rational(1n), -3000));
  assert.equal(far, -Infinity);
});

test("a link whose width is beyond the range of the page says so", () => {
  const source = {
    kind: "plane",
    unit: 0,
    toPlane: ({ x, y }) => ({ re: x, im: y }),
    fromPlane: ({ re, im }) => ({ x: re, y: im }),
  };
  const read = (width) => fromHash(`#re=-0.75&im=0.1&width=${width}`, source, { width: 1000 }, { scale: -8 });
  assert.equal(read("1e-1000").outside, false);
  assert.equal(read("1e-1500").outside, true);
  assert.equal(read("1e9999").outside, true);
  assert.equal(read("1e-1500").view.scale, read("1e-1400").view.scale);
});
