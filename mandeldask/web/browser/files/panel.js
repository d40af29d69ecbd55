/** The controls of an image: positions along the other axes, channels, contrast, colours. */

import { limitsOf, samplesOf, table } from "./colour.js";
import { element, labelled } from "./dom.js";
import { firstLimits, mapOf } from "./limits.js";
import { MAPS } from "./maps.js";

const BINS = 64;

/**
 * Fill the panel.
 *
 * @param {HTMLElement} place
 * @param {object} view the ImageView
 * @param {(axis: number, index: number) => string} worded returns the label of an index along an axis
 * @param {() => void} changed called when the look has changed
 */
export function fillPanel(place, view, worded, changed) {
  const { picture, look } = view;
  const update = () => {
    view.redraw();
    changed();
  };
  const contrast = element("div", { class: "contrast" });
  const choose = () => {
    contrast.replaceChildren(...contrastOf(view, update, choose));
    update();
  };
  place.replaceChildren(
    ...picture.others.map((axis) => slider(picture, look, axis, worded, update)),
    ...(picture.parts.length > 1 ? [parts(view, () => fillPanel(place, view, worded, changed))] : []),
    modes(view, choose),
    contrast,
  );
  choose();
  return {
    refresh: () => {
      for (const canvas of contrast.querySelectorAll("canvas")) drawHistogram(canvas, view);
    },
  };
}

function slider(picture, look, axis, worded, update) {
  const most = picture.shape[axis] - 1;
  const said = element("output", {}, worded(axis, look.at[axis]));
  const range = element("input", {
    type: "range",
    min: 0,
    max: most,
    step: 1,
    value: look.at[axis],
    "data-axis": picture.dims[axis],
  });
  range.addEventListener("input", () => {
    look.at[axis] = Number(range.value);
    said.value = worded(axis, look.at[axis]);
    range.setAttribute("aria-valuetext", said.value);
    update();
  });
  return labelled(picture.dims[axis], range, said);
}

/** The control that selects the part of complex numbers or structs to draw. */
function parts(view, again) {
  const { look, picture } = view;
  const select = element(
    "select",
    {
      change: async () => {
        const part = Number(select.value);
        const limits = await Promise.all(look.channels.map((_, index) => firstLimits(picture, look.at, index, part)));
        if (Number(select.value) !== part) return; // another part was selected meanwhile
        look.part = part;
        for (const [index, channel] of look.channels.entries()) {
          const { low, high } = limits[index];
          Object.assign(channel, { low, high, map: mapOf(picture, part) });
        }
        if (look.mode === "labels" && !isWhole(picture, part)) look.mode = "map";
        again();
      },
    },
    ...picture.parts.map(({ name }, index) => element("option", { value: index }, name)),
  );
  select.value = look.part;
  return labelled("Part", select);
}

const isWhole = (picture, part) => /^u?int|^bool/.test(picture.dtypeOf(part));

function modes(view, choose) {
  const { look, picture } = view;
  const offered = [["map", "Colour map"]];
  if (picture.channels > 1) offered.unshift(["channels", "Channels"]);
  if (isWhole(picture, look.part)) offered.push(["labels", "Labels"]);
  const select = element(
    "select",
    {
      change: () => {
        look.mode = select.value;
        choose();
      },
    },
    ...offered.map(([value, text]) => element("option", { value }, text)),
  );
  select.value = look.mode;
  return labelled("Show as", select);
}

function contrastOf(view, update, choose) {
  const { look } = view;
  if (look.mode === "labels") return [];
  if (look.mode === "channels")
    return look.channels.map((channel, index) => channelControls(view, channel, index, update));
  return [mapControls(look, choose), ...limitControls(view, look.channels[0], 0, update)];
}

function mapControls(look, choose) {
  const [channel] = look.channels;
  const select = element(
    "select",
    {
      change: () => {
        channel.map = select.value;
        choose();
      },
    },
    ...Object.keys(MAPS).map((name) => element("option", { value: name }, name)),
  );
  select.value = channel.map;
  return element("div", {}, labelled("Colours", select), labelled("Inverted", box(channel, "inverted", choose)));
}

