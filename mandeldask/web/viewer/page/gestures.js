/** Convert mouse, touch, pen, wheel and keys to moves of an explorer, in screen pixels from the middle. */

import { startFullscreen, toggleFullscreen } from "./fullscreen.js";
import { element } from "./panel.js";

const NOTCH = 0.5; // levels per notch of the wheel: two notches lead exactly to the next level
const KEY_STEP = 96; // CSS pixels per press of an arrow key
const DIVE = 1.6; // levels per second
const HOLD_MS = 350;
const TYPED = "input, select, textarea, [popover]"; // what has keys of its own
const PRESSED = `${TYPED}, button`;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("./explorer.js").Explorer} explorer
 * @param {import("./julia.js").JuliaPreview} julia
 * @param {() => void} home
 */
export function startGestures(canvas, explorer, julia, home) {
  const ratio = () => canvas.width / canvas.clientWidth;
  const fromMiddle = ({ clientX, clientY }) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [(clientX - left - width / 2) * ratio(), (clientY - top - height / 2) * ratio()];
  };
  startFingers(canvas, explorer, fromMiddle);
  canvas.addEventListener("pointermove", () => julia.follow());
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      explorer.glide(wheelLevels(event), ...fromMiddle(event));
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", (event) => explorer.glide(event.shiftKey ? 1 : -1, ...fromMiddle(event)));
  startKeys(explorer, julia, home, () => KEY_STEP * ratio());
  holdable("closer", explorer, -1);
  holdable("farther", explorer, 1);
  startFullscreen();
}

/** One finger drags, and the motion continues with its speed; two fingers pinch. */
function startFingers(canvas, explorer, fromMiddle) {
  const fingers = new Map();
  let speed = [0, 0];
  let last = 0;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, fromMiddle(event));
    speed = [0, 0];
    explorer.stop();
  });
  canvas.addEventListener("pointermove", (event) => {
    explorer.pointer = fromMiddle(event);
    if (!fingers.has(event.pointerId)) {
      if (!explorer.moving) explorer.events.drawn(explorer);
      return;
    }
    const before = pose(fingers);
    fingers.set(event.pointerId, fromMiddle(event));
    const after = pose(fingers);
    const moved = [before.x - after.x, before.y - after.y];
    explorer.pan(...moved);
    const passed = Math.max(1, event.timeStamp - last);
    speed = speed.map((each, axis) => 0.6 * each + (0.4 * moved[axis]) / passed);
    last = event.timeStamp;
    if (fingers.size < 2) return;
    speed = [0, 0]; // the events of two fingers come at the same time
    explorer.zoom(Math.log2(before.spread / after.spread), after.x, after.y);
  });
  canvas.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    if (fingers.size === 0 && event.timeStamp - last < 40) explorer.coast(...speed);
  });
  canvas.addEventListener("pointercancel", ({ pointerId }) => fingers.delete(pointerId));
}

/** Centre of the fingers, and their mean distance from it. */
function pose(fingers) {
  const points = [...fingers.values()];
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map((point) => point[0])), mean(points.map((point) => point[1]))];
  return { x, y, spread: Math.max(1, mean(points.map((point) => Math.hypot(point[0] - x, point[1] - y)))) };
}

/** Levels that a wheel event requests: whole notches of a mouse, or fine steps of a trackpad. */
function wheelLevels({ deltaY, deltaMode, ctrlKey }) {
  const notched = deltaMode !== WheelEvent.DOM_DELTA_PIXEL || Math.abs(deltaY) >= 100;
  if (notched) return NOTCH * Math.sign(deltaY) * Math.max(1, Math.round(Math.abs(deltaY) / 120));
  return deltaY / (ctrlKey ? 70 : 200); // a trackpad's pinch arrives as small steps with Ctrl
}

/** A button that zooms one level when pressed, and continues while it is held. */
function holdable(id, explorer, levels) {
  const button = element(id);
  let timer = 0;
  let held = false;
  button.addEventListener("pointerdown", () => {
    held = false;
    timer = setTimeout(() => {
      held = true;
      explorer.pointer = [0, 0];
      explorer.dive(levels * DIVE);
    }, HOLD_MS);
  });
  for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
    button.addEventListener(end, () => {
      clearTimeout(timer);
      if (held) explorer.stop();
    });
  }
  button.addEventListener("click", () => {
    if (!held) explorer.glide(levels, 0, 0);
    held = false;
  });
}

function startKeys(explorer, julia, home, step) {
  const toggleDive = () => (explorer.moving ? explorer.stop() : explorer.dive(-DIVE));
  const keys = {
    ArrowLeft: () => explorer.pan(-step(), 0),
    ArrowRight: () => explorer.pan(step(), 0),
    ArrowUp: () => explorer.pan(0, -step()),
    ArrowDown: () => explorer.pan(0, step()),
    "+": () => explorer.glide(-1, 0, 0),
    "=": () => explorer.glide(-1, 0, 0),
    "-": () => explorer.glide(1, 0, 0),
    PageDown: () => explorer.glide(-1, 0, 0),
    PageUp: () => explorer.glide(1, 0, 0),
    Home: home,
    0: home,
    " ": toggleDive,
    Escape: () => explorer.stop(),
    "?": () => element("help").togglePopover(),
    f: toggleFullscreen,
    j: () => julia.toggle(),
    J: () => julia.open(),
    n: () => element("nucleus").click(),
    p: () => element("places").togglePopover(),
    c: () => element("colours").togglePopover(),
    s: () => element("share").togglePopover(),
  };
  window.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof Element && event.target.closest(event.key === " " ? PRESSED : TYPED)) return;
    if (event.key !== "Escape") event.preventDefault(); // it closes panels too
    act();
  });
}
