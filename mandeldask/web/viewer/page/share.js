/** Code for a view: Python that computes it, and code that reads it from the server. */

import { bandOf, levelsAbove } from "../data/bands.js";
import { dyadicText } from "../numbers/rationals.js";
import { juliaText } from "./permalink.js";

/** The pixels of a level that a screen shows: first column and row (BigInt), and their numbers. */
function pixelsInSight(view, level, { width, height }) {
  const half = 0.499999 * Number(level.spacing.m) * 2 ** (level.spacing.e - view.scale); // edges of tiles are rounded
  const [left, top] = view.cell(half - width / 2, half - height / 2, level.spacing, level.spacing);
  const [right, bottom] = view.cell(half + width / 2, half + height / 2, level.spacing, level.spacing);
  return { left, top, cols: Number(right - left), rows: Number(bottom - top) };
}

/** Python that computes exactly the pixels on the screen. */
export function python(view, source, screen) {
  const level = source.level(view);
  const { left, top, cols, rows } = pixelsInSight(view, level, screen);
  const places = Math.max(0, -level.spacing.e) + 1;
  const half = (start, count) => (2n * start + BigInt(count)) << BigInt(Math.max(0, level.spacing.e));
  const corner = 8n << BigInt(places);
  const re = dyadicText(half(left, cols) - corner, places);
  const im = dyadicText(corner - half(top, rows), places);
  const julia = source.julia ? `, julia="${juliaText(source.julia)}"` : "";
  const center = `${re}${im.startsWith("-") ? "" : "+"}${im}j`;
  return [
    "from fractions import Fraction",
    "",
    "import mandeldask as md",
    "",
    `center = "${center}"`,
    `width = Fraction(${cols}, 2**${-level.spacing.e})`,
    `ds = md.window(center, width, (${rows}, ${cols}), maxiter=${level.maxiter}, fields=("iterations", "smooth")${julia})`,
    "md.render(ds.smooth)",
  ].join("\n");
}

/** Python that opens the pixels on the screen with xarray. */
export function xarray(view, source, screen) {
  const { url, path } = source.zarrUrl(view);
  const level = source.level(view);
  const { left, top, cols, rows } = clipped(pixelsInSight(view, level, screen), level);
  const [first, from] = source.kind === "plane" ? inPyramid(left, top, level) : [left, top];
  const slice = (start, count) => `slice(${start}, ${start + BigInt(count)})`;
  return [
    "import xarray as xr",
    "",
    `level = xr.open_zarr("${url}", group="${path}")`,
    `view = level.isel(y=${slice(from, rows)}, x=${slice(first, cols)})`,
  ].join("\n");
}

function clipped({ left, top, cols, rows }, level) {
  const zero = (value) => (value < 0n ? 0n : value);
  const [height, width] = level.shape.map(BigInt);
  const [right, bottom] = [left + BigInt(cols), top + BigInt(rows)];
  const least = (a, b) => (a < b ? a : b);
  const [x, y] = [zero(left), zero(top)];
  return {
    left: x,
    top: y,
    cols: Number(least(right, level.cols * width) - x),
    rows: Number(least(bottom, level.rows * height) - y),
  };
}

/** Column and row in the pyramid that contains the middle; parts in other pyramids are cut off. */
function inPyramid(left, top, level) {
  const depth = level.n - levelsAbove(bandOf(level.n));
  const size = 1n << BigInt(depth + 8);
  return [left % size, top % size];
}
