/** More iterations for the current view, set by the visitor or automatically; other places are shown without them. */

import { notice } from "./panel.js";
import { count } from "./words.js";

const BLACK = 0.98; // share of pixels without an escape or a proof
const BY_ITSELF = 2; // number of times that maxiter is raised automatically
const MOST = 8; // greatest number of times
const WIDER = 1; // a change by this many levels makes another view

export class Raised {
  #view = null; // view for which iterations are raised; null before it is shown

  /** @param {import("./explorer.js").Explorer} explorer @param {import("./controls.js").Controls} controls */
  constructor(explorer, controls) {
    this.explorer = explorer;
    this.controls = controls;
  }

  /** Take the number in a link, which is for the view shown next. */
  begin() {
    this.#view = null;
  }

  get times() {
    return Number(this.controls.look.iterations);
  }

  more() {
    this.#set(Math.min(MOST, this.times + 1));
  }

  /** If almost nothing in a view escapes, and nothing is proven, compute it again with more iterations. */
  drawn() {
    const { explorer, times } = this;
    if (explorer.canvas.dataset.state !== "idle" || times >= BY_ITSELF || explorer.shares.capped < BLACK) return;
    notice(`Nothing here escapes within ${count(explorer.level.maxiter)} iterations. Computing four times as many.`);
    this.#set(times + 1);
  }

  /** Handle a change of the view. */
  moved() {
    if (this.times === 0) return;
    const { view, canvas } = this.explorer;
    this.#view ??= view;
    if (!isWithin(this.#view, view, canvas)) this.controls.change({ iterations: 0 });
  }

  #set(iterations) {
    this.#view = this.explorer.view;
    this.controls.change({ iterations });
  }
}

/** Whether the middle of a view is visible in another view, at the same scale or closer. */
function isWithin(frame, view, { width, height }) {
  const [dx, dy] = frame.distanceTo(view).map(Math.abs);
  return dx <= width / 2 && dy <= height / 2 && view.scale < frame.scale + WIDER;
}
