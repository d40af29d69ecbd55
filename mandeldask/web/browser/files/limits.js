/** The initial limits and colours of a part of an image. */

import { limitsOf, samplesOf } from "./colour.js";

/** Contrast limits of a channel, from its coarsest level or from its type. */
export async function firstLimits(picture, at, channel, part) {
  if (picture.partName(part) === "phase") return { low: -Math.PI, high: Math.PI };
  const dtype = picture.dtypeOf(part);
  if (dtype === "bool") return { low: 0, high: 1 };
  if (dtype === "uint8") return { low: 0, high: 255 };
  const coarsest = picture.arrays.length - 1;
  const place = [...at];
  if (picture.channel >= 0) place[picture.channel] = channel;
  return limitsOf(samplesOf([await picture.tile(coarsest, 0, 0, place, part)], picture.missing));
}

/** The colour map of a part: cyclic for phases. */
export function mapOf(picture, part) {
  if (picture.partName(part) === "phase") return "twilight";
  return picture.dtypeOf(part).startsWith("float") ? "viridis" : "gray";
}
