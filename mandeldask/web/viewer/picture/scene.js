/** The content of a view: the tiles that it needs, and the drawing of those that are loaded. It uses no canvas. */

const COARSER = 12; // search for a substitute up to this many levels coarser
const ONE = { m: 1n, e: 0 };
const FINER = 2; // use substitutes up to this many levels finer, when zooming out

/**
 * Requests for the visible tiles of a level, those nearest to (atX, atY) first.
 *
 * @param view
 * @param level of the source
 * @param {{width: number, height: number}} screen in pixels
 * @param {number[]} at screen pixels from the middle of the most important point
 */
export function tilesInSight(view, level, { width, height }, at = [0, 0]) {
  const [left, top] = view.cell(-width / 2, -height / 2, ...level.extent);
  const [right, bottom] = view.cell(width / 2, height / 2, ...level.extent);
  const requests = [];
  for (let row = most(top, 0n); row <= least(bottom, level.rows - 1n); row++) {
    for (let col = most(left, 0n); col <= least(right, level.cols - 1n); col++) {
      const [x, y] = view.toScreen(2n * col + 1n, 2n * row + 1n, ...level.extent.map(half));
      requests.push({ key: keyOf(level, row, col), level, row, col, away: Math.hypot(x - at[0], y - at[1]) });
    }
  }
  return requests.sort((a, b) => a.away - b.away);
}

/**
 * Requests for sketches of a level, where nothing equally good could be drawn, in order.
 *
 * @param {boolean} slow whether tiles of the level take long
 */
export function previews(view, level, screen, at, source, tiles, slow) {
  const own = tilesInSight(view, level, screen);
  return source.sketches(level, slow).flatMap((sketch) => {
    if (own.every((request) => covered(request, source, tiles, sketch.steps))) return [];
    return tilesInSight(view, sketch.level, screen, at);
  });
}

/**
 * The tiles to draw, in order: coarse tiles first, the level's own last. Missing tiles leave the earlier ones visible.
 *
 * @returns {{tile: object, box: {left: number, top: number, width: number, height: number}}[]} boxes in whole pixels
 *   from the upper left corner of the screen
 */
export function drawing(view, level, screen, source, tiles) {
  const own = atHand(view, level, screen, tiles);
  if (own.missing === 0) return own.found;
  const coarser = [];
  for (let steps = 1; steps <= COARSER; steps++) {
    const alike = source.standIns(level, steps).map((coarse) => atHand(view, coarse, screen, tiles));
    coarser.unshift(...alike.flatMap(({ found }) => found));
    if (alike.some(({ missing }) => missing === 0)) break; // these hide all coarser ones
  }
  const finer = [];
  for (let steps = 1; steps <= FINER; steps++) {
    const fine = source.coarser(level, -steps);
    if (fine) finer.unshift(...atHand(view, fine, screen, tiles).found);
  }
  const older = level.older ? atHand(view, level.older, screen, tiles).found : []; // with a smaller maxiter
  return [...coarser, ...finer, ...older, ...own.found];
}

/** The box of a tile on the screen; edges are whole pixels, so that neighbours touch. */
export function boxOf(view, { level, row, col }, { width, height }) {
  const [left, top] = view.toScreen(col, row, ...level.extent);
  const [right, bottom] = view.toScreen(col + 1n, row + 1n, ...level.extent);
  const x = Math.round(left + width / 2);
  const y = Math.round(top + height / 2);
  return { left: x, top: y, width: Math.round(right + width / 2) - x, height: Math.round(bottom + height / 2) - y };
}

/** The part of the screen in which there is something to see: a box in whole pixels, empty if there is none. */
export function insideOf(view, source, screen) {
  const [left, top] = view.toScreen(0n, 0n, ONE, ONE);
  const [right, bottom] = view.toScreen(source.width, source.height, ONE, ONE);
  const within = (at, size) => Math.min(size, Math.max(0, Math.round(at + size / 2)));
  const [x, y] = [within(left, screen.width), within(top, screen.height)];
  return { left: x, top: y, width: within(right, screen.width) - x, height: within(bottom, screen.height) - y };
}

/** The same drawing with fewer values than the screen has pixels; edges are whole values, so that neighbours touch. */
export function reduced(drawing, part) {
  return drawing.map(({ tile, box }) => {
    const [left, top] = [Math.round(box.left * part), Math.round(box.top * part)];
    const width = Math.round((box.left + box.width) * part) - left;
    return { tile, box: { left, top, width, height: Math.round((box.top + box.height) * part) - top } };
  });
}

export const keyOf = (level, row, col) => `${level.key}/${row}/${col}`;

function atHand(view, level, screen, tiles) {
  const found = [];
  let missing = 0;
  for (const request of tilesInSight(view, level, screen)) {
    const tile = tiles.get(request.key);
    if (tile) found.push({ tile, box: boxOf(view, tile, screen) });
    else missing += 1;
  }
  return { found, missing };
}

/** Whether a tile is covered by one whose pixels are at most 2^steps times as wide. */
function covered({ key, level, row, col }, source, tiles, steps) {
  if (tiles.get(key)) return true;
  for (let step = 1; step <= steps; step++) {
    const coarser = source.standIns(level, step);
    if (coarser.some((coarse) => tiles.get(holding(coarse, level, row, col)))) return true;
  }
  return false;
}

/** Key of the tile of a coarser level that contains the upper left corner of a tile. */
function holding(coarse, level, row, col) {
  const [across, down] = coarse.extent.map(({ m, e }, axis) => {
    const own = level.extent[axis];
    const shift = BigInt(Math.abs(own.e - e));
    const at = BigInt(axis === 0 ? col : row) * own.m;
    return own.e >= e ? (at << shift) / m : at / (m << shift);
  });
  return keyOf(coarse, down, across);
}

const half = ({ m, e }) => ({ m, e: e - 1 });
const most = (a, b) => (a > b ? a : b);
const least = (a, b) => (a < b ? a : b);
