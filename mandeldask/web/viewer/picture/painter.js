/** The best painter that this browser supports. */

import { Raster } from "./raster.js";
import { WebGL } from "./webgl.js";

/** @param {HTMLCanvasElement} canvas @param {string | null} wanted "canvas" for the one without WebGL */
export function painterFor(canvas, wanted = null) {
  if (wanted === "canvas") return new Raster(canvas);
  try {
    return new WebGL(canvas);
  } catch (error) {
    console.warn(error);
    return new Raster(canvas);
  }
}
