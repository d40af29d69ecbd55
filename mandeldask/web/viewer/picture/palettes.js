/** Palettes: rings of colours, without a visible seam. */

export const STEPS = 1024;

/** Palette names and their colours; the last one leads back to the first. @returns {Promise<Record<string, string[]>>} */
export async function loadPalettes() {
  const response = await fetch(new URL("../palettes.json", import.meta.url));
  if (!response.ok) throw new Error("The server does not have the palettes of this page.");
  return await response.json();
}

/**
 * The colours of a palette, the same as in `mandeldask.picture`.
 *
 * @param {string[]} anchors colours "#rrggbb"
 * @returns {Uint8Array} red, green, blue and 255 of STEPS colours
 */
export function ring(anchors) {
  const colours = anchors.map((hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));
  const bytes = new Uint8Array(4 * STEPS).fill(255);
  for (let step = 0; step < STEPS; step++) {
    const position = (step * colours.length) / STEPS;
    const before = Math.floor(position);
    const [from, to] = [colours[before], colours[(before + 1) % colours.length]];
    for (let band = 0; band < 3; band++) {
      bytes[4 * step + band] = Math.floor(from[band] + (to[band] - from[band]) * (position - before) + 0.5);
    }
  }
  return bytes;
}
