/** An array of one dimension as a line: the whole array, or a selected part. */

import { element, labelled } from "./dom.js";
import { keep } from "./permalink.js";
import { missingValue, readNumbers, worded } from "./source.js";

const MOST = 500_000; // largest number of elements read for one picture

/** Draw `array` into `place`; `state` is the state in the link, as for `showPage`. */
export async function showLine(place, array, state, failed) {
  const length = array.shape[0];
  const canvas = element("canvas", { class: "plot", tabindex: 0, role: "img", "aria-label": "The values as a line" });
  const readout = element("p", { class: "readout", role: "status" });
  const from = element("input", { type: "number", min: 0, max: length - 1, value: 0 });
  const count = element("input", { type: "number", min: 2, max: MOST, value: Math.min(length, MOST) });
  const part =
    array.elements &&
    element("select", {}, ...array.elements.parts.map(({ name }, index) => element("option", { value: index }, name)));
  const form = element(
    "form",
    { class: "panel row", "aria-label": "What is drawn" },
    labelled("From element", from),
    labelled("Elements", count),
    part && labelled("Part", part),
  );
  place.append(element("div", { class: "stage" }, canvas, readout), form);
  const missing = missingValue(array.attrs);
  let values = /** @type {any} */ ([]); // a typed array after reading
  let start = 0;

  async function load() {
    start = Math.min(Math.max(0, Math.floor(Number(from.value) || 0)), length - 1);
    const stop = Math.min(length, start + Math.min(MOST, Math.max(2, Math.floor(Number(count.value) || 2))));
    place.dataset.state = "loading";
    try {
      values = await readNumbers(array, start, stop, Number(part?.value ?? 0));
      draw();
      place.dataset.state = "idle";
    } catch (error) {
      failed(error.message);
    }
  }

  function draw(at) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const room = { left: 64 * ratio, right: 12 * ratio, top: 14 * ratio, bottom: 28 * ratio };
    const [wide, tall] = [canvas.width - room.left - room.right, canvas.height - room.top - room.bottom];
    const { least, most } = extent(values, missing);
    const y = (value) => room.top + tall * (1 - (value - least) / (most - least || 1));
    const x = (index) => room.left + (wide * index) / Math.max(1, values.length - 1);
    context.font = `${12 * ratio}px system-ui, sans-serif`;
    context.lineWidth = ratio;
    for (const value of ticks(least, most, 5)) {
      context.strokeStyle = style.borderTopColor;
      context.fillStyle = style.color;
      context.beginPath();
      context.moveTo(room.left, y(value));
      context.lineTo(canvas.width - room.right, y(value));
      context.stroke();
      context.textAlign = "right";
      context.textBaseline = "middle";
      context.fillText(String(Number(value.toPrecision(6))), room.left - 8 * ratio, y(value));
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const index of ticks(start, start + values.length - 1, 6).filter(Number.isInteger))
      context.fillText(index.toLocaleString("en"), x(index - start), canvas.height - room.bottom + 8 * ratio);
    context.strokeStyle = style.caretColor;
    context.lineWidth = 1.5 * ratio;
    context.beginPath();
    const each = Math.max(1, Math.floor(values.length / (2 * wide)));
    let pen = false;
    for (let index = 0; index < values.length; index += each) {
      const { least: low, most: high } =
        each > 1
          ? extent(values.subarray(index, index + each), missing)
          : { least: values[index], most: values[index] };
      if (!Number.isFinite(low) || low === missing) {
        pen = false;
        continue;
      }
      if (pen) context.lineTo(x(index), y(low));
      else context.moveTo(x(index), y(low));
      if (high !== low) context.lineTo(x(index), y(high));
      pen = true;
    }
    context.stroke();
    if (at !== undefined) {
      context.fillStyle = style.caretColor;
      context.beginPath();
      context.arc(x(at), y(values[at]), 4 * ratio, 0, 7);
      context.fill();
    }
    const units = array.attrs.units && !/ since /.test(array.attrs.units) ? ` ${array.attrs.units}` : "";
    readout.textContent =
      at === undefined
        ? `${values.length.toLocaleString("en")} of ${length.toLocaleString("en")} values from ${worded(least, array.attrs)} to ${worded(most, array.attrs)}${units}`
        : `element ${(start + at).toLocaleString("en")}: ${worded(values[at], array.attrs)}${units}`;
    canvas.pointing = (clientX) => Math.round(((clientX * ratio - room.left) / wide) * (values.length - 1));
  }

  let chosen;
  canvas.addEventListener("pointermove", (event) => {
    const at = canvas.pointing?.(event.clientX - canvas.getBoundingClientRect().left);
    chosen = at >= 0 && at < values.length ? at : undefined;
    draw(chosen);
  });
  canvas.addEventListener("pointerleave", () => {
    chosen = undefined;
    draw(chosen);
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -100, PageDown: 100 }[event.key];
    if (!step) return;
    event.preventDefault();
    chosen = Math.min(values.length - 1, Math.max(0, (chosen ?? -1) + step));
    draw(chosen);
  });
  const write = keep(state, { from, count, ...(part ? { part } : {}) }, load);
  form.addEventListener("change", () => {
    write();
    load();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  new ResizeObserver(() => values.length && draw(chosen)).observe(canvas);
  await load();
}

function extent(values, missing) {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value) || value === missing) continue;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return least <= most ? { least, most } : { least: Number.NaN, most: Number.NaN };
}

/** Round numbers between two limits. */
function ticks(least, most, about) {
  if (!(most - least > 1e-12 * Math.max(Math.abs(least), Math.abs(most)))) return Number.isFinite(least) ? [least] : []; // one value
  const rough = (most - least) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((each) => each >= rough);
  const found = [];
  for (let value = Math.ceil(least / step) * step; value <= most + step * 1e-9; value += step)
    found.push(Number(value.toPrecision(12)));
  return found;
}
