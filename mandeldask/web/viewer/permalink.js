/** The place in the URL's hash: `#re=-0.75&im=0.1&level=12.5&palette=ember&field=iterations`, digits as many as it takes. */

import { add, divide, floor, multiply, parse, rational, subtract, toFixed } from "./rationals.js";
import { View } from "./view.js";

const FINE = 1n << 16n; // a View's unit to a level-0 pixel

/** Exact plane point in the middle of the view. */
export function middle(view, pyramid) {
  const { re, im, spacing } = pyramid.place;
  const along = (fixed) => multiply(rational(fixed, FINE), spacing);
  return { re: add(re, along(view.x)), im: subtract(im, along(view.y)) };
}

/** The view with an exact plane point in the middle. */
export function viewAt({ re, im }, scale, pyramid) {
  const { place } = pyramid;
  const pixels = (distance) => floor(multiply(divide(distance, place.spacing), rational(FINE)));
  return new View(pixels(subtract(re, place.re)), pixels(subtract(place.im, im)), scale);
}

/** Write a view and what is shown as a hash. */
export function toHash(view, pyramid, shown) {
  const { re, im } = middle(view, pyramid);
  const places = pyramid.places(view.scale);
  const level = String(Number(view.scale.toFixed(3)));
  return `#${new URLSearchParams({ re: toFixed(re, places), im: toFixed(im, places), level, ...shown })}`;
}

/** Read a hash: {view, shown}; view is null where the hash names no place. */
export function fromHash(hash, pyramid) {
  const { re, im, level, ...shown } = Object.fromEntries(new URLSearchParams(hash.slice(1)));
  if (re === undefined || im === undefined) return { view: null, shown };
  const scale = Number(level);
  if (!Number.isFinite(scale) || level === undefined) throw new Error("The link does not say which level to show.");
  return { view: viewAt({ re: parse(re), im: parse(im) }, scale, pyramid), shown };
}
