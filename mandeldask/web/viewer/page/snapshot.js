/** A picture of the view at any size, drawn by a separate explorer. */

import { painterFor } from "../picture/painter.js";
import { Explorer } from "./explorer.js";

const LEAST_WIDTH = 16;
const MOST_PIXELS = 2 ** 26;

/**
 * @param page parts of the page
 * @param {number} width pixels from left to right; the height follows the screen's
 * @param {(text: string) => void} tell
 * @returns {Promise<Blob>}
 */
export async function snapshot({ explorer, loader, canvas }, width, tell) {
  if (!Number.isInteger(width) || width < LEAST_WIDTH)
    throw new Error(`The width of a picture must be a whole number of pixels, at least ${LEAST_WIDTH}.`);
  const height = Math.max(1, Math.round((canvas.height * width) / canvas.width));
  const picture = document.createElement("canvas");
  [picture.width, picture.height] = [width, height];
  if (width * height > MOST_PIXELS) throw new Error("A picture of this size is too large for this browser.");
  const { source, view } = explorer;
  await new Promise((resolve, reject) => {
    const events = {
      failed: (error, seconds) => seconds === 0 && reject(error),
      recovered: () => {},
      moved: () => {},
      ended: () => {},
      drawn: ({ tiles }) => {
        if (picture.dataset.state === "idle") resolve();
        else tell(`Computing the picture: ${tiles.missing} tiles left.`);
      },
    };
    const own = new Explorer(picture, painterFor(picture), source, loader, { ...explorer.style }, events);
    own.still = true;
    own.demand.field = explorer.demand.field;
    own.demand.antialias = explorer.demand.antialias;
    own.go(view.zoom(view.scale - Math.log2(width / canvas.width)));
  });
  return await new Promise((resolve, reject) =>
    picture.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("This browser cannot make the picture."))),
      "image/png",
    ),
  );
}

/** Let the browser save a file. */
export function saveBlob(blob, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}
