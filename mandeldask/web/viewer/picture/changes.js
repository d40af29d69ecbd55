/** Find where two pictures of the same size differ, so that only these parts are drawn again. It uses no canvas. */

/**
 * A tile drawn in a box, in whole pixels from the upper left corner.
 *
 * @typedef {{left: number, top: number, width: number, height: number}} Box
 * @typedef {{tile: object, version: number, box: Box}} Drawn
 */

const MOST = 48; // if there are more boxes, one box around all of them is used

/** A copy of the list of `scene.drawing` in its current state, because tiles change. @returns {Drawn[]} */
export const drawnNow = (drawing) => drawing.map(({ tile, box }) => ({ tile, version: tile.version, box }));

/**
 * Boxes outside of which two lists show the same picture; later entries hide earlier ones.
 *
 * @param {Drawn[]} before @param {Drawn[]} after @returns {Box[]}
 */
export function changes(before, after) {
  const kept = new Set(before.filter((one) => after.some((other) => same(one, other))).map(({ tile }) => tile));
  const isKept = (entry) => kept.has(entry.tile);
  const order = (entries) => entries.filter(isKept).map(({ tile }) => tile);
  const [was, is] = [order(before), order(after)];
  if (is.length !== was.length || is.some((tile, at) => tile !== was[at])) return around([...before, ...after]);
  const boxes = [...shown(before, isKept), ...shown(after, isKept)];
  return boxes.length > MOST ? around(boxes.map((box) => ({ box }))) : boxes;
}

/** The intersection of two boxes; null if there is none. @param {Box} a @param {Box} b @returns {Box | null} */
export function shared(a, b) {
  const [left, top] = [Math.max(a.left, b.left), Math.max(a.top, b.top)];
  const width = Math.min(a.left + a.width, b.left + b.width) - left;
  const height = Math.min(a.top + a.height, b.top + b.height) - top;
  return width > 0 && height > 0 ? { left, top, width, height } : null;
}

/** A box with `by` more pixels on each side. @param {Box} box @returns {Box} */
export const grown = ({ left, top, width, height }, by) => ({
  left: left - by,
  top: top - by,
  width: width + 2 * by,
  height: height + 2 * by,
});

/** Whether boxes cover another one. @param {Box[]} boxes @param {Box} whole */
export function cover(boxes, whole) {
  return boxes.reduce((parts, box) => parts.flatMap((part) => without(part, box)), [whole]).length === 0;
}

/** The visible parts of the entries that are not kept, between the kept ones above them. */
function shown(entries, isKept) {
  return entries.flatMap((entry, at) => {
    if (isKept(entry)) return [];
    const above = entries.slice(at + 1).filter(isKept);
    return above.reduce((parts, { box }) => parts.flatMap((part) => without(part, box)), [entry.box]);
  });
}

/** A box without another: up to four boxes. */
function without(box, other) {
  const hole = shared(box, other);
  if (!hole) return [box];
  const { left, top, width, height } = box;
  const [right, bottom] = [left + width, top + height];
  const [holeRight, holeBottom] = [hole.left + hole.width, hole.top + hole.height];
  const beside = { top: hole.top, height: hole.height };
  return [
    { left, top, width, height: hole.top - top },
    { left, top: holeBottom, width, height: bottom - holeBottom },
    { ...beside, left, width: hole.left - left },
    { ...beside, left: holeRight, width: right - holeRight },
  ].filter((part) => part.width > 0 && part.height > 0);
}

function around(entries) {
  if (entries.length === 0) return [];
  const sides = entries.map(({ box: { left, top, width, height } }) => [left, top, left + width, top + height]);
  const [left, top] = [0, 1].map((at) => Math.min(...sides.map((side) => side[at])));
  const [right, bottom] = [2, 3].map((at) => Math.max(...sides.map((side) => side[at])));
  return [{ left, top, width: right - left, height: bottom - top }];
}

function same(one, other) {
  const { left, top, width, height } = one.box;
  const { box } = other;
  const alike = left === box.left && top === box.top && width === box.width && height === box.height;
  return alike && one.tile === other.tile && one.version === other.version;
}
