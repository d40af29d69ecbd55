/** The panel of colours: keeps its inputs and the look in agreement. */

import { element } from "./panel.js";

const SLIDERS = ["density", "offset", "equalise", "slope", "edges"];

export class Controls {
  /**
   * @param {import("./look.js").Looks} looks
   * @param {Record<string, string[]>} palettes
   * @param {(look: import("./look.js").Look) => void} changed
   */
  constructor(looks, palettes, changed) {
    this.looks = looks;
    this.look = looks.standard;
    this.changed = changed;
    this.#swatches(palettes);
    for (const name of SLIDERS) this.#slider(name);
    this.#box("periods", "inside", ["plain", "period"]);
    this.#box("antialias", "antialias", ["off", "on"]);
    element("standard").addEventListener("click", () => {
      const { field, iterations } = this.look;
      this.set({ ...looks.standard, field, iterations });
    });
  }

  /** Apply a look, and show it. */
  set(look) {
    this.look = { ...look };
    for (const name of SLIDERS) element(name).value = String(this.#position(name));
    element("periods").checked = look.inside === "period";
    element("antialias").checked = look.antialias === "on";
    const chosen = document.querySelector(`input[name=palette][value="${look.palette}"]`);
    if (chosen instanceof HTMLInputElement) chosen.checked = true;
    this.changed(this.look);
  }

  change(part) {
    this.set({ ...this.look, ...part });
  }

  #swatches(palettes) {
    const radios = Object.entries(palettes).map(([name, anchors]) => {
      const label = document.createElement("label");
      const radio = Object.assign(document.createElement("input"), { type: "radio", name: "palette", value: name });
      radio.addEventListener("change", () => this.change({ palette: name }));
      const canvas = Object.assign(document.createElement("canvas"), { width: 96, height: 18 });
      paintRing(canvas, anchors);
      label.append(radio, canvas, name);
      return label;
    });
    element("palettes").append(...radios);
  }

  /** The density control has a logarithmic scale. */
  #position(name) {
    const value = Number(this.look[name]);
    return name === "density" ? Math.log2(value) : value;
  }

  #slider(name) {
    const slider = element(name);
    slider.addEventListener("input", () => {
      const value = Number(slider.value);
      this.change({ [name]: Number((name === "density" ? 2 ** value : value).toPrecision(4)) });
    });
  }

  #box(id, name, [off, on]) {
    element(id).addEventListener("change", ({ target }) => this.change({ [name]: target.checked ? on : off }));
  }
}

function paintRing(canvas, anchors) {
  const context = canvas.getContext("2d");
  const gradient = context.createLinearGradient(0, 0, canvas.width, 0);
  for (const [at, anchor] of [...anchors, anchors[0]].entries()) gradient.addColorStop(at / anchors.length, anchor);
  context.fillStyle = gradient;
  context.fillRect(0, 0, canvas.width, canvas.height);
}
