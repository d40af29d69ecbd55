/** Read places: coordinates, links of this page and of other programs, and their location files. */

import { divide, multiply, parse, parsePoint, powerOfTwo, rational } from "../numbers/rationals.js";

const WHOLE = rational(4n); // width in plane units of other programs at a magnification of 1

/**
 * Read a place.
 *
 * @param {string} text "-0.75+0.1i", "-0.75, 0.1", "... width 1e-20", "#re=...&im=...", a URL, or a .kfr or .toml file
 * @returns {{re, im, width, hash?: string}} rationals; width is null if the text has none; `hash` for links of this page
 * @throws {Error} with a message to display
 */
export function readPlace(text) {
  const written = text.trim();
  const own = /#(.*\bre=.*)$/s.exec(written);
  if (own) return { ...named(new URLSearchParams(own[1])), hash: `#${own[1]}` };
  const query = /\?(.*\bre=.*)$/s.exec(written);
  if (query) return named(new URLSearchParams(query[1]));
  return fromFile(written) ?? fromWords(written);
}

/** Values by the names that programs use for them. */
function named(values) {
  const first = (...names) => names.map((name) => values.get(name)).find((value) => value != null);
  const [re, im] = [first("re", "real", "x"), first("im", "imag", "y")];
  if (re === undefined || im === undefined) throw new Error("This link contains no point: it needs re and im.");
  const width = first("width", "w");
  const zoom = first("zoom", "magnification");
  const power = first("z"); // power of two, as in web maps
  return {
    re: parse(re),
    im: parse(im),
    width: width
      ? parse(width)
      : zoom
        ? byZoom(zoom)
        : power
          ? divide(WHOLE, powerOfTwo(Math.round(Number(power)) || 0))
          : null,
  };
}

/** Kalles Fraktaler's .kfr ("Re: ...") and Fraktaler-3's .toml ('location.real = "..."'). */
function fromFile(text) {
  const value = (...names) => {
    const found = new RegExp(`^\\s*(?:${names.join("|")})\\s*[:=]\\s*"?([^"\\r\\n]+)"?\\s*$`, "im").exec(text);
    return found?.[1].trim();
  };
  const [re, im] = [value("re", "location\\.real", "real"), value("im", "location\\.imag", "imag")];
  if (re === undefined || im === undefined) return null;
  const zoom = value("zoom", "location\\.zoom");
  const width = value("width");
  return { re: parse(re), im: parse(im), width: width ? parse(width) : zoom ? byZoom(zoom) : null };
}

function fromWords(text) {
  const tail = /[\s,;]+(width|w|zoom)[\s=:]*(\S+)$/i.exec(text);
  const point = (tail ? text.slice(0, tail.index) : text).trim();
  const pair = /^([^\s,;ij]+)[\s,;]+([^\s,;ij]+)[ij]?$/i.exec(point);
  const { re, im } = pair ? { re: parse(pair[1]), im: parse(pair[2]) } : parsePoint(point);
  if (!tail) return { re, im, width: null };
  return { re, im, width: tail[1].toLowerCase() === "zoom" ? byZoom(tail[2]) : parse(tail[2]) };
}

function byZoom(text) {
  const zoom = parse(text);
  if (zoom.p <= 0n) throw new Error(`A magnification of ${text} is not possible.`);
  return multiply(WHOLE, divide(rational(1n), zoom));
}
