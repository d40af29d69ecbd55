import assert from "node:assert/strict";
import { test } from "node:test";
import { autoMaxiter, Plane } from "../../../mandeldask/web/viewer/data/plane.js";
import { parse } from "../../../mandeldask/web/viewer/numbers/rationals.js";
import { juliaIn, juliaText } from "../../../mandeldask/web/viewer/page/permalink.js";
import { View } from "../../../mandeldask/web/viewer/numbers/view.js";
import { tilesInSight } from "../../../mandeldask/web/viewer/picture/scene.js";

const SCREEN = { width: 900, height: 600 };

function viewAt(plane, re, im, scale) {
  const { x, y } = plane.fromPlane({ re: parse(re), im: parse(im) });
  return View.at(x, y, scale);
}

test("maxiter grows as the server's rule says", () => {
  assert.deepEqual([-8, -28, -58, -1000].map(autoMaxiter), [255, 6655, 20255, 397055]);
});

test("the home pyramid is one", () => {
  const plane = new Plane(new URL("http://127.0.0.1/zarr/v3/"));
  const { url, path } = plane.zarrUrl(viewAt(plane, "-0.65", "0", -8));
  assert.ok(url.endsWith("/at/re0_im0_width16_levels16_tilesize256_maxiterauto_iterations-smooth-period.zarr/"), url);
  assert.equal(path, "12");
});

test("tiles of neighbouring levels lie in each other", () => {
  const plane = new Plane(new URL("http://127.0.0.1/zarr/v3/"));
  const view = viewAt(plane, "-0.75", "0.1", -40);
  const level = plane.level(view);
  assert.equal(level.spacing.e, -40);
  for (const { row, col } of tilesInSight(view, level, SCREEN)) {
    const coarse = tilesInSight(view, plane.coarser(level, 1), SCREEN);
    assert.ok(coarse.some((tile) => tile.row === row >> 1n && tile.col === col >> 1n));
  }
});

test("a limit ends the zoom where the server says", async () => {
  const plane = new Plane(new URL("http://127.0.0.1/zarr/v3/"));
  let refusals = 0;
  globalThis.fetch = async (url) => {
    const [, width, levels] = /width([^_]+)_levels(\d+)/.exec(String(url)).map(Number);
    if (4 - Math.log2(width) + levels <= 20) return Response.json({ attributes: { maxiter: 500 } });
    refusals += 1;
    const refused = Response.json({ detail: "past this server's limit" }, { status: 403 });
    return Object.defineProperty(refused, "url", { value: String(url) });
  };
  const deep = plane.level(viewAt(plane, "-0.75", "0.1", -26));
  await assert.rejects(plane.locate({ level: deep, row: 0n, col: 0n }, "smooth"), /limit/);
  assert.equal(plane.finest, -24);
  assert.match(plane.ends, /limit/);
  assert.equal(plane.level(viewAt(plane, "-0.75", "0.1", -26)).spacing.e, -24);
  assert.ok(refusals <= 4, `${refusals} refusals`);
  refusals = 0;
  await assert.rejects(plane.locate({ level: deep, row: 1n, col: 0n }, "smooth"), /limit/);
  assert.equal(refusals, 0);
});

test("a Julia set is asked for on the same lattice, in the server's spelling of c", () => {
  const plane = new Plane(new URL("http://127.0.0.1/zarr/v3/"), {}, juliaIn("#julia=-0.8%2B0.156j"));
  const { url } = plane.zarrUrl(viewAt(plane, "0", "0", -8));
  assert.ok(url.endsWith("_maxiterauto_iterations-smooth_julia-0.8i0.156.zarr/"), url);
  assert.equal(juliaText(plane.julia), "-0.8+0.156j");
});

test("what is no c of a Julia set is none", () => {
  for (const text of ["", "x", "2+1j", "-1.5-1.5j", "1/0", "9".repeat(30_000)])
    assert.equal(juliaIn(`#${new URLSearchParams({ julia: text })}`), "");
  assert.equal(juliaIn("#julia=1/3-2j"), "");
  assert.equal(juliaIn("#julia=1/3-1j"), "1r3i-1");
  assert.equal(juliaIn("#julia=-2"), "-2i0");
});

test("sketches are the same tiles of fewer pixels, and stand in for levels of their spacing", () => {
  const plane = new Plane(new URL("http://127.0.0.1/zarr/v3/"));
  const view = viewAt(plane, "-0.75", "0.1", -40);
  const level = plane.level(view);
  assert.deepEqual(
    plane.sketches(level, true).map(({ steps }) => steps),
    [4, 2],
  );
  for (const { level: sketch, steps } of plane.sketches(level, true)) {
    assert.equal(sketch.spacing.e, level.spacing.e + steps);
    assert.ok(plane.standIns(level, steps).some(({ key }) => key === sketch.key));
    for (const { level: other } of plane.sketches(plane.coarser(level, 2), true)) {
      assert.equal(other.key === sketch.key, other.n === sketch.n);
    }
  }
  const [few] = plane.sketches(level, false);
  assert.ok(tilesInSight(view, few.level, SCREEN).length <= 6);
});
