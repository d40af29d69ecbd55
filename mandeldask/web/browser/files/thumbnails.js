/** Thumbnails of the images in a list, drawn when they become visible. */

import { limitsOf, paintChannel, paintMap, samplesOf } from "./colour.js";
import { mapOf } from "./limits.js";
import { openImage } from "./source.js";

const MOST = 2 ** 22; // largest number of elements of a level for a thumbnail
const TRIES = 30;
const AGAIN_MS = 2000;

/** Draw each canvas when it becomes visible; retry while the server is busy. */
export function drawWhenSeen(canvases, server) {
  const tries = new Map();
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) {
        seen.unobserve(target);
        draw(target, server).catch((error) => later(target, error));
      }
  });

  /** Retry later if the server has not finished a level; it continues at the next request. */
  function later(canvas, { status }) {
    const count = (tries.get(canvas) ?? 0) + 1;
    tries.set(canvas, count);
    if (status === 503 && count < TRIES && canvas.isConnected) setTimeout(() => seen.observe(canvas), AGAIN_MS);
    else canvas.classList.add("failed");
  }
  for (const canvas of canvases) seen.observe(canvas);
}

/** Draw a thumbnail of an image: its coarsest level, scaled down by the browser. */
async function draw(canvas, server) {
  const picture = await openImage(server, canvas.dataset.zarr ?? "", canvas.dataset.levels ?? "", true);
  const level = 0; // only the coarsest level is open
  const { height, width } = picture;
  if (height * width > MOST) throw new Error("Its coarsest level is too large for a thumbnail.");
  const [tall, wide] = picture.side(level);
  const whole = new OffscreenCanvas(width, height);
  const context = whole.getContext("2d");
  const colours = ["FF0000", "00FF00", "0000FF"];
  for (let row = 0; row * tall < height; row++)
    for (let column = 0; column * wide < width; column++) {
      const image = new ImageData(Math.min(wide, width - column * wide), Math.min(tall, height - row * tall));
      for (let channel = 0; channel < Math.min(3, picture.channels); channel++) {
        const at = picture.shape.map((size, axis) => (axis === picture.channel ? channel : Math.floor(size / 2)));
        const tile = await picture.tile(level, row, column, at, 0);
        const limits =
          picture.dtypeOf(0) === "uint8" ? { low: 0, high: 255 } : limitsOf(samplesOf([tile], picture.missing));
        if (picture.channels > 1)
          paintChannel(image.data, tile.values, { ...limits, color: colours[channel], missing: picture.missing });
        else paintMap(image.data, tile.values, { ...limits, map: mapOf(picture, 0), missing: picture.missing });
      }
      context.putImageData(image, column * wide, row * tall);
    }
  const ratio = Math.min(canvas.width / width, canvas.height / height);
  const small = canvas.getContext("2d");
  small.imageSmoothingQuality = "high";
  small.drawImage(
    whole,
    (canvas.width - width * ratio) / 2,
    (canvas.height - height * ratio) / 2,
    width * ratio,
    height * ratio,
  );
  canvas.dataset.state = "idle";
}
