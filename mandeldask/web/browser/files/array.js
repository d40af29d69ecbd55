/** The page of an array: shown as an image, a line, text, or one value, depending on its shape and dtype. */

import { element } from "./dom.js";
import { firstLimits, mapOf } from "./limits.js";
import { ImageView } from "./image.js";
import { listen } from "./gestures.js";
import { showLine } from "./line.js";
import { fillPanel } from "./panel.js";
import * as permalink from "./permalink.js";
import { showRows } from "./rows.js";
import { lengthWords, scaleBar } from "./scalebar.js";
import { openArray, openImage, readRow, worded } from "./source.js";

/**
 * Show the array that a page is about.
 *
 * @param {HTMLElement} place element for the array, with the server's data about it
 * @param {object} server source of the data
 * @param {object} state the state in the link, as for `showPage`
 */
export function showArray(place, server, state) {
  const notice = element("p", { class: "notice", role: "status", hidden: true });
  const failed = (message) => {
    notice.textContent = message;
    notice.hidden = false;
    place.dataset.state = "failed";
  };
  place.append(notice);
  show({ place, server, state, failed }).catch((error) => failed(error.message));
}

async function show(page) {
  const { place, server, state, failed } = page;
  const { zarr, kind, type, name } = place.dataset;
  if (kind === "image") return await showImage(page);
  if (kind === "array") return failed(`This page does not draw arrays of ${type}.`);
  const array = await openArray(server, zarr);
  if (kind === "value") return await showValue(place, array);
  if (array.dims.length > 1)
    return failed(`This page does not draw arrays of ${type} with ${array.dims.length} dimensions.`);
  if (kind === "column") return await showLine(place, array, state, failed);
  return await showRows(place, server, state, [[name, zarr]], array.shape[0]);
}

async function showValue(place, array) {
  const [value] = await readRow(array, 0, 1);
  place.append(element("p", { class: "value" }, worded(value, array.attrs)));
  place.dataset.state = "idle";
}

async function showImage({ place, server, state, failed }) {
  const { zarr, levels } = place.dataset;
  const picture = await openImage(server, zarr, levels);
  const look = await firstLook(picture, permalink.partIn(state.read(), picture));
  const canvas = element("canvas", {
    tabindex: 0,
    role: "application",
    "aria-label":
      "The image. Arrow keys move, plus and minus zoom, 0 shows all of it, 1 shows every element as a pixel.",
  });
  const readout = element("p", { class: "readout", role: "status", "aria-live": "off" });
  const bar = element("p", { class: "scalebar", "aria-hidden": "true" });
  const controls = element("form", { class: "panel", "aria-label": "How it is drawn" });
  controls.addEventListener("submit", (event) => event.preventDefault());
  place.append(element("div", { class: "stage" }, canvas, readout, bar, zoomButtons()), controls);
  const along = await coordinates(picture, place, server);
  const wordedAt = (axis, index) => (along[axis] ? worded(along[axis].values[index], along[axis].attrs) : `${index}`);

  let pointer;
  let panel;
  const view = new ImageView(canvas, picture, look, {
    failed,
    drawn: () => {
      readout.textContent = words(view, pointer, wordedAt);
      drawBar(bar, view, along);
      if (canvas.dataset.state === "idle") panel?.refresh();
      place.dataset.state = canvas.dataset.state;
    },
  });
  permalink.read(state.read(), view);
  let timer;
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(() => state.write(permalink.written(view)), 150);
  };
  panel = fillPanel(controls, view, wordedAt, changed);
  listen(canvas, view, {
    changed,
    pointed: (at) => {
      pointer = at;
      readout.textContent = words(view, pointer, wordedAt);
    },
  });
  state.listen(() => {
    permalink.read(state.read(), view);
    panel = fillPanel(controls, view, wordedAt, changed);
  });
  for (const button of place.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      if (button.dataset.zoom === "0") view.viewport.fit();
      else view.viewport.zoom(Number(button.dataset.zoom));
      view.redraw();
      changed();
    });
  }
}

const zoomButtons = () =>
  element(
    "div",
    { class: "zoom", role: "group", "aria-label": "Zoom" },
    element("button", { type: "button", "data-zoom": "2", "aria-label": "Zoom in", title: "Zoom in (+)" }, "+"),
    element("button", { type: "button", "data-zoom": "0.5", "aria-label": "Zoom out", title: "Zoom out (−)" }, "−"),
    element(
      "button",
      { type: "button", "data-zoom": "0", "aria-label": "Show all of it", title: "All of it (0)" },
      "⌂",
    ),
  );

