/** The browser's history of views: back and forward lead through earlier views. */

const STILL_MS = 300; // browsers limit how often a page may write its URL
const FAR = 0.75; // share of a screen, or levels: a view at least this far away gets its own entry
const STAY_MS = 1500; // a view gets an entry after it was shown this long

export class Trail {
  #stop = null; // the view of the current entry
  #timer;
  #arrived = 0;

  /** @param {(view) => string} hashOf */
  constructor(hashOf) {
    this.hashOf = hashOf;
  }

  /** Set the view of the current entry, for example after back or a link. */
  begin(view) {
    clearTimeout(this.#timer);
    this.#entered = false;
    this.#stop = view;
  }

  /** Handle a change of the view. */
  moved(explorer) {
    clearTimeout(this.#timer);
    this.#arrived = performance.now();
    this.#timer = setTimeout(() => this.#write(explorer, false), STILL_MS);
  }

  #write(explorer, stayed) {
    const { view, canvas } = explorer;
    if (explorer.moving) {
      this.moved(explorer);
      return;
    }
    const hash = this.hashOf(view);
    const far = this.#stop && isFar(this.#stop, view, canvas);
    if (far && !stayed) {
      const left = STAY_MS - (performance.now() - this.#arrived);
      if (this.#entered) history.replaceState(null, "", hash);
      else history.pushState(null, "", hash);
      this.#entered = true;
      this.#timer = setTimeout(() => this.#write(explorer, true), Math.max(0, left));
      return;
    }
    history.replaceState(null, "", hash);
    if (stayed || !this.#stop) [this.#stop, this.#entered] = [view, false];
  }

  #entered = false; // whether the current view has its own entry
}

function isFar(from, to, { width, height }) {
  const [dx, dy] = from.distanceTo(to).map(Math.abs);
  return Math.abs(from.scale - to.scale) > FAR || dx > FAR * width || dy > FAR * height;
}
