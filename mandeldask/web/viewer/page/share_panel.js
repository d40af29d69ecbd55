/** The panel for sharing: links, code, and pictures of any size. */

import { withLink } from "../picture/png.js";
import { copy, element, notice } from "./panel.js";
import { saveBlob, snapshot } from "./snapshot.js";
import { python, xarray } from "./share.js";

export function startSharing(page) {
  const { explorer, canvas, hashOf } = page;
  const { source } = explorer;
  const on = (id, act) => element(id).addEventListener("click", act);
  const link = () => new URL(hashOf(explorer.view), location.href).href;
  element("python").hidden = source.kind !== "plane";
  on("link", () => copy(link(), "Link"));
  on("python", () => copy(python(explorer.view, source, canvas), "Python code"));
  on("xarray", () => copy(xarray(explorer.view, source, canvas), "Python code"));
  on("zarr", () => copy(source.zarrUrl(explorer.view).url, "Zarr URL"));
  on("save", async () => {
    const { value } = element("size");
    const button = element("save");
    button.disabled = true;
    try {
      const { href } = new URL(hashOf(explorer.view), location.href);
      const picture = await snapshot(page, value === "" ? canvas.width : Number(value), (text) =>
        notice(text, Number.POSITIVE_INFINITY),
      );
      saveBlob(await withLink(picture, href), "mandeldask.png");
      notice("Picture saved. Drop it on this page to return to this view.", 5);
    } catch (error) {
      notice(error.message, 12);
    } finally {
      button.disabled = false;
    }
  });
}
