/** Draw all content that scripts add to a page. */

import { showAddresses } from "./addresses.js";
import { showArray } from "./array.js";
import { showRows } from "./rows.js";
import { drawWhenSeen } from "./thumbnails.js";

/**
 * Draw the content of a page.
 *
 * @param {ParentNode} root the page
 * @param {object} server source of the data, such as an `HttpServer`
 * @param {{ read: () => string, write: (text: string) => void, listen: (changed: () => void) => void }} state of the link
 */
export function showPage(root, server, state) {
  showAddresses(root, server);
  drawWhenSeen(root.querySelectorAll("canvas.thumb"), server);
  const view = /** @type {HTMLElement} */ (root.querySelector("#view"));
  if (view) showArray(view, server, state);
  const rows = root.querySelector("#rows");
  if (rows) showColumns(rows, server, state);
}

function showColumns(rows, server, state) {
  const { zarr, columns, length } = rows.dataset;
  const named = columns.split(" ").map((name) => [decodeURIComponent(name), `${zarr}/${name}`]);
  showRows(rows, server, state, named, Number(length)).catch((error) => rows.append(error.message));
}