/** The initial look of an image: from OME-Zarr's metadata of its channels, otherwise from its coarsest level. */
async function firstLook(picture, part) {
  const at = picture.shape.map((size, axis) =>
    picture.others.includes(axis) && /^(z|depth|lev)/i.test(picture.dims[axis]) ? Math.floor(size / 2) : 0,
  );
  const flags = Object.keys(picture.attrs).some((name) => name.startsWith("flag_"));
  const mode = picture.channels > 1 ? "channels" : flags ? "labels" : "map";
  const said = picture.omero?.length === picture.channels && !picture.elements ? picture.omero : undefined;
  const channels = [];
  for (let index = 0; index < picture.channels; index++) {
    const { label, color, active, window: limits } = said?.[index] ?? {};
    const alpha = said ? label === "alpha" : picture.rgba && index === 3;
    const found = limits ? { low: limits.start, high: limits.end } : await firstLimits(picture, at, index, part);
    const colour = color && picture.channels > 1 ? color : (["FF0000", "00FF00", "0000FF"][index] ?? "FFFFFF");
    channels.push({
      label: label ?? (alpha ? "alpha" : `Channel ${index}`),
      color: colour,
      active: alpha || (active ?? true),
      alpha,
      low: found.low,
      high: found.high,
      map: mapOf(picture, part),
      inverted: false,
    });
  }
  return { at, mode, channels, part };
}

/** Coordinates along each axis, if an array of the same group has them. */
async function coordinates(picture, place, server) {
  const { zarr } = place.dataset;
  const known = new Set((place.dataset.coordinates ?? "").split(" ").map(decodeURIComponent)); // names of arrays in its group
  const beside = zarr.replace(/[^/]+\/?$/, "");
  return await Promise.all(
    picture.dims.map(async (dim, axis) => {
      if (!known.has(dim) || picture.shape[axis] > 100_000) return undefined;
      try {
        const array = await openArray(server, `${beside}${encodeURIComponent(dim)}`);
        if (array.shape.length !== 1 || array.shape[0] !== picture.shape[axis]) return undefined;
        return { values: await readRow(array, 0, array.shape[0]), attrs: array.attrs };
      } catch {
        return undefined;
      }
    }),
  );
}

/** The text about the elements under the pointer. */
function words(view, pointer, wordedAt) {
  const { picture, viewport, look } = view;
  const percent = `${Number((viewport.scale * 100).toPrecision(3))} %`;
  const found = pointer && view.valuesAt(viewport.element(pointer));
  if (!found) return `${picture.width.toLocaleString("en")} × ${picture.height.toLocaleString("en")} · ${percent}`;
  const [rows, columns] = picture.space;
  const where = [
    [rows, found.row],
    [columns, found.column],
  ].map(([axis, index]) => {
    const said = wordedAt(axis, index);
    const { value, unit } = picture.position(axis, index);
    const placed = said === String(index) && unit ? lengthWords(value, unit) : said;
    return `${picture.dims[axis]} ${placed}`;
  });
  const units = picture.attrs.units && !/ since /.test(picture.attrs.units) ? ` ${picture.attrs.units}` : "";
  const values = found.values.map(
    (value) => worded(value, picture.attrs) + (worded(value, picture.attrs) === "missing" ? "" : units),
  );
  const coarse = found.level > 0 ? ` (of ${picture.scales[found.level].join(" × ")} elements)` : "";
  return `${where.join(", ")} · ${values.length ? values.join(", ") + coarse : "…"} · ${percent}${look.mode === "labels" ? " · label" : ""}`;
}

function drawBar(bar, { picture, viewport, canvas }, along) {
  const axis = picture.space[1];
  const unit = along[axis] ? along[axis].attrs.units?.replace(/^degrees?_.*/, "degree") : picture.axes[axis]?.unit;
  const [first, second] = along[axis]?.values ?? [];
  const step =
    along[axis] && typeof first === "number" ? Math.abs(second - first) : unit ? Math.abs(picture.steps[axis]) : 1;
  const ratio = canvas.width / canvas.clientWidth;
  const found = scaleBar((step / viewport.scale) * ratio);
  bar.hidden = !found;
  if (!found) return;
  bar.style.setProperty("--length", `${found.pixels}px`);
  bar.textContent = lengthWords(found.length, unit ?? "");
}
