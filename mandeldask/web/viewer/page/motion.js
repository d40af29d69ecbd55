/**
 * Motions from one view to another over time: eased zooms, flights to distant places, and steady zooms. Those with
 * `waits` go on from any view, so that they can wait for tiles: at most that many milliseconds together.
 */

const GLIDE_MS = 240;
const FLIGHT_S = 9; // duration of the longest flight, at any depth
const FLIGHT_WAIT_MS = 6000; // time that a flight may wait for tiles
const LONGEST_S = 0.1; // longest step, so that slow frames leave no gaps
const LEAST_RATE = 3; // levels per second
const NEAR = 0.35; // share of a screen: at a smaller distance, a flight descends

/**
 * A zoom by `levels` around a point of the screen.
 *
 * @returns a motion: (view, now) => {view, done}
 */
export function glide(from, goal, dx, dy, start) {
  const motion = (view, now) => {
    const part = Math.min(1, Math.max(0, (now - start) / GLIDE_MS));
    const scale = part === 1 ? goal : from + (goal - from) * (1 - (1 - part) ** 3);
    return { view: view.zoom(scale, dx, dy), done: part === 1 };
  };
  return Object.assign(motion, { goal });
}

/** A steady zoom of `rate` levels per second (negative: deeper) around the point that `at` returns, until replaced. */
export function dive(rate, at, start) {
  let before = start;
  const motion = (view, now) => {
    const seconds = Math.min(LONGEST_S, (now - before) / 1000);
    before = now;
    return { view: view.zoom(view.scale + rate * seconds, ...at()), done: false };
  };
  return Object.assign(motion, { waits: Infinity });
}

/** The continuation of a drag, with a speed in screen pixels per millisecond. */
export function coast(vx, vy, start) {
  let before = start;
  let [x, y] = [vx, vy];
  return (view, now) => {
    const passed = Math.min(50, now - before);
    before = now;
    const moved = view.pan(x * passed, y * passed);
    [x, y] = [x, y].map((speed) => speed * Math.exp(-passed / 160));
    return { view: moved, done: Math.hypot(x, y) < 0.02 };
  };
}

/**
 * A flight: up until the destination is visible, across, and down to it.
 *
 * @param goal the destination, a view
 * @param {number} extent pixels of the screen
 */
export function flight(goal, extent, start) {
  let before = start;
  let rate = 0;
  const motion = (view, now) => {
    const seconds = Math.min(LONGEST_S, (now - before) / 1000);
    before = now;
    const [dx, dy] = goal.distanceTo(view).map((part) => -part * 2 ** (goal.scale - view.scale));
    const away = Math.hypot(dx, dy) / extent;
    const climb = Math.max(0, Math.log2(away / NEAR)); // levels up until the destination is near the middle
    rate ||= Math.max(LEAST_RATE, (2 * climb + Math.abs(view.scale - goal.scale)) / FLIGHT_S);
    if (climb > 0.5) return { view: view.zoom(view.scale + Math.min(climb, rate * seconds)), done: false };
    const left = goal.scale - view.scale;
    const step = Math.sign(left) * Math.min(Math.abs(left), rate * seconds);
    const part = 1 - Math.exp(-8 * seconds);
    const pulled = view.pan(dx * part, dy * part);
    const next = pulled.zoom(view.scale + step);
    const done = Math.abs(left - step) < 1e-9 && away * extent < 0.5;
    return { view: done ? goal : next, done };
  };
  return Object.assign(motion, { waits: FLIGHT_WAIT_MS });
}
