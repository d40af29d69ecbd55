/** Draws by WebGL2, in two passes: tiles into a buffer of values the size of the screen, then values into colours. */

import { CDF_STEPS } from "./contrast.js";
import { COLOURS, CORNERS, VALUES } from "./shaders.js";
import { STEPS } from "./palettes.js";

const TEXTURES = 400; // tiles kept on the GPU, 256 KiB each
const LOOK_MS = 4; // between two looks whether a picture is there

export class WebGL {
  name = "webgl";
  #textures = new Map(); // tile -> texture, least recently drawn first
  #buffers = new Map(); // fine -> {texture, framebuffer, width, height} of values
  #buffer = null; // that of the last picture
  #small = null; // the same of colours, where they are fewer than the screen's pixels
  #drawing = null; // {fence, began} of a picture that is being drawn
  fine = 1; // of the last picture
  cost = 0; // milliseconds that a picture with one value a pixel takes

  /** @param {HTMLCanvasElement | OffscreenCanvas} canvas @throws {Error} where there is no WebGL2 */
  constructor(canvas) {
    this.canvas = canvas;
    const wanted = { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true };
    const gl = /** @type {WebGL2RenderingContext | null} */ (canvas.getContext("webgl2", wanted));
    if (!gl) throw new Error("This browser has no WebGL2.");
    this.gl = gl;
    this.values = program(gl, CORNERS, VALUES);
    this.colours = program(gl, CORNERS, COLOURS);
    this.palette = texture(gl);
    this.cdf = texture(gl);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.bindVertexArray(gl.createVertexArray());
  }

  get lost() {
    return this.gl.isContextLost();
  }

  /** Whether the last picture is still being drawn: another one would only wait. */
  get busy() {
    return this.#drawing !== null;
  }

  /**
   * @param {{tile: object, box: object}[]} drawing of `scene.drawing`, boxes in values
   * @param {number} fine values to a screen pixel, along each side: 2 smooths edges, less than 1 is quickly drawn
   * @param {import("./colours.js").Style} style
   */
  draw(drawing, fine, style) {
    const [width, height] = [this.canvas.width, this.canvas.height].map((size) => Math.ceil(size * fine));
    this.fine = fine;
    this.#buffer = this.#buffers.get(fine);
    if (this.#buffer?.width !== width || this.#buffer.height !== height) {
      this.#buffer = this.#renewed(this.#buffer, this.gl.R32UI, width, height);
      this.#buffers.set(fine, this.#buffer);
    }
    this.#drawValues(drawing, width, height);
    if (fine < 1) this.#drawSmall(fine, style, width, height);
    else this.#drawColours(fine, style, null, this.canvas.width, this.canvas.height);
    this.#forget();
    this.#measure(fine);
  }

  /** Encoded values of a part of the last picture, row by row. */
  read(left, top, width, height) {
    const { gl } = this;
    const pixels = new Uint32Array(width * height * 4);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#buffer.framebuffer);
    gl.readPixels(left, top, width, height, gl.RGBA_INTEGER, gl.UNSIGNED_INT, pixels);
    return pixels.filter((_, at) => at % 4 === 0);
  }

  #drawValues(drawing, width, height) {
    const { gl, values } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#buffer.framebuffer);
    gl.viewport(0, 0, width, height);
    gl.useProgram(values.program);
    gl.clearBufferuiv(gl.COLOR, 0, [0xffffffff, 0, 0, 0]);
    gl.enable(gl.SCISSOR_TEST);
    gl.activeTexture(gl.TEXTURE0);
    gl.uniform1i(values.at("tile"), 0);
    for (const { tile, box } of drawing) {
      if (box.width <= 0 || box.height <= 0) continue;
      gl.bindTexture(gl.TEXTURE_2D, this.#texture(tile));
      gl.scissor(box.left, box.top, box.width, box.height);
      gl.uniform4f(values.at("box"), box.left, box.top, tile.width / box.width, tile.height / box.height);
      gl.uniform2i(values.at("size"), tile.width, tile.height);
      gl.uniform1i(values.at("blend"), box.width === tile.width && box.height === tile.height ? 0 : 1);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    }
    gl.disable(gl.SCISSOR_TEST);
  }

  /** Colours of fewer pixels than the screen has, stretched over it. */
  #drawSmall(fine, style, width, height) {
    const { gl, canvas } = this;
    if (this.#small?.width !== width || this.#small.height !== height)
      this.#small = this.#renewed(this.#small, gl.RGBA8, width, height);
    this.#drawColours(fine, style, this.#small.framebuffer, width, height);
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.#small.framebuffer);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
    gl.blitFramebuffer(0, 0, width, height, 0, 0, canvas.width, canvas.height, gl.COLOR_BUFFER_BIT, gl.LINEAR);
  }

  #drawColours(fine, style, framebuffer, width, height) {
    const { gl, colours } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.viewport(0, 0, width, height);
    gl.useProgram(colours.program);
    this.#bindTables(style);
    const { low, knee, span } = style.contrast;
    const whole = Math.floor(low);
    gl.uniform1i(colours.at("fine"), Math.max(1, fine));
    gl.uniform1f(colours.at("reach"), 1 / fine);
    gl.uniform1i(colours.at("height"), height);
    gl.uniform1ui(colours.at("whole"), whole);
    gl.uniform4f(colours.at("contrast"), low - whole, 1 / knee, 1 / span, style.equalise);
    gl.uniform4f(colours.at("look"), style.density, style.offset, style.slope, style.edges);
    gl.uniform1i(colours.at("periods"), style.inside === "period" ? 1 : 0);
    gl.uniform1i(colours.at("cyclic"), style.cyclic ? 1 : 0);
    gl.uniform3fv(colours.at("inside"), style.insideColour);
    gl.uniform3fv(colours.at("background"), style.background);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #bindTables(style) {
    const { gl, colours } = this;
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

  /** A framebuffer over a texture of a size, in place of an older one. */
  #renewed(older, format, width, height) {
    const { gl } = this;
    if (older) gl.deleteTexture(older.texture);
    const made = texture(gl);
    const framebuffer = older?.framebuffer ?? gl.createFramebuffer();
    gl.texStorage2D(gl.TEXTURE_2D, 1, format, width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, made, 0);
    return { texture: made, framebuffer, width, height };
  }

  /** Find out how long the GPU, or what stands in for one, draws at the last picture. */
  #measure(fine) {
    const { gl } = this;
    if (this.#drawing) gl.deleteSync(this.#drawing.fence);
    const drawing = { fence: gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0), began: performance.now() };
    this.#drawing = drawing;
    gl.flush();
    const look = () => {
      if (this.#drawing !== drawing) return;
      if (!this.lost && gl.getSyncParameter(drawing.fence, gl.SYNC_STATUS) !== gl.SIGNALED) {
        setTimeout(look, LOOK_MS);
        return;
      }
      gl.deleteSync(drawing.fence);
      this.#drawing = null;
      this.cost = (performance.now() - drawing.began) / fine ** 2;
    };
    setTimeout(look, 0);
  }
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
