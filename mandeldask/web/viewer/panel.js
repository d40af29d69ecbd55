/** The words on the page: where we are, what is under the pointer, and what went wrong. */

import { middle } from "./permalink.js";
import { multiply, rational, toFixed, toScientific } from "./rationals.js";

const element = (id) => document.getElementById(id);
let hidden; // timer of the notice

/** Say something in passing; an empty text clears it. */
export function notice(text, seconds = 6) {
  const box = element("notice");
  box.textContent = text;
  box.hidden = text === "";
  clearTimeout(hidden);
  if (text && Number.isFinite(seconds)) hidden = setTimeout(() => notice(""), 1000 * seconds);
}

/** Say how many tiles are still being computed; 0 clears it. */
export function showBusy(missing) {
  element("busy").hidden = missing === 0;
  element("busy").textContent = missing === 1 ? "computing 1 tile" : `computing ${missing} tiles`;
}

/** Show the place: level, middle, spacing. */
export function showPlace(view, level, pyramid) {
  const { re, im } = middle(view, pyramid);
  const places = pyramid.places(view.scale);
  const spacing = multiply(pyramid.place.spacing, rational(level.factor));
  element("level").textContent = level.number;
  element("deepest").textContent = `of ${pyramid.paths.length - 1}–0`;
  element("scale").textContent = magnification(view.scale - Math.log2(Number(level.factor)));
  element("size").textContent = `${power(level.shape[1])} × ${power(level.shape[0])} pixels`;
  element("re").textContent = signed(toFixed(re, places));
  element("im").textContent = `${signed(toFixed(im, places))} i`;
  element("spacing").textContent = toScientific(spacing, 4);
  element("depth").value = pyramid.paths.length - 1 - level.number;
  element("depth").setAttribute("aria-valuetext", `level ${level.number}`);
}

/** Show the pixel under the pointer, or clear it. */
export function showPixel(pixel) {
  element("pixel").textContent = pixel ? `row ${pixel.row}, col ${pixel.col}` : "–";
  element("value").textContent = pixel ? describe(pixel) : "–";
}

/** Python that computes what is on the screen. */
export function python(view, pyramid, level, canvas) {
  const { re, im } = middle(view, pyramid);
  const places = pyramid.places(view.scale);
  const spacing = multiply(pyramid.place.spacing, rational(level.factor));
  const width = toScientific(multiply(spacing, rational(canvas.width)), 12);
  const center = `${toFixed(re, places)}${im.p < 0n ? "" : "+"}${toFixed(im, places)}j`;
  const maxiter = level.maxiter === undefined ? "" : `, maxiter=${level.maxiter}`;
  return [
    "import mandeldask as md",
    "",
    `ds = md.window("${center}", "${width}", (${canvas.height}, ${canvas.width})${maxiter})`,
    "md.render(ds.iterations)",
  ].join("\n");
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
  select.parentElement.hidden = names.length < 2;
}

function describe({ value, inside, field }) {
  if (value === undefined) return "not computed yet";
  if (Number.isNaN(value) || value >= inside) return field === "iterations" ? `${value}: no escape seen` : "inside";
  return field === "iterations" ? `escapes after ${value}` : value.toPrecision(7);
}

function magnification(scale) {
  if (Math.abs(scale) < 0.005) return "1 : 1";
  return scale < 0 ? `${(2 ** -scale).toFixed(2)} : 1` : `1 : ${(2 ** scale).toFixed(2)}`;
}

function power(pixels) {
  const exponent = Math.log2(pixels);
  return Number.isInteger(exponent) && exponent > 13 ? `2${superscript(exponent)}` : pixels.toLocaleString("en");
}

const superscript = (number) => [...String(number)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
const signed = (text) => (text.startsWith("-") ? `−${text.slice(1)}` : `+${text}`);
