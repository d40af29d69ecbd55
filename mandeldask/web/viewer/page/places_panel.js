/** The panel of places: search, the list, bookmarks, the minimap, and files dropped on the page. */

import { parse } from "../numbers/rationals.js";
import { linkIn } from "../picture/png.js";
import { Bookmarks, listPlaces, loadPlaces } from "./bookmarks.js";
import { Minimap } from "./minimap.js";
import { element, notice } from "./panel.js";
import { placeOf, viewOf } from "./permalink.js";
import { readPlace } from "./places.js";
import { homeOf } from "./standard.js";
import { count, length } from "./words.js";

export function startPlaces(page) {
  const { explorer, canvas, preview } = page;
  const ofSet = explorer.source.kind === "plane" && !explorer.source.julia;
  const plane = explorer.source.toPlane(explorer.view.middle) !== null;
  element("places-button").hidden = !plane;
  element("minimap").hidden = explorer.source.kind !== "plane";
  if (!plane) return;
  const go = (text) => {
    try {
      visit(readPlace(text), page);
    } catch (error) {
      notice(error.message, 8);
    }
  };
  element("search").addEventListener("submit", (event) => {
    event.preventDefault();
    go(element("query").value);
  });
  dropFiles(go);
  keepBookmarks(page);
  for (const id of ["nucleus", "julia", "known-heading"]) element(id).hidden = !ofSet;
  element("julia").addEventListener("click", () => preview.toggle());
  element("nucleus").addEventListener("click", () => frameNucleus(page));
  if (ofSet)
    loadPlaces().then((places) => listPlaces(element("known"), places, (place) => visit(numbers(place), page)));
  if (explorer.source.kind === "plane") startMinimap(explorer, page.loader, canvas);
}

/** Fly to the component of least period whose nucleus is visible. */
async function frameNucleus(page) {
  const { explorer, canvas } = page;
  const button = element("nucleus");
  button.disabled = true;
  notice("Searching for the visible nucleus of least period.", Number.POSITIVE_INFINITY);
  try {
    const found = await explorer.source.nucleus(explorer.view, canvas);
    if (found) {
      visit(numbers(found), page);
      notice(`Period ${count(found.period)}, a ${found.kind} of size ${length(parse(found.size))}, proven.`, 12);
    } else notice("No nucleus is visible here.");
  } catch (error) {
    notice(error.message, 12);
  } finally {
    button.disabled = false;
  }
}

/** Fly to a place; a link of this page also sets the look. @param {{re?, im?, width?, hash?: string}} place @param page */
function visit({ re, im, width, hash }, { explorer, canvas, follow }) {
  if (hash) {
    location.hash = hash;
    follow(hash);
    return;
  }
  const home = homeOf(explorer.source, canvas);
  explorer.fly(viewOf({ re, im, width }, explorer.source, canvas, width ? home : explorer.view));
}

const numbers = ({ re, im, width }) => ({ re: parse(re), im: parse(im), width: parse(width) });

function keepBookmarks(page) {
  const bookmarks = new Bookmarks();
  const list = () =>
    listPlaces(
      element("bookmarks"),
      bookmarks.all,
      ({ hash }) => visit({ hash }, page),
      ({ hash }) => {
        bookmarks.remove(hash);
        list();
      },
    );
  element("bookmark").addEventListener("click", () => {
    const { view, source } = page.explorer;
    try {
      bookmarks.add(`Width ${length(placeOf(view, source, page.canvas).width)}`, page.hashOf(view));
      list();
    } catch (error) {
      notice(error.message);
    }
  });
  list();
}

/** Fly to the place in a picture that was saved here, or in a location file of another program. */
function dropFiles(go) {
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer?.files ?? [];
    if (!file) {
      go(event.dataTransfer?.getData("text") ?? "");
      return;
    }
    if (!file.type.startsWith("image/")) go((await file.text()).slice(0, 100_000));
    else {
      const link = linkIn(await file.arrayBuffer());
      if (link) go(link);
      else notice(`${file.name} contains no place.`);
    }
  });
}

function startMinimap(explorer, loader, canvas) {
  const map = new Minimap(element("minimap"), explorer.source, loader);
  const show = () => map.show(explorer.view, canvas);
  map.load().then(show, () => {
    element("minimap").hidden = true;
  });
  const { moved } = explorer.events;
  explorer.events.moved = (...args) => {
    moved(...args);
    show();
  };
  element("minimap").addEventListener("click", ({ offsetX, offsetY, target }) => {
    const ratio = target.width / target.clientWidth;
    const view = viewOf(
      { ...map.point(offsetX * ratio, offsetY * ratio), width: parse("0.5") },
      explorer.source,
      canvas,
      explorer.view,
    );
    explorer.fly(view);
  });
}
