/**
 * Exact rational numbers {p, q}: BigInt numerator, BigInt denominator > 0.
 *
 * Floats cannot represent a pixel of a level 2^59 pixels wide, or a width of 1e-1000, so positions are never floats.
 */

/** @typedef {{p: bigint, q: bigint}} Rational */

/** @param {bigint | number | string} p @param {bigint | number | string} q @returns {Rational} */
export const rational = (p, q = 1n) => ({ p: BigInt(p), q: BigInt(q) });
/** @type {(a: Rational, b: Rational) => Rational} */
export const add = (a, b) => ({ p: a.p * b.q + b.p * a.q, q: a.q * b.q });
/** @type {(a: Rational, b: Rational) => Rational} */
export const subtract = (a, b) => add(a, { p: -b.p, q: b.q });
/** @type {(a: Rational, b: Rational) => Rational} */
export const multiply = (a, b) => ({ p: a.p * b.p, q: a.q * b.q });
/** @type {(a: Rational, b: Rational) => Rational} */
export const divide = (a, b) => (b.p < 0n ? { p: -a.p * b.q, q: -a.q * b.p } : { p: a.p * b.q, q: a.q * b.p });

/** Greatest integer not above p / q. @type {(value: Rational) => bigint} */
export const floor = ({ p, q }) => (p >= 0n ? p / q : -((-p + q - 1n) / q));

/** Integer nearest to p / q; ties are rounded up. @type {(value: Rational) => bigint} */
export const round = ({ p, q }) => floor({ p: 2n * p + q, q: 2n * q });

const MOST_DIGITS = 20_000; // largest number of digits of a number in a link; more would block the page

/** Read "0.25", "-1e-300" or "1/3"; a typographic minus sign is accepted, too. */
export function parse(written) {
  const text = written.trim().replace("\u2212", "-");
  if (text.length > MOST_DIGITS) throw new Error(`A number of ${text.length} digits is too long for this page`);
  const ratio = /^([+-]?\d+)\/(\d+)$/.exec(text);
  if (ratio && BigInt(ratio[2]) > 0n) return rational(ratio[1], ratio[2]);
  const decimal = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d{1,5}))?$/i.exec(text);
  if (!decimal || decimal[2] + decimal[3] === "") throw new Error(`“${text}” is not a number`);
  const [, sign, whole, tail, exponent = "0"] = decimal;
  const places = Number(exponent) - tail.length;
  const digits = BigInt(sign + whole + tail);
  return places >= 0 ? rational(digits * 10n ** BigInt(places)) : rational(digits, 10n ** BigInt(-places));
}

/** Read a point "re+imj" as {re, im}. */
export function parsePoint(text) {
  const number = String.raw`(?:\d+\/\d+|\d*\.?\d*(?:e[+-]?\d+)?)`;
  const compact = text.replace(/[\s()*]/g, "").replaceAll("\u2212", "-");
  const parts = new RegExp(`^([+-]?${number})(?:([+-]${number})[ij])?$`, "i").exec(compact);
  if (!parts || parts[1] === "") throw new Error(`“${text}” is not a point of the plane`);
  return { re: parse(parts[1]), im: parse(parts[2] ?? "0") };
}

/** Power of ten of the leading digit: floor(log10(|value|)), value not 0. */
export function magnitude({ p, q }) {
  const size = p < 0n ? -p : p;
  const guess = size.toString().length - q.toString().length;
  const reaches = guess >= 0 ? size >= q * 10n ** BigInt(guess) : size * 10n ** BigInt(-guess) >= q;
  return reaches ? guess : guess - 1;
}

/** Write with `places` decimals, rounded to the nearest. */
export function toFixed(value, places) {
  const scaled = round(multiply(value, rational(10n ** BigInt(places))));
  const digits = (scaled < 0n ? -scaled : scaled).toString().padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  return `${scaled < 0n ? "-" : ""}${whole}${places ? `.${digits.slice(-places)}` : ""}`;
}

/** Write as "8.674e-18" with `digits` significant digits. */
export function toScientific(value, digits) {
  if (value.p === 0n) return "0";
  const power = magnitude(value);
  const leading = round(shifted({ p: value.p < 0n ? -value.p : value.p, q: value.q }, digits - 1 - power));
  const carried = leading >= 10n ** BigInt(digits) ? power + 1 : power; // 9.9996 in four digits is 10.00
  return `${toFixed(shifted(value, -carried), digits - 1)}e${carried}`;
}

/** Binary logarithm of a positive number of any size, as a float. */
export function log2({ p, q }) {
  const [high, low] = [leading(p), leading(q)];
  return Math.log2(high.value / low.value) + (high.bits - low.bits);
}

/** A positive BigInt as value · 2^bits, with a value that is a float64. */
function leading(value) {
  const bits = Math.max(0, 4 * (value.toString(16).length - 15));
  return { value: Number(value >> BigInt(bits)), bits };
}

/** 2^exponent as a rational. */
export const powerOfTwo = (exponent) =>
  exponent >= 0 ? rational(1n << BigInt(exponent)) : rational(1n, 1n << BigInt(-exponent));

/** The positive float 2^exponent, for any real exponent, as a rational of 53 bits. */
export function exponential(exponent) {
  const whole = Math.floor(exponent);
  return multiply(rational(BigInt(Math.round(2 ** (exponent - whole) * 2 ** 52)), 1n << 52n), powerOfTwo(whole));
}

/** Write m / 2^k exactly, in the server's form: "-0.375", or "5e-400" if an exponent is shorter. */
export function dyadicText(m, k) {
  let [odd, places] = [m, k];
  while (places > 0 && odd % 2n === 0n) [odd, places] = [odd / 2n, places - 1];
  return decimalText(odd * 5n ** BigInt(places), places);
}

/** Write any number exactly, in the server's form for URLs: a decimal if it is finite, otherwise "1r3". */
export function spelled({ p, q }) {
  const common = divisor(p < 0n ? -p : p, q);
  const [top, bottom] = [p / common, q / common];
  let [rest, places] = [bottom, 0];
  for (const factor of [2n, 5n]) {
    let times = 0;
    while (rest % factor === 0n) [rest, times] = [rest / factor, times + 1];
    places = Math.max(places, times);
  }
  return rest === 1n ? decimalText((top * 10n ** BigInt(places)) / bottom, places) : `${top}r${bottom}`;
}

/** @param {bigint} a @param {bigint} b @returns {bigint} */
const divisor = (a, b) => (b === 0n ? a : divisor(b, a % b));

/** Write value / 10^places; its last digit is not 0 unless `places` is 0. @param {bigint} value @param {number} places */
function decimalText(value, places) {
  if (value === 0n) return "0";
  const sign = value < 0n ? "-" : "";
  const digits = (value < 0n ? -value : value).toString();
  if (places > digits.length + 5) {
    const point = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits[0]}${point}e-${places - digits.length + 1}`;
  }
  const padded = digits.padStart(places + 1, "0");
  return places === 0 ? sign + padded : `${sign}${padded.slice(0, -places)}.${padded.slice(-places)}`;
}

/** Multiply by a power of ten. */
function shifted(value, power) {
  const factor = rational(10n ** BigInt(Math.abs(power)));
  return power >= 0 ? multiply(value, factor) : divide(value, factor);
}
