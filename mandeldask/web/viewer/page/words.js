/** Numbers as text to display. */

import { magnitude, multiply, rational, toFixed, toScientific } from "../numbers/rationals.js";

const MINUS = "−";
const SHOWN = 13; // digits shown at each end of a coordinate that is too long

/** "−0.743643887…" with a minus sign; the middle of long ones is omitted. */
export function coordinate(value, digits) {
  const text = toFixed(value, digits);
  const signed = text.startsWith("-") ? MINUS + text.slice(1) : `+${text}`;
  if (signed.length <= 2 * SHOWN + 4) return signed;
  return `${signed.slice(0, SHOWN)}…${signed.slice(-SHOWN)}`;
}

/** "3.4", "0.021" or "1.06 × 10⁻²⁰". */
export function length(value) {
  const power = magnitude(value);
  if (power >= -3 && power < 5) return String(Number(toScientific(value, 3)));
  const [mantissa, exponent] = toScientific(value, 3).split("e");
  return `${mantissa} × 10${superscript(exponent)}`;
}

/** Magnification relative to the whole set, "×1" to "×10²⁰". */
export function magnification(width) {
  const times = { p: 4n * width.q, q: width.p };
  const power = magnitude(times);
  if (power < 6)
    return `×${Math.max(0.1, Number(toScientific(times, 3))).toLocaleString("en", { maximumSignificantDigits: 3 })}`;
  const [mantissa, exponent] = toScientific(times, 2).split("e");
  return `×${mantissa} · 10${superscript(exponent)}`;
}

export const count = (number) => number.toLocaleString("en");

/** Three digits of a number. */
export const significant = (number) => number.toLocaleString("en", { maximumSignificantDigits: 3 });

/** A share as "0.3 %". */
export function percent(share) {
  return `${(100 * share).toLocaleString("en", { maximumSignificantDigits: 2 })} %`;
}

const superscript = (text) => [...text].map((digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)])).join("");

/** A length in plane units from the pixel spacing and a number of pixels. */
export const times = (value, factor) => multiply(value, rational(BigInt(Math.round(factor * 1000)), 1000n));
