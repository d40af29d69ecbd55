/** Iterations raised for what is in sight: by the visitor, or by themselves; other places are shown without. */

import { notice } from "./panel.js";
import { count } from "./words.js";

const BLACK = 0.98; // a share of pixels without an escape or a proof
const BY_ITSELF = 2; // times that maxiter is raised automatically
const MOST = 8; // times at all
const WIDER = 1; // levels from which on a view is another

export class Raised {
  #view = null; // for which iterations are raised; null before it is shown

  /** @param {import("./explorer.js").Explorer} explorer @param {import("./controls.js").Controls} controls */
  constructor(explorer, controls) {
    this.explorer = explorer;
    this.controls = controls;
  }

  /** Take what a link says: it is meant for the view shown next. */
  begin() {
    this.#view = null;
  }

  get times() {
    return Number(this.controls.look.iterations);
  }

  more() {
    this.#set(Math.min(MOST, this.times + 1));
  }

  /** A view in which nearly nothing escapes, and nothing is proven, is looked at again with more iterations. */
  drawn() {
    const { explorer, times } = this;
    if (explorer.canvas.dataset.state !== "idle" || times >= BY_ITSELF || explorer.shares.capped < BLACK) return;
    notice(`Nothing here escapes within ${count(explorer.level.maxiter)} iterations: computing four times as many.`);
    this.#set(times + 1);
  }

  /** Note that the view changed. */
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

/** Whether the middle of a view lies in what another one shows, at its scale or closer. */
function isWithin(frame, view, { width, height }) {
  const [dx, dy] = frame.distanceTo(view).map(Math.abs);
  return dx <= width / 2 && dy <= height / 2 && view.scale < frame.scale + WIDER;
}
