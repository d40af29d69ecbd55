/** The words on the page: where we are, what is under the pointer, what is going on, and what went wrong. */

import { CAPPED, NONE, PROVEN, UNKNOWN } from "../data/encoding.js";
import { placeOf } from "./permalink.js";
import { coordinate, count, length, magnification, percent, significant } from "./words.js";

/** The element of an id. @returns {any} an HTMLElement of the kind that index.html says */
export const element = (id) => document.getElementById(id);

/** Have an element say something; to say the same again would cost a layout. */
function say(id, text) {
  const box = element(id);
  if (box.textContent !== text) box.textContent = text;
}

const SPARE_DIGITS = 6;
const UNPROVEN = 0.01; // a share of pixels worth a word
const SLOW_MS = 3000;
let hidden; // timer of the notice

/** Say something in passing; an empty text clears it. */
export function notice(text, seconds = 6) {
  const box = element("notice");
  box.textContent = text;
  box.hidden = text === "";
  clearTimeout(hidden);
  if (text && Number.isFinite(seconds)) hidden = setTimeout(() => notice(""), 1000 * seconds);
}

/** Say what the server is computing, and why where it takes long. */
export function showBusy({ tiles, level, canvas, moving, progress: { done, all } }) {
  const box = element("busy");
  const missing = tiles.missing;
  box.hidden = missing === 0 || moving;
  if (box.hidden) return;
  const improving = canvas.dataset.state === "loading" && tiles.improving === missing;
  const what = done < all ? `tile ${done + 1} of ${all}` : `${missing} ${missing === 1 ? "tile" : "tiles"}`;
  const depth = level.maxiter > 2000 ? `, up to ${count(level.maxiter)} iterations a pixel` : "";
  const slow =
    tiles.waited > SLOW_MS && tiles.size.tiles === 0 ? "; a server's first tiles may have to be compiled" : "";
  say("busy", improving ? `refining ${what}` : `computing ${what}${depth}${slow}`);
}

/** Show the place: middle, width, magnification, and how far iterations go. */
export function showPlace({ view, source, level, canvas }) {
  const { re, im, width, digits } = placeOf(view, source, canvas);
  const plane = source.toPlane(view.middle) !== null;
  const shown = plane ? Math.max(2, digits - SPARE_DIGITS) : 0; // to a pixel
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

/** Show the pixel under the pointer, and its distance to the set where that is known; or clear it. */
export function showPixel(pixel, style, distance) {
  say("value", pixel ? describe(pixel, style) : "–");
  say("distance", distance ? `· distance ${length(distance.plane)} (${significant(distance.pixels)} pixels)` : "");
}

function describe({ fixed, value, level, tile, linear }, { linear: other }) {
  if (fixed === NONE) return "not computed yet";
  if (fixed === CAPPED) return `no escape within ${count(level.maxiter)}`;
  if (fixed === UNKNOWN) return "inside, as far as is known";
  if (fixed >= PROVEN) return `inside, period ${count(fixed - PROVEN)}`;
  if (other) return `${percent(linear)} of the range`;
  return `escapes after ${tile.smooth ? value.toFixed(value > 1e5 ? 1 : 2) : count(Math.floor(value))}`;
}

/** Say how many pixels reached the cap without a proof, and offer more iterations. */
export function showShares({ capped }) {
  const box = element("capped");
  box.hidden = !(capped > UNPROVEN);
  if (box.hidden) return;
  element("share-capped").textContent = `${percent(capped)} of the pixels reached that.`;
}

/**
 * Copy to the clipboard and say so; without a clipboard (plain http to another host) show the text instead.
 * An API key in the text is said to be there: people share links.
 */
export async function copy(text, what) {
  const secret = /\/key\/[^/]|[?&]api_key=[^&]/.test(text);
  try {
    await navigator.clipboard.writeText(text);
    if (secret) notice(`${what} copied, with your API key in it: it is only for people who may have the key.`, 8);
    else notice(`${what} copied.`, 2);
  } catch {
    notice(text, 30);
  }
}

/** Fill a <select>; a choice of one is not shown. */
export function choices(id, names, chosen) {
  const select = element(id);
  select.replaceChildren(...names.map((name) => new Option(name, name, name === chosen, name === chosen)));
  select.closest("label").hidden = names.length < 2;
}
