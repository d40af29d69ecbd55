/** Columns of the same length as a grid of rows, one page at a time. */

import { element, labelled } from "./dom.js";
import { keep } from "./permalink.js";
import { openArray, readRow, worded } from "./source.js";

const ROWS = 50;

/** The columns of an array: one column, or one per field of a struct. */
function columnsOf(name, array) {
  if (!array?.elements || array.elements.isComplex)
    return [{ name, array, isText: array?.elements !== undefined || !/^(u?int|float)/.test(array?.dtype ?? "") }];
  return array.elements.fields.map((field) => ({
    name: field.name,
    array,
    field: field.name,
    isText: !/^(u?int|float)/.test(field.type) || field.type === "utf32",
  }));
}

/**
 * Show rows in `place`.
 *
 * @param {HTMLElement} place
 * @param {object} server source of the data
 * @param {object} state the state in the link, as for `showPage`
 * @param {[string, string][]} named name and URL of each array
 * @param {number} length number of rows
 */
export async function showRows(place, server, state, named, length) {
  const opened = await Promise.allSettled(named.map(async ([, url]) => await openArray(server, url)));
  const arrays = opened.map((each) => (each.status === "fulfilled" ? each.value : undefined));
  const columns = named.flatMap(([name], index) => columnsOf(name, arrays[index]));
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, "Row"),
    ...columns.map(({ name, isText }) => element("th", { scope: "col", class: isText ? "text" : "number" }, name)),
  );
  const body = element("tbody");
  const pages = Math.max(1, Math.ceil(length / ROWS));
  const page = element("input", { type: "number", min: 1, max: pages, value: 1 });
  const step = (by) => () => {
    page.value = Math.min(pages, Math.max(1, Number(page.value) + by));
    turn();
  };
  const before = element("button", { type: "button", click: step(-1) }, "Previous");
  const after = element("button", { type: "button", click: step(1) }, "Next");
  const said = element("span", { class: "quiet" });
  const form = element(
    "form",
    { class: "line", "aria-label": "Pages of rows", submit: (event) => event.preventDefault(), change: () => turn() },
    before,
    labelled("Page", page),
    element("span", {}, `of ${pages.toLocaleString("en")}`),
    after,
    said,
  );
  place.append(
    form,
    element(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Rows" },
      element("table", { class: "data" }, element("thead", {}, head), body),
    ),
  );

  const write = keep(state, { page }, () => show());
  function turn() {
    write();
    show();
  }

  async function show() {
    const number = Math.min(pages, Math.max(1, Math.floor(Number(page.value) || 1)));
    page.value = number;
    const [start, stop] = [(number - 1) * ROWS, Math.min(length, number * ROWS)];
    place.dataset.state = "loading";
    const values = await Promise.all(
      columns.map(({ array, field }) =>
        array ? readRow(array, start, stop, field).catch(() => undefined) : undefined,
      ),
    );
    if (Number(page.value) !== number) return; // another page was requested meanwhile
    const rows = Array.from({ length: stop - start }, (_, row) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, (start + row).toLocaleString("en")),
        ...columns.map(({ array, isText }, at) =>
          element(
            "td",
            { class: isText ? "text" : "number" },
            values[at] ? worded(values[at][row], array.attrs) : "cannot be read",
          ),
        ),
      ),
    );
    body.replaceChildren(...rows);
    before.disabled = number === 1;
    after.disabled = number === pages;
    said.textContent = `${length.toLocaleString("en")} rows`;
    place.dataset.state = "idle";
  }
  await show();
}
