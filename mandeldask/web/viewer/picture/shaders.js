/** The two passes in GLSL. `colours.js` defines what the second computes; the names are the same. */

import { CAPPED, NONE, PROVEN, UNIT, UNKNOWN } from "../data/encoding.js";
import { CDF_STEPS } from "./contrast.js";
import { STEPS } from "./palettes.js";

const HEAD = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
precision highp sampler2D;
const uint NONE = ${NONE}u;
const uint CAPPED = ${CAPPED}u;
const uint UNKNOWN = ${UNKNOWN}u;
const uint PROVEN = ${PROVEN}u;
`;

/** One triangle that covers the screen. */
export const CORNERS = `#version 300 es
void main() {
  gl_Position = vec4(float((gl_VertexID & 1) << 2) - 1.0, float((gl_VertexID & 2) << 1) - 1.0, 0.0, 1.0);
}`;

/** The first pass: the values of one tile at each pixel of the screen. Pixels sample a tile at their corners. */
export const VALUES = `${HEAD}
uniform usampler2D tile;
uniform vec4 box; // left, top, values per pixel across and down
uniform ivec2 size;
uniform bool blend; // if not 1:1, interpolate between values, so that slopes stay smooth
out uint value;

uint at(ivec2 texel) { return texelFetch(tile, clamp(texel, ivec2(0), size - 1), 0).r; }

void main() {
  vec2 place = (floor(gl_FragCoord.xy) - box.xy) * box.zw;
  value = at(ivec2(floor(place + 0.5)));
  if (!blend || value >= PROVEN) return;
  ivec2 first = ivec2(floor(place));
  vec2 part = place - floor(place);
  uint a = at(first), b = at(first + ivec2(1, 0)), c = at(first + ivec2(0, 1)), d = at(first + ivec2(1, 1));
  if (max(max(a, b), max(c, d)) >= PROVEN) return;
  uint least = min(min(a, b), min(c, d));
  float up = mix(float(a - least), float(b - least), part.x);
  float down = mix(float(c - least), float(d - least), part.x);
  value = least + uint(mix(up, down, part.y));
}`;

/** The second pass: colours, from `fine` x `fine` values per pixel, without a loop: it would double the time in software. */
export const coloursOf = (fine) => `${HEAD}
uniform usampler2D values;
uniform sampler2D palette;
uniform sampler2D cdf;
uniform ivec2 last; // column and row of the last value
uniform float reach; // screen pixels from one value to the next
uniform int height;
uniform uint whole;
uniform vec4 contrast; // fraction of low, 1 / knee, 1 / span, equalise
uniform vec4 look; // density, offset, slope, edges
uniform bool periods;
uniform bool cyclic;
uniform vec3 inside;
uniform vec3 background;
out vec4 shown;

uint at(ivec2 place) {
  return texelFetch(values, clamp(place, ivec2(0), last), 0).r;
}

vec3 inPalette(float turn) {
  float position = fract(turn) * ${STEPS}.0;
  int step = int(floor(position)) % ${STEPS};
  vec3 here = texelFetch(palette, ivec2(step, 0), 0).rgb;
  vec3 next = texelFetch(palette, ivec2((step + 1) % ${STEPS}, 0), 0).rgb;
  return 255.0 * mix(here, next, fract(position));
}

float shareBelow(float within) {
  float position = within * ${CDF_STEPS - 1}.0;
  int step = min(${CDF_STEPS - 2}, int(floor(position)));
  float here = texelFetch(cdf, ivec2(step, 0), 0).r;
  float next = texelFetch(cdf, ivec2(step + 1, 0), 0).r;
  return here + (next - here) * (position - float(step));
}

float apart(uint from, uint to) { return float(int(to - from)); }

float difference(uint value, uint before, uint after) {
  bool back = before < PROVEN, ahead = after < PROVEN;
  if (back && ahead) return apart(before, after) / 2.0;
  if (ahead) return apart(value, after);
  return back ? apart(before, value) : 0.0;
}

float light(uint value, ivec2 place) {
  if (look.z == 0.0 && look.w == 0.0) return 0.0;
  float unit = ${UNIT}.0 * reach;
  float across = difference(value, at(place - ivec2(1, 0)), at(place + ivec2(1, 0))) / unit;
  float along = difference(value, at(place - ivec2(0, 1)), at(place + ivec2(0, 1))) / unit;
  float steep = sqrt(across * across + along * along);
  float fade = 1.0 / ((steep + 0.03) * (1.0 + steep * steep / 4.0));
  float distance = 1.0 / (0.6931472 * steep + 1e-6);
  return look.z * fade * (across * 0.6 + along * 0.8) - look.w * exp(-0.5 * distance);
}

vec3 unescaped(uint value, ivec2 pixel) {
  if (value == CAPPED) {
    float stripe = (pixel.x + pixel.y) % 9 == 0 ? 34.0 : 12.0;
    return inside + stripe * vec3(0.7, 0.8, 1.3);
  }
  if (value == UNKNOWN || !periods) return inside;
  return 72.0 + (1.0 - 72.0 / 255.0) * 0.85 * inPalette(fract(float(value - PROVEN) * 0.61803398875) + look.y);
}

vec3 underLight(vec3 rgb, float light) {
  return light > 0.0 ? rgb + (255.0 - rgb) * min(1.0, light) * 0.55 : rgb * max(0.0, 1.0 + light);
}

vec3 colour(ivec2 place, ivec2 pixel) {
  uint value = at(place);
  if (value == NONE) return background;
  if (value >= PROVEN) return unescaped(value, pixel);
  float above = (float(int(value - whole)) - contrast.x) * contrast.y;
  float position = (above < 0.0 ? -log2(1.0 - above) : log2(1.0 + above)) * contrast.z;
  float within = clamp(position, 0.0, 1.0);
  float equal = shareBelow(within) + position - within;
  float spot = mix(position, equal, contrast.w);
  if (!cyclic) spot = clamp(spot, 0.0, 1.0) * ${1 - 1 / STEPS};
  return underLight(inPalette(spot * look.x + look.y), light(value, place));
}

void main() {
  ivec2 pixel = ivec2(int(gl_FragCoord.x), height - 1 - int(gl_FragCoord.y));
  vec3 sum = ${sumOf(fine)};
  shown = vec4(sum / ${255 * fine * fine}.0, 1.0);
}`;

/** The sum of the colours of all values of a pixel. */
function sumOf(fine) {
  const places = Array.from({ length: fine * fine }, (_, at) => `${at % fine}, ${Math.floor(at / fine)}`);
  return places.map((place) => `colour(pixel * ${fine} + ivec2(${place}), pixel)`).join(" + ");
}

/** A picture with fewer pixels stretched over the screen; with software rendering, this is much faster than a blit. */
export const STRETCHED = `${HEAD}
uniform sampler2D picture;
uniform vec2 size; // of the screen
out vec4 shown;
void main() { shown = texture(picture, gl_FragCoord.xy / size); }`;
