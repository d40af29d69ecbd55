/**
 * Exact rational numbers {p, q}: BigInt numerator, BigInt denominator > 0.
 *
 * A float holds neither a pixel of a level 2^59 wide nor a width of 1e-1000, so positions never pass through one.
 */

export const rational = (p, q = 1n) => ({ p: BigInt(p), q: BigInt(q) });
export const add = (a, b) => ({ p: a.p * b.q + b.p * a.q, q: a.q * b.q });
export const subtract = (a, b) => add(a, { p: -b.p, q: b.q });
export const multiply = (a, b) => ({ p: a.p * b.p, q: a.q * b.q });
export const divide = (a, b) => (b.p < 0n ? { p: -a.p * b.q, q: -a.q * b.p } : { p: a.p * b.q, q: a.q * b.p });

/** Greatest integer not above p / q. */
export const floor = ({ p, q }) => (p >= 0n ? p / q : -((-p + q - 1n) / q));

/** Integer nearest to p / q; a tie goes up. */
export const round = ({ p, q }) => floor({ p: 2n * p + q, q: 2n * q });

/** Read "0.25", "-1e-300" or "1/3". */
export function parse(text) {
  const ratio = /^([+-]?\d+)\/(\d+)$/.exec(text);
  if (ratio && BigInt(ratio[2]) > 0n) return rational(ratio[1], ratio[2]);
  const decimal = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d{1,6}))?$/i.exec(text);
  if (!decimal || decimal[2] + decimal[3] === "") throw new Error(`“${text}” is not a number`);
  const [, sign, whole, tail, exponent = "0"] = decimal;
  const places = Number(exponent) - tail.length;
  const digits = BigInt(sign + whole + tail);
  return places >= 0 ? rational(digits * 10n ** BigInt(places)) : rational(digits, 10n ** BigInt(-places));
}

/** Read a point "re+imj" as {re, im}. */
export function parsePoint(text) {
  const number = String.raw`(?:\d+\/\d+|\d*\.?\d*(?:e[+-]?\d+)?)`;
  const parts = new RegExp(`^([+-]?${number})(?:([+-]${number})[ij])?$`, "i").exec(text);
  if (!parts) throw new Error(`“${text}” is not a point of the plane`);
  return { re: parse(parts[1]), im: parse(parts[2] ?? "0") };
}

/** Power of ten of the leading digit: floor(log10(|value|)), value not 0. */
export function magnitude({ p, q }) {
  const size = p < 0n ? -p : p;
  const guess = size.toString().length - q.toString().length;
  const reaches = guess >= 0 ? size >= q * 10n ** BigInt(guess) : size * 10n ** BigInt(-guess) >= q;
  return reaches ? guess : guess - 1;
}

/** Write with `places` decimals, rounded to nearest. */
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

/** Times a power of ten. */
function shifted(value, power) {
  const factor = rational(10n ** BigInt(Math.abs(power)));
  return power >= 0 ? multiply(value, factor) : divide(value, factor);
}
