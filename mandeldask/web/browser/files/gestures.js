/** Move and zoom by dragging, wheel, pinch and keys. */

const STEP = 0.15; // share of the canvas that an arrow key moves

/** Let users move and zoom a view on a canvas; `pointed` gets the canvas pixel under the pointer, or undefined. */
export function listen(canvas, view, { changed, pointed }) {
  const { viewport } = view;
  const held = new Map();
  const ratio = () => canvas.width / canvas.clientWidth;
  const pixel = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) * ratio(), y: (event.clientY - box.top) * ratio() };
  };
  const done = () => {
    view.redraw();
    changed();
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, pixel(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = pixel(event);
    pointed(at);
    const from = held.get(event.pointerId);
    if (!from) return;
    if (held.size === 1) {
      viewport.move(from.x - at.x, from.y - at.y);
    } else {
      const [[, other]] = [...held].filter(([id]) => id !== event.pointerId);
      const apart = (point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
      viewport.zoom(apart(at) / apart(from), { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
    }
    held.set(event.pointerId, at);
    done();
  });
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, (event) => held.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => pointed(undefined));
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 33 : 1;
      viewport.zoom(2 ** (-(event.deltaY * lines) / 300), pixel(event));
      done();
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", (event) => {
    viewport.zoom(event.shiftKey ? 0.5 : 2, pixel(event));
    done();
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [wide, tall] = [canvas.width * STEP, canvas.height * STEP];
    const keys = {
      ArrowLeft: () => viewport.move(-wide, 0),
      ArrowRight: () => viewport.move(wide, 0),
      ArrowUp: () => viewport.move(0, -tall),
      ArrowDown: () => viewport.move(0, tall),
      "+": () => viewport.zoom(2),
      "=": () => viewport.zoom(2),
      "-": () => viewport.zoom(0.5),
      0: () => viewport.fit(),
      1: () => viewport.zoom(1 / viewport.scale),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
    pointed(undefined);
    done();
  });
}
