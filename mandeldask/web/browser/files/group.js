/** The page of a group: small pictures of its images, drawn when they are scrolled to, and the rows of a table. */

import "./addresses.js";
import { limitsOf, paintChannel, paintMap, samplesOf } from "./colour.js";
import { showRows } from "./rows.js";
import { openImage } from "./source.js";

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries)
    if (isIntersecting) {
      seen.unobserve(target);
      draw(target).catch(() => target.classList.add("failed"));
    }
});
document.querySelectorAll("canvas.thumb").forEach((canvas) => seen.observe(canvas));

/** Draw an image small: its coarsest level, shrunk by the browser. */
async function draw(canvas) {
  const url = canvas.dataset.zarr;
  const picture = await openImage(url, url.includes("/zarr/v3/images/") ? url : "");
  const level = picture.arrays.length - 1;
  const [height, width] = picture.space.map((axis) => picture.arrays[level].shape[axis]);
  const [tall, wide] = picture.side(level);
  const whole = new OffscreenCanvas(width, height);
  const context = whole.getContext("2d");
  const colours = ["FF0000", "00FF00", "0000FF"];
  for (let row = 0; row * tall < height; row++)
    for (let column = 0; column * wide < width; column++) {
      const image = new ImageData(Math.min(wide, width - column * wide), Math.min(tall, height - row * tall));
      for (let channel = 0; channel < Math.min(3, picture.channels); channel++) {
        const at = picture.shape.map((size, axis) => (axis === picture.channel ? channel : Math.floor(size / 2)));
        const tile = await picture.tile(level, row, column, at);
        const limits = picture.dtype === "uint8" ? { low: 0, high: 255 } : limitsOf(samplesOf([tile], picture.missing));
        if (picture.channels > 1) paintChannel(image.data, tile.values, { ...limits, color: colours[channel], missing: picture.missing });
        else paintMap(image.data, tile.values, { ...limits, map: picture.dtype.startsWith("float") ? "viridis" : "gray", missing: picture.missing });
      }
      context.putImageData(image, column * wide, row * tall);
    }
  const ratio = Math.min(canvas.width / width, canvas.height / height);
  const small = canvas.getContext("2d");
  small.imageSmoothingQuality = "high";
  small.drawImage(whole, (canvas.width - width * ratio) / 2, (canvas.height - height * ratio) / 2, width * ratio, height * ratio);
  canvas.dataset.state = "idle";
}

const rows = document.querySelector("#rows");
if (rows) {
  const { zarr, columns, length } = rows.dataset;
  showRows(rows, columns.split(" ").map((name) => [decodeURIComponent(name), `${zarr}/${name}`]), Number(length)).catch((error) => rows.append(error.message));
}
