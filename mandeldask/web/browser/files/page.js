/** A page from the server: draw its content. */

import { HttpServer } from "./server.js";
import { showPage } from "./show.js";

/** The state of a page, as the fragment of its URL. */
const fragment = {
  read: () => location.hash.replace(/^#/, ""),
  write: (text) => history.replaceState(null, "", `#${text}`),
  listen: (changed) => window.addEventListener("hashchange", changed),
};

showPage(document.body, new HttpServer(document.baseURI), fragment);
