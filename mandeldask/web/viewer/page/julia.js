/** The Julia set of a point of the plane: a pyramid of the server, shown by this page in a tab of its own. */

/** @param {import("./explorer.js").Explorer} explorer @param {number[]} at screen pixels from the middle */
export function openJulia({ source, view }, [dx, dy]) {
  if (source.kind !== "plane") return;
  const query = new URLSearchParams(location.search);
  query.delete("image");
  query.set("source", source.juliaPath(view, dx, dy));
  window.open(`${location.pathname}?${query}`, "_blank");
}
