/** Starts the page: finds a pyramid on this server, shows it, and keeps the URL's hash a link to the place. */

import { loadPalettes, palette } from "./colours.js";
import { Explorer } from "./explorer.js";
import { listen } from "./gestures.js";
import { choices, copy, notice, python, showBusy, showPixel, showPlace } from "./panel.js";
import { fromHash, toHash } from "./permalink.js";
import { Pyramid } from "./pyramid.js";
import { openGroup } from "./zarr.js";

const canvas = document.getElementById("view");
const query = new URLSearchParams(location.search);
const headers = query.has("api_key") ? { "X-API-Key": query.get("api_key") } : {};

/** Groups of this server that hold a multiscale image, by the path from the server's Zarr v3 root. */
async function findSources() {
  const root = await openGroup(new URL("zarr/v3/", document.baseURI), headers);
  const images = [...root.nodes].filter(([, node]) => node.attributes?.ome?.multiscales);
  if (images.length === 0) throw new Error("This server holds no multiscale image.");
  return new Map(images.map(([path]) => [path.replace(/\.zarr$/, ""), new URL(`${path}/`, root.url)]));
}

/** The group to show: `?source=` (a path of this server), else the first image found. */
async function chooseSource() {
  if (query.has("source")) {
    const url = new URL(`${query.get("source").replace(/\/+$/, "")}/`, document.baseURI);
    if (url.origin !== location.origin) throw new Error("This page shows data of its own server only.");
    return url;
  }
  const sources = await findSources();
  const [first] = sources.keys();
  choices("source", [...sources.keys()], first);
  document.getElementById("source").addEventListener("change", ({ target }) => {
    query.set("source", sources.get(target.value).pathname);
    location.assign(`${location.pathname}?${query}`);
  });
  return sources.get(first);
}

function fit() {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
}

function fail(error) {
  console.error(error);
  canvas.dataset.state = "error";
  notice(error.message, Infinity);
}

/** Put the place into the URL once it has been still for a moment: browsers limit how often a page may. */
function linkKeeper(explorer, shown) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(() => history.replaceState(null, "", toHash(explorer.view, explorer.pyramid, shown)), 200);
  };
}

async function start() {
  const [palettes, group] = await Promise.all([
    loadPalettes(),
    chooseSource().then((url) => openGroup(url, headers)),
  ]);
  const pyramid = new Pyramid(group, headers);
  const shown = { palette: Object.keys(palettes)[0], field: pyramid.fields[0] };
  const adopt = (wanted) => {
    if (wanted.palette in palettes) shown.palette = wanted.palette;
    if (pyramid.fields.includes(wanted.field)) shown.field = wanted.field;
  };
  adopt(fromHash(location.hash, pyramid).shown);
  choices("palette", Object.keys(palettes), shown.palette);
  choices("field", pyramid.fields, shown.field);
  document.getElementById("depth").max = pyramid.paths.length - 1;
  document.getElementById("title").textContent = pyramid.name;

  const explorer = new Explorer(canvas, pyramid, { failed: fail, moved: () => moved(), drawn: () => drawn() });
  const keepLink = linkKeeper(explorer, shown);
  const moved = () => {
    if (explorer.painter.scene) showPlace(explorer.view, explorer.painter.level(explorer.view), pyramid);
    keepLink();
  };
  const drawn = () => {
    showBusy(explorer.tiles.missing);
    if (explorer.state === "idle") warnSaturated(explorer);
  };
  const show = () => explorer.show(shown.field, palette(palettes[shown.palette]));
  fit();
  show();
  explorer.follow(location.hash);
  wire(explorer, pyramid, { shown, show, adopt, keepLink });
  window.viewer = explorer; // for people at the console, and for tests
}

function wire(explorer, pyramid, { shown, show, adopt, keepLink }) {
  const on = (id, type, act) => document.getElementById(id).addEventListener(type, act);
  listen(canvas, {
    pan: (dx, dy) => explorer.pan(dx, dy),
    zoom: (levels, dx, dy) => explorer.zoom(levels, dx, dy),
    glide: (levels, dx, dy) => explorer.glide(levels, dx, dy),
    home: () => explorer.home(),
    point: (dx, dy) => showPixel(explorer.pixel(dx, dy)),
  });
  on("closer", "click", () => explorer.glide(-1, 0, 0));
  on("farther", "click", () => explorer.glide(1, 0, 0));
  on("home", "click", () => explorer.home());
  on("depth", "input", ({ target }) => {
    const level = explorer.painter.scene.levels.at(-1 - Number(target.value));
    explorer.zoom(Math.log2(Number(level.factor)) - explorer.view.scale, 0, 0);
  });
  for (const id of ["palette", "field"]) {
    on(id, "change", ({ target }) => {
      shown[id] = target.value;
      show();
      keepLink();
    });
  }
  on("link", "click", () => copy(location.href, "Link"));
  on("python", "click", () => {
    const level = explorer.painter.level(explorer.view);
    copy(python(explorer.view, pyramid, level, canvas), "Python code");
  });
  window.addEventListener("hashchange", () => {
    adopt(fromHash(location.hash, pyramid).shown);
    show();
    explorer.follow(location.hash);
  });
  new ResizeObserver(() => {
    fit();
    explorer.refresh();
  }).observe(canvas);
}

/** Deep levels seen with too small a maxiter are black all over; say why. */
function warnSaturated(explorer) {
  const { maxiter, number } = explorer.painter.level(explorer.view);
  if (maxiter === undefined || !explorer.saturated) return;
  notice(`No pixel in sight escapes within ${maxiter} iterations (maxiter of level ${number}).`, 8);
}

start().catch(fail);
