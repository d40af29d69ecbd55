import assert from "node:assert/strict";
import { test } from "node:test";

import { changes, drawnNow } from "../../../mandeldask/web/viewer/picture/changes.js";

const SIZE = 24;

/** What each pixel shows: the tile and version of the last entry there. */
function shown(entries) {
  const seen = new Map();
  for (const { tile, version, box } of entries) {
    for (let y = Math.max(0, box.top); y < Math.min(SIZE, box.top + box.height); y++) {
      for (let x = Math.max(0, box.left); x < Math.min(SIZE, box.left + box.width); x++) {
        const from = `${box.left},${box.top},${box.width},${box.height}`; // a box elsewhere shows other pixels
        seen.set(y * SIZE + x, `${tile.name}:${version}:${from}`);
      }
    }
  }
  return seen;
}

const covers = (boxes, x, y) =>
  boxes.some(({ left, top, width, height }) => x >= left && x < left + width && y >= top && y < top + height);

/** Numbers that look like chance, the same in every run. */
function dice(seed) {
  let state = seed;
  return (most) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * most);
  };
}

test("outside of the changes, two pictures are the same", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const roll = dice(seed * 7919);
    const tiles = Array.from({ length: 8 }, (_, name) => ({ name, version: 0 }));
    const box = () => ({ left: roll(20) - 4, top: roll(20) - 4, width: 1 + roll(14), height: 1 + roll(14) });
    const before = drawnNow(tiles.slice(0, 1 + roll(7)).map((tile) => ({ tile, box: box() })));
    const after = before.filter(() => roll(4) > 0).map((entry) => ({ ...entry, version: roll(5) > 0 ? 0 : 1 }));
    if (roll(2)) after.splice(roll(after.length + 1), 0, { tile: tiles[7], version: 0, box: box() });
    if (roll(5) === 0) after.reverse();
    const boxes = changes(before, after);
    const [was, is] = [shown(before), shown(after)];
    for (let at = 0; at < SIZE * SIZE; at++) {
      if (was.get(at) !== is.get(at)) assert.ok(covers(boxes, at % SIZE, Math.floor(at / SIZE)), `seed ${seed}`);
    }
  }
});

test("only what can be seen is drawn again", () => {
  const [coarse, one, two] = ["coarse", "one", "two"].map((name) => ({ name, version: 0 }));
  const whole = { tile: coarse, box: { left: 0, top: 0, width: 24, height: 12 } };
  const left = { tile: one, box: { left: 0, top: 0, width: 12, height: 12 } };
  const right = { tile: two, box: { left: 12, top: 0, width: 12, height: 12 } };
  assert.deepEqual(changes(drawnNow([whole, left]), drawnNow([whole, left])), []);
  assert.deepEqual(changes(drawnNow([whole, left]), drawnNow([whole, left, right])), [right.box]);
  assert.deepEqual(changes(drawnNow([whole, left, right]), drawnNow([left, right])), []);
  assert.deepEqual(
    changes(drawnNow([whole]), drawnNow([{ ...whole, tile: { ...coarse, version: 1 } }])).length > 0,
    true,
  );
});
