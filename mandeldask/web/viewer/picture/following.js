/** The contrast of what is shown: it follows the view over some frames, so that nothing flashes. It uses no canvas. */

import { alike, between, contrastOf, sampled } from "./contrast.js";

const FADE_MS = 350; // duration of a change of contrast
const SAMPLES = 12; // samples along each side of a tile
const SAME = 0.002; // contrasts that differ less than this look the same
const SIMILAR = 0.1; // a smaller change of contrast waits for the last tile
const FLAT = { low: 0, knee: 256, span: 8, cdf: new Float32Array(256).map((_, at) => at / 255) };

export class Following {
  #change = null; // {from, to, start, now}
  #fitting = null; // {values, contrast} of the last picture
  changing = false; // whether the next frame has another contrast

  /** @param {boolean} still whether there are no animations */
  constructor(still) {
    this.still = still;
  }

  /**
   * The contrast of a picture.
   *
   * @param {Uint32Array} values result of `sample`
   * @param {boolean} linear whether the values are no escape times
   * @param {number} now
   * @param {{settled: boolean, jumps: boolean}} how whether no better picture follows; whether it changes at once
   */
  contrast(values, linear, now, how) {
    const { settled, jumps } = how;
    const before = this.#change;
    const wanted = this.#wanted(values, linear) ?? before?.to ?? FLAT;
    if (!before || (this.still && settled)) this.#change = { from: wanted, to: wanted, start: now };
    else if (!alike(before.to, wanted, settled ? SAME : SIMILAR))
      this.#change = { from: this.still ? wanted : before.now, to: wanted, start: now };
    const { from, to, start } = this.#change;
    const part = from === to || jumps ? 1 : Math.min(1, (now - start) / FADE_MS);
    this.#change.now = between(from, to, part);
    this.changing = part < 1;
    return this.#change.now;
  }

  /** The contrast that fits the picture; the same object as long as the picture is the same. */
  #wanted(values, linear) {
    const known = this.#fitting;
    if (known?.values.length === values.length && values.every((value, at) => value === known.values[at]))
      return known.contrast;
    this.#fitting = { values, contrast: contrastOf(values, linear) };
    return this.#fitting.contrast;
  }
}

/** An evenly spaced sample of the visible values of a drawing, as in `scene.drawing`. */
export function sample(drawn, screen) {
  const values = new Uint32Array(drawn.length * SAMPLES ** 2);
  let at = 0;
  for (const { tile, box } of drawn) {
    const part = visible(box, tile, screen);
    if (part) at = sampled(tile, part, SAMPLES, values, at);
  }
  return values.subarray(0, at);
}

/** The visible part of a tile, in its pixels, on a screen that shows it in a box; null if there is none. */
function visible({ left, top, width, height }, tile, screen) {
  const [across, down] = [tile.width / width, tile.height / height];
  const part = {
    left: Math.max(0, -left) * across,
    top: Math.max(0, -top) * down,
    right: Math.min(width, screen.width - left) * across,
    bottom: Math.min(height, screen.height - top) * down,
  };
  return part.left < part.right && part.top < part.bottom ? part : null;
}
