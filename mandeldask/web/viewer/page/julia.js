/** The Julia set of the point under the pointer: a small picture that follows it, and a link to the set at any depth. */

import { openGroup } from "../data/server.js";
import { parse } from "../numbers/rationals.js";
import { contrastOf } from "../picture/contrast.js";
import { painterFor } from "../picture/painter.js";
import { element } from "./panel.js";
import { juliaText } from "./permalink.js";
import { coordinate } from "./words.js";

const TILE = 96; // pixels; the picture is two tiles wide
const MAXITER = 500;
const SMOOTH = "smooth0.00390625"; // in steps of 1/256
const WIDTH = 4; // plane units: in every Julia set, |z| <= 2
const DIGITS = 6; // digits of c that are displayed
const REST_MS = 40; // a moving pointer requests only some of the points that it passes

export class JuliaPreview {
  painter = null;
  #shown = ""; // the shown c
  #running = false;
  #again = false;
  #tiles = [];

  /** @param {{explorer: import("./explorer.js").Explorer, loader: import("../data/loader.js").Loader}} page */
  constructor({ explorer, loader }) {
    this.explorer = explorer;
    this.loader = loader;
    this.box = element("julia-box");
    this.canvas = element("julia-picture");
    [this.canvas.width, this.canvas.height] = [2 * TILE, 2 * TILE];
    element("julia-open").addEventListener("click", () => this.open());
    element("julia-close").addEventListener("click", () => this.toggle());
  }

  /** Show or hide the picture. */
  toggle() {
    const { kind, julia } = this.explorer.source;
    if (kind !== "plane" || julia) return;
    this.box.hidden = !this.box.hidden;
    this.follow();
  }

  /** The point under the pointer, in the server's form of the c of a Julia set. */
  get point() {
    const { source, view, pointer } = this.explorer;
    return source.juliaAt(view, ...pointer);
  }

  /** Open the Julia set at any depth, in a new tab. */
  open() {
    const query = new URLSearchParams(location.search);
    query.delete("image");
    const hash = new URLSearchParams({ julia: juliaText(this.#shown || this.point) });
    window.open(`${location.pathname}${query.size ? `?${query}` : ""}#${hash}`, "_blank");
  }

  /** Show the Julia set of the point under the pointer. */
  async follow() {
    if (this.box.hidden) return;
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    while (this.#again && !this.box.hidden) {
      this.#again = false;
      await this.#show(this.point).catch(({ message }) => {
        element("julia-c").textContent = message;
      });
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
    }
    this.#running = false;
  }

  /** Draw the picture again, for example after a change of colours. */
  draw() {
    if (this.#tiles.length === 0 || this.box.hidden) return;
    const values = Uint32Array.from(this.#tiles.flatMap(({ tile: { fixed } }) => Array.from(fixed)));
    const { style } = this.explorer;
    this.painter ??= painterFor(this.canvas, new URLSearchParams(location.search).get("painter"));
    this.painter.draw(this.#tiles, 1, { ...style, contrast: contrastOf(values) ?? style.contrast });
  }

  async #show(julia) {
    if (julia === this.#shown) return;
    const { root, headers } = this.explorer.source;
    const name = `re0_im0_width${WIDTH}_levels1_tilesize${TILE}_maxiter${MAXITER}_${SMOOTH}_julia${julia}`;
    const group = await openGroup(new URL(`at/${name}.zarr/`, root), headers);
    const url = new URL("0/smooth/", group.url).href;
    const job = { url, metadata: group.nodes.get("0/smooth"), headers, rule: { kind: "escape", cap: MAXITER } };
    const { signal } = new AbortController();
    this.#tiles = await Promise.all(
      [0, 1, 2, 3].map(async (number) => {
        const [row, col] = [number >> 1, number & 1];
        const { fixed } = await this.loader.load({ ...job, row: BigInt(row), col: BigInt(col) }, signal);
        const tile = { fixed, width: TILE, height: TILE, version: 0 };
        return { tile, box: { left: col * TILE, top: row * TILE, width: TILE, height: TILE } };
      }),
    );
    this.#shown = julia;
    element("julia-c").textContent = `c = ${shortened(julia)}`;
    this.draw();
  }
}

/** The first digits of a c to display: "−0.743644 + 0.131826 i". */
export function shortened(julia) {
  const [re, im] = julia.split("i").map((part) => coordinate(parse(part.replace("r", "/")), DIGITS));
  return `${re.replace("+", "")} ${im[0]} ${im.slice(1)} i`;
}