/** A check box for a property of a channel. */
function box(channel, name, changed) {
  const input = element("input", {
    type: "checkbox",
    checked: channel[name],
    change: () => {
      channel[name] = input.checked;
      changed();
    },
  });
  return input;
}

function channelControls(view, channel, index, update) {
  const color = element("input", {
    type: "color",
    value: `#${channel.color}`,
    "aria-label": `Colour of ${channel.label}`,
    input: () => {
      channel.color = color.value.slice(1).toUpperCase();
      update();
    },
  });
  return element(
    "fieldset",
    { class: "channel" },
    element("legend", {}, channel.label),
    element("div", { class: "line" }, labelled("Shown", box(channel, "active", update)), color),
    ...limitControls(view, channel, index, update),
  );
}

function limitControls(view, channel, index, update) {
  const histogram = element("canvas", {
    width: 256,
    height: 48,
    class: "histogram",
    "data-channel": index,
    role: "img",
    "aria-label": "Histogram of what is seen",
  });
  const low = number("Black", "low");
  const high = number("White", "high");
  function number(text, key) {
    const input = element("input", {
      type: "number",
      step: "any",
      value: Number(channel[key].toPrecision(7)),
      change: () => {
        if (input.value !== "" && Number.isFinite(Number(input.value))) set({ ...channel, [key]: Number(input.value) });
      },
    });
    return labelled(text, input);
  }
  function set({ low: least, high: most }) {
    Object.assign(channel, { low: least, high: most });
    low.querySelector("input").value = Number(least.toPrecision(7));
    high.querySelector("input").value = Number(most.toPrecision(7));
    drawHistogram(histogram, view);
    update();
  }
  const samples = () => samplesOf(view.seen(index), view.picture.missing);
  const cut = element("input", { type: "number", min: 0, max: 49, step: "any", value: 0.5, change: fit });
  function fit() {
    const percent = Math.min(49, Math.max(0, Number(cut.value) || 0));
    cut.value = percent;
    set(limitsOf(samples(), percent / 100));
  }
  const auto = element(
    "button",
    { type: "button", title: "Leave out so many percent of what is seen at each end", click: fit },
    "Auto",
  );
  const whole = element(
    "button",
    {
      type: "button",
      title: "From the least to the greatest visible value",
      click: () => {
        const { least, most } = limitsOf(samples());
        set({ low: least, high: most > least ? most : least + 1 });
      },
    },
    "Full range",
  );
  queueMicrotask(() => drawHistogram(histogram, view));
  return [
    histogram,
    element("div", { class: "line limits" }, low, high),
    element("div", { class: "line" }, auto, labelled("Percent left out", cut), whole),
  ];
}

/** Draw a histogram of the visible values, with the limits. */
function drawHistogram(canvas, view) {
  const channel = view.look.channels[Number(canvas.dataset.channel)];
  const samples = samplesOf(view.seen(Number(canvas.dataset.channel)), view.picture.missing, 20_000);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!samples.length) return;
  const { least, most } = limitsOf(samples);
  const [from, to] = [Math.min(least, channel.low), Math.max(most, channel.high)];
  const counts = new Float64Array(BINS);
  for (const value of samples) counts[Math.min(BINS - 1, Math.floor(((value - from) / (to - from || 1)) * BINS))] += 1;
  const top = Math.log1p(Math.max(...counts));
  const wide = canvas.width / BINS;
  const colours = view.look.mode === "map" ? table(channel.map) : undefined;
  counts.forEach((count, bin) => {
    const value = from + ((bin + 0.5) / BINS) * (to - from);
    const part = Math.min(
      255,
      Math.max(0, Math.floor(((value - channel.low) / (channel.high - channel.low || 1)) * 256)),
    );
    const at = 3 * (channel.inverted ? 255 - part : part);
    context.fillStyle = colours ? `rgb(${colours[at]} ${colours[at + 1]} ${colours[at + 2]})` : `#${channel.color}`;
    const tall = (Math.log1p(count) / top) * (canvas.height - 2);
    context.fillRect(bin * wide, canvas.height - tall, wide - 0.5, tall);
  });
  context.fillStyle = getComputedStyle(canvas).color;
  for (const limit of [channel.low, channel.high])
    context.fillRect(Math.round(((limit - from) / (to - from || 1)) * (canvas.width - 2)), 0, 2, canvas.height);
}
