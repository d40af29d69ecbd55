/** The initial view and the initial colours of a source. */

import { parsePoint, rational } from "../numbers/rationals.js";
import { View } from "../numbers/view.js";

const HOME = { center: parsePoint("-0.65"), width: 3.4, height: 2.8 }; // the set with a margin, in plane units
const JULIA_HOME = { center: parsePoint("0"), width: 4, height: 3 };

/** The whole set if the source contains it, otherwise the whole source. */
export function homeOf(source, { width, height }) {
  const unit = 2 ** (source.unit ?? 0);
  const home = source.julia ? JULIA_HOME : HOME;
  const place = source.toPlane({ x: rational(0n), y: rational(0n) }) && source.fromPlane(home.center);
  if (place && Number(source.width) * unit >= home.width && inside(place, source)) {
    return View.at(place.x, place.y, Math.log2(Math.max(home.width / width, home.height / height) / unit));
  }
  const scale = Math.log2(Math.max(Number(source.width) / width, Number(source.height) / height));
  return View.at(rational(source.width, 2n), rational(source.height, 2n), scale);
}

function inside({ x, y }, source) {
  return x.p > 0n && y.p > 0n && x.p < source.width * x.q && y.p < source.height * y.q;
}

/** Style outside the look: colours of pixels without an escape time, and whether values are escape times. */
export function styleOf(source) {
  const escapes = source.kind === "plane" || source.place !== null;
  return { insideColour: [5, 6, 14], background: [10, 13, 22], linear: !escapes, cyclic: escapes };
}
