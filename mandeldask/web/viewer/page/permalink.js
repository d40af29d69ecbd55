/**
 * The view in the URL's hash: `#re=-0.75&im=0.1&width=1e-20&palette=ember`, with enough digits to restore exactly the
 * same view. Images without a plane have x and y, in pixels, instead of re and im.
 */

import {
  add,
  divide,
  exponential,
  log2,
  multiply,
  parse,
  parsePoint,
  rational,
  spelled,
  subtract,
  toFixed,
  toScientific,
} from "../numbers/rationals.js";
import { View } from "../numbers/view.js";

const WIDTH_DIGITS = 12;
const [DEEPEST, WIDEST] = [-4500, 256]; // scales that a link may have: URLs of deeper places would be too long
const SPARE_DIGITS = 6; // digits of a View beyond pixel precision
const OLD_LEVEL_0 = Math.log2(5) - 59; // log2 of the spacing of level 0 of the pyramid to which old links refer

/** @typedef {{re: import("../numbers/rationals.js").Rational, im: object, width: object, digits: number}} Place */

/** The exact place of a view; `digits` is the number of decimals that distinguish it from its neighbours. */
export function placeOf(view, source, screen) {
  const unit = source.unit ?? 0;
  const middle = source.toPlane(view.middle);
  const digits = Math.max(2, Math.ceil((view.bits - unit) * Math.LOG10E * Math.LN2) + 1);
  const width = multiply(exponential(view.scale + unit), rational(BigInt(screen.width)));
  return { ...(middle ?? { re: view.middle.x, im: view.middle.y }), width, digits };
}

/** Write a view and its look as a hash. */
export function toHash(view, source, screen, look) {
  const { re, im, width, digits } = placeOf(view, source, screen);
  const [x, y] = source.toPlane(view.middle) ? ["re", "im"] : ["x", "y"];
  const place = { [x]: shortest(re, digits), [y]: shortest(im, digits) };
  const julia = source.kind === "plane" && source.julia ? { julia: juliaText(source.julia) } : {};
  return `#${new URLSearchParams({ ...julia, ...place, width: trimmed(toScientific(width, WIDTH_DIGITS)), ...look })}`;
}

/** The c of the Julia set in a hash, in the form of the server's URLs ("-0.75i0.125"); "" if it has none. */
export function juliaIn(hash) {
  const text = new URLSearchParams(hash.replace(/^#/, "")).get("julia");
  if (!text) return "";
  try {
    const { re, im } = parsePoint(text);
    const { p, q } = subtract(add(multiply(re, re), multiply(im, im)), rational(4n));
    return p * q > 0n ? "" : [re, im].map(spelled).join("i"); // the escape radius is 2, so |c| must not be greater
  } catch {
    return "";
  }
}

/** A c in common notation, "-0.75+0.125j", from its form in URLs. */
export function juliaText(julia) {
  const [re, im] = julia.replaceAll("r", "/").split("i");
  return `${re}${im.startsWith("-") ? "" : "+"}${im}j`;
}

/**
 * Read a hash.
 *
 * @returns {{view: View | null, rest: Record<string, string>, problems: string[], outside: boolean}} view is null if the
 *   hash contains no place; `problems` are parts that cannot be read; `outside` says that the width is beyond the range
 */
export function fromHash(hash, source, screen, home) {
  const { re, im, x, y, width, level, julia, ...rest } = Object.fromEntries(
    new URLSearchParams(hash.replace(/^#/, "")),
  );
  const problems = [];
  const number = (name, text) => {
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch {
      problems.push(`“${name}=${text.slice(0, 40)}”`);
      return undefined;
    }
  };
  const point = { re: number("re", re), im: number("im", im), x: number("x", x), y: number("y", y) };
  const asked = scaleOf(number("width", width), number("level", level), source, screen) ?? home.scale;
  if (julia !== undefined && !juliaIn(hash)) problems.push(`“julia=${julia.slice(0, 40)}”`);
  if (width !== undefined && !parsedPositive(width)) problems.push(`“width=${width.slice(0, 40)}”`);
  const middle = located(point, source);
  const scale = bounded(asked);
  const view = middle && View.at(middle.x, middle.y, scale);
  return { view, rest, problems: [...new Set(problems)], outside: scale !== asked };
}

/** The view of a place {re, im, width}; width is a rational or null for that of `home`. */
export function viewOf({ re, im, width }, source, screen, home) {
  const { x, y } = source.fromPlane({ re, im });
  return View.at(x, y, bounded(scaleOf(width ?? undefined, undefined, source, screen) ?? home.scale));
}

function located({ re, im, x, y }, source) {
  if (source.toPlane({ x: rational(0n), y: rational(0n) })) return re && im ? source.fromPlane({ re, im }) : null;
  return x && y ? { x, y } : null;
}

function parsedPositive(text) {
  try {
    return parse(text).p > 0n;
  } catch {
    return false;
  }
}

/** The scale of a width or an old level; undefined if there is neither, or if the level is not a number. */
function scaleOf(width, level, source, screen) {
  const unit = source.unit ?? 0;
  if (width && width.p > 0n) return snapped(log2(divide(width, rational(BigInt(screen.width)))) - unit);
  if (!level) return undefined;
  const number = Number(level.p) / Number(level.q);
  if (Number.isNaN(number)) return undefined;
  return source.kind === "plane" ? number + OLD_LEVEL_0 : number;
}

const bounded = (scale) => Math.min(Math.max(scale, DEEPEST), WIDEST);

/** A width has few digits: if the scale is close to a round one, use that. */
function snapped(scale) {
  const round = Math.round(scale * 64) / 64;
  return Math.abs(scale - round) < 1e-9 ? round : scale;
}

/** The fewest decimals that give the same number to `digits` decimals. */
function shortest(value, digits) {
  const exact = toFixed(value, digits);
  for (let fewer = Math.max(0, digits - SPARE_DIGITS); fewer < digits; fewer++) {
    const short = toFixed(value, fewer);
    if (isNear(parse(short), value, digits)) return trimmed(short);
  }
  return trimmed(exact);
}

/** Whether two numbers differ by less than half a unit of the last of `digits` decimals. @returns {boolean} */
function isNear(a, b, digits) {
  const apart = subtract(a, b);
  return (apart.p < 0n ? -apart.p : apart.p) * 2n * 10n ** BigInt(digits) < apart.q;
}

/** Remove zeros at the end of the decimals. */
function trimmed(text) {
  const [mantissa, exponent] = text.split("e");
  const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return exponent === undefined ? short || "0" : `${short}e${exponent}`;
}
