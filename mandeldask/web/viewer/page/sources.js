/** The sources of this server: the set at any depth, and the multiscale images in its trees. */

import { Image } from "../data/image.js";
import { Plane } from "../data/plane.js";
import { openGroup } from "../data/server.js";
import { choices, element } from "./panel.js";

/** The server's root, from the URL of this module; it may include a key or a prefix. */
const ROOT = import.meta.url.slice(0, import.meta.url.lastIndexOf("/viewer/") + 1);

const ANYWHERE = "The set, at any depth";

/**
 * The source to show: `?source=` (a path of this server), otherwise the set at any depth if the server has it and shows
 * the set at all, otherwise the first image.
 *
 * @param {URLSearchParams} query @param {Record<string, string>} headers
 * @param {string} julia the c of the Julia set to show, from `juliaIn` of the link
 */
export async function chooseSource(query, headers, julia) {
  if (query.has("source")) {
    const url = new URL(`${query.get("source").replace(/\/+$/, "")}/`, ROOT);
    if (url.origin !== location.origin) throw new Error("This page can show only data of its own server.");
    return new Image(await openGroup(url, headers), headers);
  }
  const root = new URL("zarr/v3/", ROOT);
  const [images, plane] = await Promise.all([findImages(root, headers), openPlane(root, headers, julia)]);
  const offered = [...(plane ? [ANYWHERE] : []), ...images.keys()];
  if (offered.length === 0) throw new Error("This server has no multiscale image.");
  const own = [...images.values()].some(({ ofSet }) => ofSet);
  const first = plane && (own || images.size === 0) ? ANYWHERE : [...images.keys()][0];
  offer(offered, query.has("image") ? query.get("image") : first, query);
  const chosen = query.get("image") ?? first;
  if (chosen === ANYWHERE && plane) return plane;
  if (!images.has(chosen)) throw new Error(`This server has no image “${chosen}”.`);
  return new Image(await openGroup(images.get(chosen).url, headers), headers);
}

function offer(names, chosen, query) {
  choices("source", names, chosen);
  element("source").addEventListener("change", ({ target }) => {
    query.set("image", target.value);
    location.assign(`${location.pathname}?${query}`);
  });
}

/** Groups of this server with a multiscale image, by name. */
async function findImages(root, headers) {
  const group = await openGroup(root, headers);
  const images = [...group.nodes].filter(([, node]) => node.attributes?.ome?.multiscales);
  return new Map(
    images.map(([path, { attributes }]) => [
      path.replace(/\.zarr$/, ""),
      { url: new URL(`${path}/`, root), ofSet: attributes.mandeldask !== undefined && !attributes.mandeldask.julia },
    ]),
  );
}

/** The set at any depth; null if the server does not offer places, or not to this visitor. */
async function openPlane(root, headers, julia) {
  try {
    return await new Plane(root, headers, julia).open();
  } catch (error) {
    if (error.status === 403 || error.status === 404) return null;
    throw error;
  }
}
