/** Columns of one length as a grid of rows, a page at a time. */

import { element, labelled } from "./dom.js";
import { openArray, readRow, worded } from "./source.js";

const ROWS = 50;

const isText = (array) => !/^(u?int|float)/.test(array?.dtype ?? "");

/**
 * Show rows in `place`.
 *
 * @param {HTMLElement} place
 * @param {[string, string][]} columns name and URL of each
 * @param {number} length rows of all
 */
export async function showRows(place, columns, length) {
  const opened = await Promise.allSettled(columns.map(async ([, url]) => await openArray(url)));
  const names = columns.map(([name]) => name);
  const head = element("tr", {}, element("th", { scope: "col" }, "Row"), ...names.map((name, at) => element("th", { scope: "col", class: isText(opened[at].value) ? "text" : "number" }, name)));
  const body = element("tbody");
  const pages = Math.max(1, Math.ceil(length / ROWS));
  const page = element("input", { type: "number", min: 1, max: pages, value: 1 });
  const step = (by) => () => {
    page.value = Math.min(pages, Math.max(1, Number(page.value) + by));
    show();
  };
  const before = element("button", { type: "button", click: step(-1) }, "Previous");
  const after = element("button", { type: "button", click: step(1) }, "Next");
  const said = element("span", { class: "quiet" });
  const form = element("form", { class: "line", "aria-label": "Pages of rows", submit: (event) => event.preventDefault(), change: () => show() }, before, labelled("Page", page), element("span", {}, `of ${pages.toLocaleString("en")}`), after, said);
  place.append(form, element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Rows" }, element("table", { class: "data" }, element("thead", {}, head), body)));

  async function show() {
    const number = Math.min(pages, Math.max(1, Math.floor(Number(page.value) || 1)));
    page.value = number;
    const [start, stop] = [(number - 1) * ROWS, Math.min(length, number * ROWS)];
    place.dataset.state = "loading";
    const values = await Promise.all(opened.map(({ value }) => (value ? readRow(value, start, stop).catch(() => undefined) : undefined)));
    if (Number(page.value) !== number) return; // another page was asked for since
    const rows = Array.from({ length: stop - start }, (_, row) => element("tr", {}, element("th", { scope: "row" }, (start + row).toLocaleString("en")), ...values.map((column, at) => {
      const value = column?.[row];
      return element("td", { class: isText(opened[at].value) ? "text" : "number" }, column ? worded(value, opened[at].value.attrs) : "cannot be read");
    })));
    body.replaceChildren(...rows);
    before.disabled = number === 1;
    after.disabled = number === pages;
    said.textContent = `${length.toLocaleString("en")} rows`;
    place.dataset.state = "idle";
  }
  await show();
}
