/** Convert numbers to colours: contrast limits, colour maps, additive channels, labels. */

import { MAPS } from "./maps.js";

const tables = new Map();

/** A colour map as 256 colours of three bytes. */
export function table(name) {
  if (!tables.has(name)) {
    const digits = MAPS[name] ?? MAPS.gray;
    tables.set(
      name,
      Uint8Array.from({ length: 768 }, (_, at) => Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16)),
    );
  }
  return tables.get(name);
}

/** Index of a value in 256 steps from `low` to `high`, as in matplotlib's Normalize and colour maps. */
const step = (value, low, factor) => {
  const place = Math.floor((value - low) * factor);
  return place < 0 ? 0 : place > 255 ? 255 : place;
};

const factorOf = (low, high) => 256 / (high > low ? high - low : 1);

/** Draw one channel through a colour map. Missing values stay transparent. */
export function paintMap(pixels, values, { low, high, map, missing, inverted = false }) {
  const colours = table(map);
  const factor = factorOf(low, high);
  for (let at = 0, to = 0; at < values.length; at++, to += 4) {
    const value = values[at];
    if (Number.isNaN(value) || value === missing) continue;
    const place = step(value, low, factor);
    const from = 3 * (inverted ? 255 - place : place);
    pixels[to] = colours[from];
    pixels[to + 1] = colours[from + 1];
    pixels[to + 2] = colours[from + 2];
    pixels[to + 3] = 255;
  }
}

/** Add one channel, in its colour, to the pixels. */
export function paintChannel(pixels, values, { low, high, color, missing }) {
  const [red, green, blue] = [0, 2, 4].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255);
  const factor = factorOf(low, high);
  for (let at = 0, to = 0; at < values.length; at++, to += 4) {
    const value = values[at];
    if (Number.isNaN(value) || value === missing) continue;
    const light = step(value, low, factor);
    pixels[to] += light * red; // pixels are clamped and rounded
    pixels[to + 1] += light * green;
    pixels[to + 2] += light * blue;
    pixels[to + 3] = 255;
  }
}

/** Set the opacity of the pixels from a channel. */
export function paintAlpha(pixels, values, { low, high }) {
  const factor = factorOf(low, high);
  for (let at = 0; at < values.length; at++) pixels[4 * at + 3] = step(values[at], low, factor);
}

/** Draw labels: every number has its own colour, and 0 has none. */
export function paintLabels(pixels, values, { missing }) {
  for (let at = 0, to = 0; at < values.length; at++, to += 4) {
    const value = values[at];
    if (Number.isNaN(value) || value === missing || value === 0) continue;
    const [red, green, blue] = labelColour(value);
    pixels[to] = red;
    pixels[to + 1] = green;
    pixels[to + 2] = blue;
    pixels[to + 3] = 255;
  }
}

const known = new Map();

/** The colour of a label: hues are spaced by the golden ratio, so that consecutive labels differ. */
export function labelColour(label) {
  let colour = known.get(label);
  if (!colour) {
    const hue = (((label * 0.6180339887498949) % 1) + 1) % 1;
    const light = 0.55 + 0.13 * (Math.abs(label) % 3);
    colour = [0, 8, 4].map((shift) => {
      const place = (shift + hue * 12) % 12;
      const value = light - 0.62 * Math.min(light, 1 - light) * Math.max(-1, Math.min(place - 3, 9 - place, 1));
      return Math.round(255 * value);
    });
    if (known.size < 100_000) known.set(label, colour);
  }
  return colour;
}

/** Limits without the lowest and highest `share` of the values, and limits of all values. */
export function limitsOf(samples, share = 0.005) {
  const sorted = Float64Array.from(samples).sort();
  if (!sorted.length) return { low: 0, high: 1, least: 0, most: 1 };
  const at = (part) => sorted[Math.round(part * (sorted.length - 1))];
  const [low, high] = [at(share), at(1 - share)];
  return { low, high: high > low ? high : low + 1, least: sorted[0], most: sorted.at(-1) };
}

/** At most `most` finite values of some tiles. */
export function samplesOf(tiles, missing, most = 50_000) {
  const total = tiles.reduce((sum, tile) => sum + tile.values.length, 0);
  const stride = Math.max(1, Math.ceil(total / most));
  const samples = [];
  for (const { values } of tiles)
    for (let at = 0; at < values.length; at += stride)
      if (Number.isFinite(values[at]) && values[at] !== missing) samples.push(values[at]);
  return samples;
}
