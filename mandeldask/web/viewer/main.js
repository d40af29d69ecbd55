/** Starts the page: chooses what to show, joins its parts, and keeps the URL's hash a link to the view. */

import { Loader } from "./data/loader.js";
import { Controls } from "./page/controls.js";
import { Explorer } from "./page/explorer.js";
import { startGestures } from "./page/gestures.js";
import { Looks } from "./page/look.js";
import { choices, element, notice, showBusy, showPixel, showPlace, showShares } from "./page/panel.js";
import { fromHash, toHash } from "./page/permalink.js";
import { startPlaces } from "./page/places_panel.js";
import { startSharing } from "./page/share_panel.js";
import { chooseSource } from "./page/sources.js";
import { count } from "./page/words.js";
import { Trail } from "./page/trail.js";
import { homeOf, styleOf } from "./page/standard.js";
import { loadPalettes, ring } from "./picture/palettes.js";
import { painterFor } from "./picture/painter.js";

const canvas = /** @type {HTMLCanvasElement} */ (element("view"));
const query = new URLSearchParams(location.search);
const headers = query.has("api_key") ? { "X-API-Key": query.get("api_key") } : {};
const BLACK = 0.98; // a share of pixels without an escape or a proof
const RAISES = 2; // times that maxiter is raised automatically
const OUTSIDE = "That lies outside of what this page shows. Here is the nearest it has.";

function fit() {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
}

function fail(error) {
  console.error(error);
  canvas.dataset.state = "error";
  notice(error.message, Number.POSITIVE_INFINITY);
}

/** @param {Error & {status?: number}} error @param {number} seconds until the next try */
function tell(error, seconds, controls) {
  const times = Number(controls.look.iterations);
  if (error.status === 403 && times > 0) {
    controls.change({ iterations: times - 1 });
    notice(`That is more than this server computes. ${error.message}`, 8);
    return;
  }
  if (seconds === 0) notice(error.message, 12);
  else notice(`${error.message} Trying again in ${seconds} s.`, Number.POSITIVE_INFINITY);
}

/** Show what the hash says, and say what of it cannot be read or shown. */
function follow(hash, { explorer, controls, looks, trail }) {
  const home = homeOf(explorer.source, canvas);
  const { view, rest, problems } = fromHash(hash, explorer.source, canvas, home);
  const { look, problems: others } = looks.read(rest);
  controls.set(look);
  explorer.go(view ?? home);
  trail.begin(explorer.view);
  const unread = [...problems, ...others];
  if (unread.length > 0) notice(`This page cannot read ${unread.join(", ")} in the link.`, 12);
  else if (view && !near(view, explorer.view)) notice(OUTSIDE, 12);
}

function near(asked, shown) {
  const [dx, dy] = asked.distanceTo(shown);
  return Math.hypot(dx, dy) < 1 && Math.abs(asked.scale - shown.scale) < 0.01;
}

async function start() {
  const [palettes, source] = await Promise.all([loadPalettes(), chooseSource(query, headers)]);
  fit();
  const fields = source.fields.includes("smooth")
    ? ["smooth", ...source.fields.filter((name) => name !== "smooth")]
    : source.fields;
  const looks = new Looks(Object.keys(palettes), fields);
  const loader = new Loader();
  const style = styleOf(source);
  const hashOf = (view) => toHash(view, source, canvas, looks.write(controls.look));
  const trail = new Trail(hashOf);
  const painter = painterFor(canvas, query.get("painter"));
  const explorer = new Explorer(canvas, painter, source, loader, style, {
    failed: (error, seconds) => tell(error, seconds, controls),
    recovered: () => notice(""),
    moved: () => trail.moved(explorer),
    drawn: () => {
      drawn(explorer);
      raise({ explorer, controls });
    },
    ended: (why) => notice(`This is as deep as it goes here. ${why}`.trim(), 6),
  });
  const controls = new Controls(looks, palettes, (look) => {
    Object.assign(style, look, { palette: ring(palettes[look.palette]) });
    explorer.demand.antialias = look.antialias === "on";
    explorer.demand.field = look.field;
    if (source.iterations !== look.iterations) source.iterations = Number(look.iterations);
    explorer.refresh();
    trail.moved(explorer);
  });
  const page = {
    explorer,
    controls,
    looks,
    trail,
    loader,
    palettes,
    canvas,
    hashOf,
    follow: (hash) => follow(hash, page),
  };
  element("title").textContent = source.kind === "plane" ? "mandeldask" : source.name;
  document.title = source.kind === "plane" ? "mandeldask: the Mandelbrot set" : source.name;
  choices("field", fields, fields[0]);
  follow(location.hash, page);
  wire(page);
  startGestures(canvas, explorer, () => explorer.fly(homeOf(source, canvas)));
  startPlaces(page);
  startSharing(page);
  Object.assign(window, { viewer: explorer }); // for people at the console, and for tests
}

function drawn(explorer) {
  showPlace(explorer);
  showBusy(explorer);
  showPixel(explorer.pixel(...explorer.pointer), explorer.style);
  if (canvas.dataset.state === "idle") showShares(explorer.shares);
}

/** A view in which nearly nothing escapes, and nothing is proven, is looked at again with more iterations. */
function raise({ explorer, controls }) {
  const times = Number(controls.look.iterations);
  if (canvas.dataset.state !== "idle" || times >= RAISES || explorer.shares.capped < BLACK) return;
  notice(`Nothing here escapes within ${count(explorer.level.maxiter)} iterations: computing four times as many.`);
  controls.change({ iterations: times + 1 });
}

function wire(page) {
  const { explorer, controls } = page;
  const on = (id, type, act) => element(id).addEventListener(type, act);
  on("more", "click", () => controls.change({ iterations: Math.min(8, Number(controls.look.iterations) + 1) }));
  on("field", "change", ({ target }) => {
    explorer.tiles.clear();
    controls.change({ field: target.value });
  });
  on("depth", "input", ({ target }) => {
    const level = explorer.source.levels.at(-1 - Number(target.value));
    explorer.zoom(Math.log2(Number(level.factor)) - explorer.view.scale, 0, 0);
  });
  on("home", "click", () => explorer.fly(homeOf(explorer.source, canvas)));
  window.addEventListener("hashchange", () => page.follow(location.hash));
  window.addEventListener("popstate", () => page.follow(location.hash));
  setInterval(() => showBusy(explorer), 1000); // nothing is drawn while a tile takes long
  window.addEventListener("online", () => explorer.refresh());
  new ResizeObserver(() => {
    fit();
    explorer.refresh();
  }).observe(canvas);
}

/** Start, as soon as the server answers. */
function begin() {
  start().catch((error) => {
    fail(error);
    if (error.status === 0) setTimeout(begin, 3000);
  });
}

begin();
