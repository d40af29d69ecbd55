/** The distance from one pixel to the set, computed by the server: read from a small square of the same pixels. */

import { multiply, parse, powerOfTwo, rational } from "../numbers/rationals.js";
import { openArray } from "./chunks.js";
import { openGroup } from "./server.js";

const SIDE_BITS = 4; // log2 of the side of a tile; such a square is two tiles wide
const SIDE = 1 << SIDE_BITS;
const MASK = BigInt(SIDE - 1);

/**
 * @param {import("./plane.js").Plane} source
 * @param {{level: object, row: bigint, col: bigint}} pixel of the source's lattice
 * @param {AbortSignal} signal
 * @returns {Promise<{plane: import("../numbers/rationals.js").Rational, pixels: number} | null>} in plane units and in
 *   pixels; null if the pixel did not escape
 */
export async function distanceAt(source, { level, row, col }, signal) {
  const square = BigInt(SIDE_BITS + 1);
  const pyramid = { levels: 1, tilesize: SIDE, maxiter: level.maxiter, fields: ["distance"] };
  const spec = source.spelled(col >> square, row >> square, level.spacing.e + SIDE_BITS + 1, pyramid);
  const group = await openGroup(new URL(`at/${spec}.zarr/`, source.root), source.headers);
  const metadata = group.nodes.get("0/distance");
  const array = await openArray(new URL("0/distance/", group.url), metadata, source.headers);
  const [down, across] = [row, col].map((at) => (at >> BigInt(SIDE_BITS)) & 1n);
  const values = await array.read(down, across, signal);
  const value = Number(values[Number(row & MASK) * SIDE + Number(col & MASK)]);
  if (!Number.isFinite(value)) return null;
  const inPlane = metadata.attributes.units === "plane units"; // otherwise the unit is a pixel of this square
  const pixels = inPlane ? value * 2 ** -level.spacing.e : value;
  const spacing = multiply(rational(level.spacing.m), powerOfTwo(level.spacing.e));
  return { plane: multiply(parse(pixels.toExponential()), spacing), pixels };
}
