/**
 * Draws with WebGL2, in two passes: tiles to a buffer of values with the size of the screen, then values to colours.
 * Parts that are already on the canvas are not drawn again.
 */

import { NONE } from "../data/encoding.js";
import { changes, drawnNow, grown, shared } from "./changes.js";
import { CDF_STEPS } from "./contrast.js";
import { coloursOf, CORNERS, STRETCHED, VALUES } from "./shaders.js";
import { STEPS } from "./palettes.js";

const TEXTURES = 400; // number of tiles cached on the GPU, 256 KiB each
const LOOK_MS = 4; // interval of checks whether a picture is complete
const NEAR = 3; // values beyond the rows of a part on which its colours depend, and those of the pixels next to it
const TELLING = 1 / 20; // least share of a picture whose time gives that of a whole one

export class WebGL {
  name = "webgl";
  #colours = new Map(); // values per pixel -> program
  #textures = new Map(); // tile -> texture, least recently drawn first
  #buffers = new Map(); // fine -> {texture, framebuffer, width, height, entries} of values
  #buffer = null; // buffer of the last picture
  #shown = null; // {fine, entries, look, width, height, rows} of the picture on the canvas
  #small = null; // buffer of colours, if they are fewer than the screen's pixels
  #drawing = null; // {fence, began} of the picture that is being drawn
  fine = 1; // values per pixel of the last picture
  cost = 0; // milliseconds for a picture with one value per pixel

  /** @param {HTMLCanvasElement | OffscreenCanvas} canvas @throws {Error} if there is no WebGL2 */
  constructor(canvas) {
    this.canvas = canvas;
    const wanted = { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true };
    const gl = /** @type {WebGL2RenderingContext | null} */ (canvas.getContext("webgl2", wanted));
    if (!gl) throw new Error("This browser does not support WebGL2.");
    this.gl = gl;
    this.values = program(gl, CORNERS, VALUES);
    this.stretched = program(gl, CORNERS, STRETCHED);
    this.palette = texture(gl);
    this.cdf = texture(gl);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.bindVertexArray(gl.createVertexArray());
  }

  get lost() {
    return this.gl.isContextLost();
  }

  /** Whether the last picture is still being drawn: another one would have to wait. */
  get busy() {
    return this.#drawing !== null;
  }

  /**
   * Draw the parts that are not on the canvas yet.
   *
   * @param {{tile: object, box: object}[]} drawing result of `scene.drawing`, boxes in values
   * @param {number} fine values per screen pixel along each side; less than 1 is drawn faster
   * @param {import("./colours.js").Style} style
   */
  draw(drawing, fine, style) {
    const { canvas } = this;
    const entries = drawnNow(drawing);
    const buffer = this.#bufferOf(fine);
    const whole = [{ left: 0, top: 0, width: buffer.width, height: buffer.height }];
    const within = (boxes) => boxes.map((box) => shared(box, whole[0])).filter(Boolean);
    const values = buffer.entries ? within(changes(buffer.entries, entries)) : whole;
    const shown = this.#isShown(fine, style) ? within(changes(this.#shown.entries, entries)) : whole;
    this.fine = fine;
    this.#shown = { fine, entries, look: lookOf(style), width: canvas.width, height: canvas.height };
    this.#drawn(values, shown, entries, fine, style);
  }

  /**
   * Draw the next rows of a picture with 2 x 2 values per screen pixel, which smooths edges.
   *
   * @param {{tile: object, box: object}[]} drawing boxes in values
   * @param {import("./colours.js").Style} style
   * @param {number} milliseconds time limit of these rows
   * @returns {boolean} whether the picture is complete
   */
  refine(drawing, style, milliseconds) {
    const { width, height } = this.canvas;
    const entries = drawnNow(drawing);
    const asBefore = this.#isShown(2, style) && changes(this.#shown.entries, entries).length === 0;
    if (!asBefore) this.#shown = { fine: 2, entries, look: lookOf(style), width, height, rows: 0 };
    const top = this.#shown.rows;
    if (top >= height) return true;
    const rows = Math.max(16, Math.floor((height * milliseconds) / (4 * this.cost || 1)));
    const bottom = Math.min(height, top + rows);
    this.#bufferOf(2).entries = null;
    this.fine = 2;
    this.#shown.rows = bottom;
    const band = { left: 0, top: 2 * top, width: 2 * width, height: 2 * (bottom - top) };
    this.#drawn([grown(band, NEAR)], [band], entries, 2, style);
    return bottom === height;
  }

