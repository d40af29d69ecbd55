/** The texts on the page: the place, the pixel under the pointer, running computations, and errors. */

import { CAPPED, NONE, PROVEN, UNKNOWN } from "../data/encoding.js";
import { placeOf } from "./permalink.js";
import { coordinate, count, length, magnification, percent, significant } from "./words.js";

/** The element of an id. @returns {any} an HTMLElement of the type in index.html */
export const element = (id) => document.getElementById(id);

/** Set the text of an element; setting the same text again would cost a layout. */
function say(id, text) {
  const box = element(id);
  if (box.textContent !== text) box.textContent = text;
}

const SPARE_DIGITS = 6;
const UNPROVEN = 0.01; // smallest share of pixels that is reported
const SLOW_MS = 3000;
let hidden; // timer of the notice

/** Show a notice for a while; an empty text clears it. */
export function notice(text, seconds = 6) {
  const box = element("notice");
  box.textContent = text;
  box.hidden = text === "";
  clearTimeout(hidden);
  if (text && Number.isFinite(seconds)) hidden = setTimeout(() => notice(""), 1000 * seconds);
}

/** Show what the server is computing, and why it takes long. */
export function showBusy({ tiles, level, canvas, moving, progress: { done, all, sketches } }) {
  const box = element("busy");
  const missing = tiles.missing;
  box.hidden = missing === 0 || moving;
  if (box.hidden) return;
  const improving = canvas.dataset.state === "loading" && tiles.improving === missing;
  const left = done < all ? `tile ${done + 1} of ${all}` : `${missing} ${missing === 1 ? "tile" : "tiles"}`;
  const what = sketches.done < sketches.all ? `sketch ${sketches.done + 1} of ${sketches.all}` : left;
  const depth = level.maxiter > 2000 ? `, up to ${count(level.maxiter)} iterations per pixel` : "";
  const slow =
    tiles.waited > SLOW_MS && tiles.size.tiles === 0 ? "; a server may have to compile its kernels first" : "";
  say("busy", improving ? `refining ${what}` : `computing ${what}${depth}${slow}`);
}

/** Show the place: middle, width, magnification, and greatest number of iterations. */
export function showPlace({ view, source, level, canvas }) {
  const { re, im, width, digits } = placeOf(view, source, canvas);
  const plane = source.toPlane(view.middle) !== null;
  const shown = plane ? Math.max(2, digits - SPARE_DIGITS) : 0; // to pixel precision
  say("re", coordinate(re, shown));
  say("im", `${coordinate(im, shown)}${plane ? " i" : ""}`);
  say("width", length(width));
  say("magnification", plane ? magnification(width) : "");
  say("maxiter", level.maxiter ? count(level.maxiter) : "–");
  const depth = element("depth");
  depth.hidden = source.kind !== "image";
  if (source.kind === "image") showLevel(depth, level, source);
}

function showLevel(depth, { number }, { levels }) {
  depth.max = String(levels.length - 1);
  depth.value = String(levels.length - 1 - number);
  depth.setAttribute("aria-valuetext", `level ${number} of ${levels.length - 1}`);
}

/** Show the pixel under the pointer, and its distance to the set if known; or clear the text. */
export function showPixel(pixel, style, distance) {
  say("value", pixel ? describe(pixel, style) : "–");
  say("distance", distance ? `· distance ${length(distance.plane)} (${significant(distance.pixels)} pixels)` : "");
}

function describe({ fixed, value, level, tile, linear }, { linear: other }) {
  if (fixed === NONE) return "not computed yet";
  if (fixed === CAPPED) return `no escape within ${count(level.maxiter)}`;
  if (fixed === UNKNOWN) return "inside, as far as known";
  if (fixed >= PROVEN) return `inside, period ${count(fixed - PROVEN)}`;
  if (other) return `${percent(linear)} of the range`;
  return `escapes after ${tile.smooth ? value.toFixed(value > 1e5 ? 1 : 2) : count(Math.floor(value))}`;
}

/** Show how many pixels reached the cap without a proof, and offer more iterations. */
export function showShares({ capped }) {
  const box = element("capped");
  box.hidden = !(capped > UNPROVEN);
  if (box.hidden) return;
  element("share-capped").textContent = `${percent(capped)} of the pixels reached this limit.`;
}

/**
 * Copy to the clipboard and confirm it; without a clipboard (plain http to another host) show the text instead. If the
 * text contains an API key, warn the user, because links are often shared.
 */
export async function copy(text, what) {
  const secret = /\/key\/[^/]|[?&]api_key=[^&]/.test(text);
  try {
    await navigator.clipboard.writeText(text);
    if (secret) notice(`${what} copied. It contains your API key: share it only with people who may have the key.`, 8);
    else notice(`${what} copied.`, 2);
  } catch {
    notice(text, 30);
  }
}

/** Fill a <select>; it is hidden if there is only one choice. */
export function choices(id, names, chosen) {
  const select = element(id);
  select.replaceChildren(...names.map((name) => new Option(name, name, name === chosen, name === chosen)));
  select.closest("label").hidden = names.length < 2;
}
