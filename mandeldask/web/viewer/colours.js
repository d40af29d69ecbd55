/**
 * Colours of values: a cyclic palette, turned by the fourth root of the value so that near and deep levels both show
 * bands of like width. Only square roots and additions, which IEEE 754 rounds alike everywhere: `mandeldask.picture`
 * computes the very same colours.
 */

const STEPS = 1024;
const PER_TURN = 2; // the fourth root of (count + 1) grows by 2 in a turn: counts 0 to 80, 80 to 624, ...

/** Palette names and their colours; the last one leads back to the first. */
export async function loadPalettes() {
  const response = await fetch(new URL("palettes.json", import.meta.url));
  if (!response.ok) throw new Error("The server does not have the palettes of this page.");
  return await response.json();
}

/**
 * Prepare a palette.
 *
 * @param {string[]} anchors colours "#rrggbb"
 * @returns {Uint32Array} 1024 colours, as ImageData lays out its bytes
 */
export function palette(anchors) {
  const colours = anchors.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const bytes = new Uint8ClampedArray(4 * STEPS);
  for (let step = 0; step < STEPS; step++) {
    const [before, part] = split((step * colours.length) / STEPS);
    const [from, to] = [colours[before], colours[(before + 1) % colours.length]];
    for (let band = 0; band < 3; band++) {
      bytes[4 * step + band] = Math.floor(from[band] + (to[band] - from[band]) * part + 0.5);
    }
    bytes[4 * step + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}

/**
 * Paint the values of a tile.
 *
 * @param {ArrayLike<number>} values row by row
 * @param {number} width of a row
 * @param {Uint32Array} colours of `palette`
 * @param {{inside: number, unit: number}} scale `inside` and above, and NaN, are black; values count in `unit`
 * @returns {OffscreenCanvas}
 */
export function paint(values, width, colours, { inside, unit }) {
  const image = new ImageData(width, values.length / width);
  const pixels = new Uint32Array(image.data.buffer);
  const black = new Uint32Array(new Uint8Array([0, 0, 0, 255]).buffer)[0];
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    pixels[at] = value < inside ? colours[step(value / unit)] : black; // false for NaN too
  }
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function step(value) {
  return Math.floor((Math.sqrt(Math.sqrt(value + 1)) - 1) * (STEPS / PER_TURN)) & (STEPS - 1);
}

function split(position) {
  const whole = Math.floor(position);
  return [whole, position - whole];
}