  /** Whether the canvas shows a picture whose colours follow the same rules. */
  #isShown(fine, style) {
    const { canvas } = this;
    const shown = this.#shown;
    if (shown?.fine !== fine || shown.width !== canvas.width || shown.height !== canvas.height) return false;
    return lookOf(style).every((part, at) => part === shown.look[at]);
  }

  #bufferOf(fine) {
    const [width, height] = [this.canvas.width, this.canvas.height].map((size) => Math.ceil(size * fine));
    let buffer = this.#buffers.get(fine);
    if (buffer?.width !== width || buffer.height !== height) {
      buffer = this.#renewed(buffer, this.gl.R32UI, width, height);
      this.#buffers.set(fine, buffer);
    }
    return buffer;
  }

  /** @param {object[]} values boxes of values to draw @param {object[]} shown boxes of values whose colours must change */
  #drawn(values, shown, entries, fine, style) {
    const buffer = this.#bufferOf(fine);
    this.#buffer = buffer;
    if (values.length === 0 && shown.length === 0) return;
    this.#drawValues(values, entries, buffer);
    buffer.entries = entries;
    if (fine < 1) this.#drawSmall(fine, style, buffer.width, buffer.height);
    else this.#drawColours(fine, style, null, this.canvas.width, this.canvas.height, shown);
    this.#forget();
    this.#measure(shown.reduce((sum, { width, height }) => sum + width * height, 0));
  }

  /** Encoded values of a part of the last picture, row by row. */
  read(left, top, width, height) {
    const { gl } = this;
    const pixels = new Uint32Array(width * height * 4);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#buffer.framebuffer);
    gl.readPixels(left, top, width, height, gl.RGBA_INTEGER, gl.UNSIGNED_INT, pixels);
    return pixels.filter((_, at) => at % 4 === 0);
  }

  #drawValues(boxes, entries, { framebuffer, width, height }) {
    const { gl, values } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.viewport(0, 0, width, height);
    gl.useProgram(values.program);
    gl.enable(gl.SCISSOR_TEST);
    gl.activeTexture(gl.TEXTURE0);
    gl.uniform1i(values.at("tile"), 0);
    for (const box of boxes) {
      gl.scissor(box.left, box.top, box.width, box.height);
      gl.clearBufferuiv(gl.COLOR, 0, [NONE, 0, 0, 0]);
    }
    for (const { tile, box } of entries) {
      const parts = boxes.map((each) => shared(each, box)).filter(Boolean);
      if (parts.length === 0) continue;
      gl.bindTexture(gl.TEXTURE_2D, this.#texture(tile));
      gl.uniform4f(values.at("box"), box.left, box.top, tile.width / box.width, tile.height / box.height);
      gl.uniform2i(values.at("size"), tile.width, tile.height);
      gl.uniform1i(values.at("blend"), box.width === tile.width && box.height === tile.height ? 0 : 1);
      for (const part of parts) {
        gl.scissor(part.left, part.top, part.width, part.height);
        gl.drawArrays(gl.TRIANGLES, 0, 3);
      }
    }
    gl.disable(gl.SCISSOR_TEST);
  }

  /** Draw colours with fewer pixels than the screen, stretched over it. */
  #drawSmall(fine, style, width, height) {
    const { gl, canvas } = this;
    if (this.#small?.width !== width || this.#small.height !== height)
      this.#small = this.#renewed(this.#small, gl.RGBA8, width, height);
    this.#drawColours(fine, style, this.#small.framebuffer, width, height, [{ left: 0, top: 0, width, height }]);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.useProgram(this.stretched.program);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.#small.texture);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
      gl.texParameteri(gl.TEXTURE_2D, filter, gl.LINEAR);
    gl.uniform1i(this.stretched.at("picture"), 0);
    gl.uniform2f(this.stretched.at("size"), canvas.width, canvas.height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /** The program of the second pass for a number of values per pixel, compiled on first use. */
  #coloursOf(pixels) {
    if (!this.#colours.has(pixels)) this.#colours.set(pixels, program(this.gl, CORNERS, coloursOf(pixels)));
    return this.#colours.get(pixels);
  }

  /** @param {object[]} boxes of values whose colours to draw, including neighbours whose light depends on them */
  #drawColours(fine, style, framebuffer, width, height, boxes) {
    const { gl } = this;
    const colours = this.#coloursOf(Math.max(1, fine));
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.viewport(0, 0, width, height);
    gl.useProgram(colours.program);
    this.#bindTables(style, colours);
    const { low, knee, span } = style.contrast;
    const whole = Math.floor(low);
    gl.uniform2i(colours.at("last"), this.#buffer.width - 1, this.#buffer.height - 1);
    gl.uniform1f(colours.at("reach"), 1 / fine);
    gl.uniform1i(colours.at("height"), height);
    gl.uniform1ui(colours.at("whole"), whole);
    gl.uniform4f(colours.at("contrast"), low - whole, 1 / knee, 1 / span, style.equalise);
    gl.uniform4f(colours.at("look"), style.density, style.offset, style.slope, style.edges);
    gl.uniform1i(colours.at("periods"), style.inside === "period" ? 1 : 0);
    gl.uniform1i(colours.at("cyclic"), style.cyclic ? 1 : 0);
    gl.uniform3fv(colours.at("inside"), style.insideColour);
    gl.uniform3fv(colours.at("background"), style.background);
    const pixels = Math.max(1, fine);
    gl.enable(gl.SCISSOR_TEST);
    for (const box of boxes) {
      const [left, top] = [box.left, box.top].map((edge) => Math.floor((edge - 1) / pixels));
      const [right, bottom] = [box.left + box.width, box.top + box.height].map((edge) =>
        Math.ceil((edge + 1) / pixels),
      );
      gl.scissor(left, height - bottom, right - left, bottom - top);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    }
    gl.disable(gl.SCISSOR_TEST);
  }

  #bindTables(style, colours) {
    const { gl } = this;
    const bind = (unit, name, bound) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, bound);
      gl.uniform1i(colours.at(name), unit);
    };
    bind(0, "values", this.#buffer.texture);
    bind(1, "palette", this.palette);
    if (this.shownPalette !== style.palette) {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, STEPS, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, style.palette);
      this.shownPalette = style.palette;
    }
    bind(2, "cdf", this.cdf);
    if (this.shownCdf !== style.contrast.cdf) {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, CDF_STEPS, 1, 0, gl.RED, gl.FLOAT, style.contrast.cdf);
      this.shownCdf = style.contrast.cdf;
    }
  }

  #texture(tile) {
    const { gl } = this;
    let known = this.#textures.get(tile);
    this.#textures.delete(tile);
    if (!known) known = { texture: texture(gl), version: -1 };
    this.#textures.set(tile, known);
    if (known.version !== tile.version) {
      gl.bindTexture(gl.TEXTURE_2D, known.texture);
      const { width, height } = tile;
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32UI, width, height, 0, gl.RED_INTEGER, gl.UNSIGNED_INT, tile.fixed);
      known.version = tile.version;
    }
    return known.texture;
  }

  #forget() {
    for (const [tile, { texture: old }] of this.#textures) {
      if (this.#textures.size <= TEXTURES) return;
      this.gl.deleteTexture(old);
      this.#textures.delete(tile);
    }
  }

  /** A framebuffer with a texture of a given size, which replaces an older one. */
  #renewed(older, format, width, height) {
    const { gl } = this;
    if (older) gl.deleteTexture(older.texture);
    const made = texture(gl);
    const framebuffer = older?.framebuffer ?? gl.createFramebuffer();
    gl.texStorage2D(gl.TEXTURE_2D, 1, format, width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, made, 0);
    return { texture: made, framebuffer, width, height, entries: null };
  }

  /** Measure how long the GPU, or software rendering, takes for the last picture, which has a number of values. */
  #measure(count) {
    const { gl } = this;
    if (this.#drawing) gl.deleteSync(this.#drawing.fence);
    const drawing = { fence: gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0), began: performance.now() };
    this.#drawing = drawing;
    gl.flush();
    const share = count / (this.canvas.width * this.canvas.height);
    const look = () => {
      if (this.#drawing !== drawing) return;
      if (!this.lost && gl.getSyncParameter(drawing.fence, gl.SYNC_STATUS) !== gl.SIGNALED) {
        setTimeout(look, LOOK_MS);
        return;
      }
      gl.deleteSync(drawing.fence);
      this.#drawing = null;
      if (share >= TELLING) this.cost = (performance.now() - drawing.began) / share;
    };
    setTimeout(look, 0);
  }
}

/** Everything on which colours depend, except the values. */
function lookOf(style) {
  const { palette, contrast, density, offset, equalise, slope, edges, inside, insideColour, background, cyclic } =
    style;
  return [palette, contrast, density, offset, equalise, slope, edges, inside, insideColour, background, cyclic];
}

/** A bound texture without filtering. */
function texture(gl) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
    gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
  for (const wrap of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, wrap, gl.CLAMP_TO_EDGE);
  return made;
}

function program(gl, vertex, fragment) {
  const made = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ]) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
  const places = new Map();
  const at = (name) => {
    if (!places.has(name)) places.set(name, gl.getUniformLocation(made, name));
    return places.get(name);
  };
  return { program: made, at };
}
