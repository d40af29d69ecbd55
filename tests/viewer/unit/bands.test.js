import assert from "node:assert/strict";
import { test } from "node:test";
import { bandOf, LEVELS, levelsAbove } from "../../../mandeldask/web/viewer/data/bands.js";

test("every level is in its pyramid, and below the first one at least 16 tiles along each side of it", () => {
  for (let n = 1; n < 5000; n++) {
    const depth = n - levelsAbove(bandOf(n));
    assert.ok(depth >= (n <= LEVELS ? 1 : 5) && depth <= LEVELS, `level ${n}`);
    assert.ok(bandOf(n) <= bandOf(n + 1));
  }
});
