/** A scale bar. */

const LENGTHS = [1, 2, 5];

/** The longest round length of at most `most` pixels, from the length of a pixel. */
export function scaleBar(perPixel, most = 140) {
  if (!(perPixel > 0) || !Number.isFinite(perPixel)) return undefined;
  const whole = perPixel * most;
  const power = 10 ** Math.floor(Math.log10(whole));
  const length = LENGTHS.map((digit) => digit * power)
    .filter((each) => each <= whole * 1.0001)
    .at(-1);
  return { length, pixels: length / perPixel };
}

const SHORT = {
  micrometer: "µm",
  nanometer: "nm",
  millimeter: "mm",
  centimeter: "cm",
  meter: "m",
  kilometer: "km",
  angstrom: "Å",
  degree: "°",
};

/** A length with its unit. */
export const lengthWords = (length, unit) =>
  `${Number(length.toPrecision(6)).toLocaleString("en")} ${SHORT[unit] ?? (unit || "px")}`;
