/** The list of places: those of the page, and the visitor's bookmarks, which are stored in this browser. */

const STORE = "mandeldask.bookmarks";
const MOST = 200;

/** Places that come with the page: [{name, re, im, width}], texts. */
export async function loadPlaces() {
  const response = await fetch(new URL("../places.json", import.meta.url));
  return response.ok ? await response.json() : [];
}

export class Bookmarks {
  /** @returns {{name: string, hash: string}[]} newest first */
  get all() {
    try {
      const kept = JSON.parse(localStorage.getItem(STORE) ?? "[]");
      return Array.isArray(kept)
        ? kept.filter(({ name, hash }) => typeof name === "string" && typeof hash === "string")
        : [];
    } catch {
      return []; // written by another page, or not available
    }
  }

  add(name, hash) {
    this.#keep([{ name, hash }, ...this.all.filter((each) => each.hash !== hash)].slice(0, MOST));
  }

  remove(hash) {
    this.#keep(this.all.filter((each) => each.hash !== hash));
  }

  #keep(list) {
    try {
      localStorage.setItem(STORE, JSON.stringify(list));
    } catch (error) {
      throw new Error("This browser does not store bookmarks for this page.", { cause: error });
    }
  }
}

/** Add a button for each place to a list element. `removed` is given if places can be removed from the list. */
export function listPlaces(list, places, chosen, removed) {
  list.replaceChildren(
    ...places.map((place) => {
      const item = document.createElement("li");
      item.append(button(place.name, `Go to ${place.name}`, () => chosen(place)));
      if (removed) item.append(button("×", `Remove ${place.name}`, () => removed(place)));
      return item;
    }),
  );
}

function button(text, label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}
