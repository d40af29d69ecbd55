/** Turns mouse, touch, pen, wheel and keys into moves: {pan, zoom, glide, home}, all in screen pixels from the middle. */

const NOTCH = 0.5; // levels to a notch of the wheel: two notches land on the next level, pixel for pixel
const KEY_STEP = 96; // CSS pixels to a press of an arrow key

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{pan(dx, dy), zoom(levels, dx, dy), glide(levels, dx, dy), home(), point(dx, dy)}} moves
 *   `zoom` follows a finger at once, `glide` eases; negative levels go deeper
 */
export function listen(canvas, moves) {
  const fingers = new Map();
  const ratio = () => canvas.width / canvas.clientWidth;
  const fromMiddle = ({ clientX, clientY }) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [(clientX - left - width / 2) * ratio(), (clientY - top - height / 2) * ratio()];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, fromMiddle(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    moves.point(...fromMiddle(event));
    if (!fingers.has(event.pointerId)) return;
    const before = pose(fingers);
    fingers.set(event.pointerId, fromMiddle(event));
    const after = pose(fingers);
    moves.pan(before.x - after.x, before.y - after.y);
    if (fingers.size > 1) moves.zoom(Math.log2(before.spread / after.spread), after.x, after.y);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, ({ pointerId }) => fingers.delete(pointerId));
  }
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      moves.glide(wheelLevels(event), ...fromMiddle(event));
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", (event) => moves.glide(event.shiftKey ? 1 : -1, ...fromMiddle(event)));
  window.addEventListener("keydown", (event) => {
    const act = keys(moves, KEY_STEP * ratio())[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select")) return; // they have a use for arrows themselves
    event.preventDefault();
    act();
  });
}

/** Middle of the fingers, and their mean distance from it. */
function pose(fingers) {
  const points = [...fingers.values()];
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map((point) => point[0])), mean(points.map((point) => point[1]))];
  return { x, y, spread: Math.max(1, mean(points.map((point) => Math.hypot(point[0] - x, point[1] - y)))) };
}

/** Levels that a wheel event asks for: whole notches of a mouse, or the fine steps of a trackpad. */
function wheelLevels({ deltaY, deltaMode, ctrlKey }) {
  const notched = deltaMode !== WheelEvent.DOM_DELTA_PIXEL || Math.abs(deltaY) >= 100;
  if (notched) return NOTCH * Math.sign(deltaY) * Math.max(1, Math.round(Math.abs(deltaY) / 120));
  return deltaY / (ctrlKey ? 70 : 200); // a trackpad's pinch arrives as small steps with Ctrl
}

function keys({ pan, glide, home }, step) {
  return {
    ArrowLeft: () => pan(-step, 0),
    ArrowRight: () => pan(step, 0),
    ArrowUp: () => pan(0, -step),
    ArrowDown: () => pan(0, step),
    "+": () => glide(-1, 0, 0),
    "=": () => glide(-1, 0, 0),
    "-": () => glide(1, 0, 0),
    PageDown: () => glide(-1, 0, 0),
    PageUp: () => glide(1, 0, 0),
    Home: home,
    0: home,
  };
}
