/** Convert the state of an image's page to the fragment of its URL, and back. */

/**
 * Keep the values of some controls in a fragment: read them from it now, and whenever it changes.
 *
 * @param {{ read: () => string, write: (text: string) => void, listen: (changed: () => void) => void }} state
 * @param {Record<string, HTMLInputElement | HTMLSelectElement>} controls by their names in the fragment
 * @param {() => void} show called after a change
 * @returns {() => void} writes the values
 */
export function keep(state, controls, show) {
  const take = () => {
    const said = new URLSearchParams(state.read().replace(/^#/, ""));
    for (const [name, control] of Object.entries(controls)) {
      const before = control.value;
      control.value = said.get(name) ?? before;
      if (!control.value) control.value = before; // the control does not have this value
    }
  };
  take();
  state.listen(() => {
    take();
    show();
  });
  const values = () => Object.entries(controls).map(([name, { value }]) => [name, value]);
  return () => state.write(new URLSearchParams(values()).toString());
}

/** Return the state as text. */
export function written({ viewport, look, picture }) {
  const parts = new URLSearchParams();
  if (!viewport.fitted) {
    parts.set("x", short(viewport.x));
    parts.set("y", short(viewport.y));
    parts.set("scale", String(Number(viewport.scale.toPrecision(9))));
  }
  for (const axis of picture.others) parts.set(picture.dims[axis], String(look.at[axis]));
  if (look.part) parts.set("part", picture.partName(look.part));
  parts.set("as", look.mode);
  const channels = look.mode === "channels" ? look.channels : look.mode === "map" ? look.channels.slice(0, 1) : [];
  channels.forEach((channel, index) => {
    const drawn =
      look.mode === "map"
        ? `${channel.map}${channel.inverted ? "!" : ""}`
        : `${channel.color}${channel.active ? "" : "!"}`;
    parts.set(`ch${index}`, [channel.low, channel.high, drawn].join("_"));
  });
  return parts.toString();
}

const short = (value) => String(Math.round(value * 100) / 100);

/** The part of an element with the name in a fragment, or the first part. */
export function partIn(text, picture) {
  const wanted = new URLSearchParams(text.replace(/^#/, "")).get("part");
  return Math.max(
    0,
    picture.parts.findIndex(({ name }) => name === wanted),
  );
}

/** Apply a fragment to the state; invalid values are ignored. */
export function read(text, { viewport, look, picture }) {
  const parts = new URLSearchParams(text.replace(/^#/, ""));
  const number = (name) => (parts.has(name) && parts.get(name) !== "" ? Number(parts.get(name)) : Number.NaN);
  for (const axis of picture.others) {
    const at = number(picture.dims[axis]);
    if (Number.isInteger(at) && at >= 0 && at < picture.shape[axis]) look.at[axis] = at;
  }
  if (parts.has("part")) look.part = partIn(text, picture);
  const mode = parts.get("as");
  if (["map", "labels"].includes(mode) || (mode === "channels" && picture.channels > 1)) look.mode = mode;
  look.channels.forEach((channel, index) => {
    const found = /^(-?[\d.e+-]+)_(-?[\d.e+-]+)_([A-Za-z0-9]+)(!?)$/.exec(parts.get(`ch${index}`) ?? "");
    if (!found || !Number.isFinite(Number(found[1])) || !Number.isFinite(Number(found[2]))) return;
    Object.assign(channel, { low: Number(found[1]), high: Number(found[2]) });
    if (look.mode === "map") Object.assign(channel, { map: found[3], inverted: Boolean(found[4]) });
    else if (/^[0-9A-F]{6}$/i.test(found[3])) Object.assign(channel, { color: found[3], active: !found[4] });
  });
  const [x, y, scale] = [number("x"), number("y"), number("scale")];
  if ([x, y, scale].every(Number.isFinite) && scale > 0)
    Object.assign(viewport, { x, y, scale: Math.min(scale, viewport.most), fitted: false });
}
