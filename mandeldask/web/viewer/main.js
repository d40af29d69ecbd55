/** Starts the page: selects the source, connects the parts, and keeps a link to the view in the URL's hash. */

import { Loader } from "./data/loader.js";
import { Controls } from "./page/controls.js";
import { Explorer } from "./page/explorer.js";
import { startGestures } from "./page/gestures.js";
import { Looks } from "./page/look.js";
import { JuliaPreview, shortened } from "./page/julia.js";
import { choices, element, notice, showBusy, showPixel, showPlace, showShares } from "./page/panel.js";
import { fromHash, juliaIn, toHash } from "./page/permalink.js";
import { startPlaces } from "./page/places_panel.js";
import { Probe } from "./page/probe.js";
import { Raised } from "./page/raised.js";
import { startSharing } from "./page/share_panel.js";
import { chooseSource } from "./page/sources.js";
import { Trail } from "./page/trail.js";
import { homeOf, styleOf } from "./page/standard.js";
import { loadPalettes, ring } from "./picture/palettes.js";
import { painterFor } from "./picture/painter.js";

const canvas = /** @type {HTMLCanvasElement} */ (element("view"));
const query = new URLSearchParams(location.search);
const headers = query.has("api_key") ? { "X-API-Key": query.get("api_key") } : {};
const OUTSIDE = "This place is outside the range of this page. The nearest place is shown instead.";

function fit() {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((size) =>
    Math.max(1, Math.round(size * ratio)),
  );
  if (canvas.width !== width) canvas.width = width; // setting it clears the canvas, even with the same value
  if (canvas.height !== height) canvas.height = height;
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
    notice(`This exceeds the limits of this server. ${error.message}`, 8);
    return;
  }
  if (seconds === 0) notice(error.message, 12);
  else notice(`${error.message} Trying again in ${seconds} s.`, Number.POSITIVE_INFINITY);
}

/** Show the view in the hash, and report the parts of it that cannot be read or shown. */
function follow(hash, { explorer, controls, looks, trail, raised }) {
  if (explorer.source.kind === "plane" && juliaIn(hash) !== explorer.source.julia) {
    location.reload(); // the link is to another set
    return;
  }
  const home = homeOf(explorer.source, canvas);
  const { view, rest, problems, outside } = fromHash(hash, explorer.source, canvas, home);
  const { look, problems: others } = looks.read(rest);
  raised.begin();
  controls.set(look);
  explorer.go(view ?? home);
  trail.begin(explorer.view);
  const unread = [...problems, ...others];
  if (unread.length > 0) notice(`This page cannot read ${unread.join(", ")} in the link.`, 12);
  else if (view && (outside || !near(view, explorer.view))) notice(OUTSIDE, 12);
}

function near(asked, shown) {
  const [dx, dy] = asked.distanceTo(shown);
  return Math.hypot(dx, dy) < 1 && Math.abs(asked.scale - shown.scale) < 0.01;
}

async function start() {
  const chosen = chooseSource(query, headers, juliaIn(location.hash));
  const [palettes, source] = await Promise.all([loadPalettes(), chosen]);
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
    moved: () => {
      trail.moved(explorer);
      raised.moved();
      preview.follow();
    },
    drawn: () => drawn(page),
    ended: (why) => notice(`This is the greatest depth here. ${why}`.trim(), 6),
  });
  const controls = new Controls(looks, palettes, (look) => {
    Object.assign(style, look, { palette: ring(palettes[look.palette]) });
    explorer.demand.antialias = look.antialias === "on";
    if (explorer.demand.field !== look.field) explorer.tiles.clear(); // their keys do not say the field
    explorer.demand.field = look.field;
    if (source.iterations !== look.iterations) source.iterations = Number(look.iterations);
    explorer.refresh();
    preview.draw();
    trail.moved(explorer);
  });
  const preview = new JuliaPreview({ explorer, loader });
  const raised = new Raised(explorer, controls);
  const page = {
    explorer,
    preview,
    raised,
    probe: new Probe(explorer, () => showPointer(page)),
    controls,
    looks,
    trail,
    loader,
    palettes,
    canvas,
    hashOf,
    follow: (hash) => follow(hash, page),
  };
  const julia = source.kind === "plane" && source.julia && `Julia set of ${shortened(source.julia)}`;
  const ofSet = source.kind === "plane" && !julia;
  element("title").textContent = ofSet ? "mandeldask" : julia || source.name;
  document.title = ofSet ? "mandeldask: the Mandelbrot set" : julia || source.name;
  choices("field", fields, fields[0]);
  follow(location.hash, page);
  wire(page);
  startGestures(canvas, explorer, preview, () => explorer.fly(homeOf(source, canvas)));
  startPlaces(page);
  startSharing(page);
  Object.assign(window, { viewer: Object.assign(explorer, { preview }) }); // for the console and for tests
}

function drawn(page) {
  const { explorer, raised } = page;
  document.documentElement.toggleAttribute("data-slow", explorer.slow);
  showPlace(explorer);
  showBusy(explorer);
  showPointer(page);
  if (canvas.dataset.state === "idle") showShares(explorer.shares);
  raised.drawn();
}

function showPointer({ explorer, probe }) {
  const pixel = explorer.pixel(...explorer.pointer);
  showPixel(pixel, explorer.style, probe.at(pixel));
}

function wire(page) {
  const { explorer, controls, raised } = page;
  const on = (id, type, act) => element(id).addEventListener(type, act);
  on("more", "click", () => raised.more());
  on("field", "change", ({ target }) => controls.change({ field: target.value }));
  on("depth", "input", ({ target }) => {
    const level = explorer.source.levels.at(-1 - Number(target.value));
    explorer.zoom(Math.log2(Number(level.factor)) - explorer.view.scale, 0, 0);
  });
  on("home", "click", () => explorer.fly(homeOf(explorer.source, canvas)));
  window.addEventListener("hashchange", () => page.follow(location.hash));
  window.addEventListener("popstate", () => page.follow(location.hash));
  setInterval(() => showBusy(explorer), 1000); // slow tiles cause no drawing
  window.addEventListener("online", () => explorer.refresh());
  new ResizeObserver(() => {
    fit();
    explorer.refresh();
  }).observe(canvas);
}

/** Start as soon as the server answers. */
function begin() {
  start().catch((error) => {
    fail(error);
    if (error.status === 0) setTimeout(begin, 3000);
  });
}

begin();
