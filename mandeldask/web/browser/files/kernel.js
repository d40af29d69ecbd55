/** A notebook's kernel instead of a server: pages in a cell, with data from the notebook's own channel. */

import { element } from "./dom.js";
import { showPage } from "./show.js";

const BASE = "https://kernel.invalid";

/** A source of data for pages, like `HttpServer`. */
class KernelServer {
  /**
   * @param {Channel} channel
   * @param {string} page path and query of the page
   */
  constructor(channel, page) {
    this.channel = channel;
    this.page = `${BASE}${page}`;
  }

  at(url) {
    const whole = new URL(url, this.page);
    if (whole.origin !== BASE) throw new Error("This page can read only from its own kernel.");
    return whole.href;
  }

  async ask(url, options) {
    return await this.channel.ask(url.slice(BASE.length), options);
  }
}

/** Requests to the kernel, and their replies. */
class Channel {
  constructor(model) {
    this.model = model;
    this.open = new Map(); // callback of each pending request
    this.name = crypto.randomUUID(); // all views of a cell receive all replies
    this.count = 0;
    model.on("msg:custom", (message, buffers) => this.#answered(message, buffers));
  }

  /** @param {string} target @param {{ range?: string, signal?: AbortSignal }} options */
  ask(target, { range, signal } = {}) {
    const id = `${this.name}-${++this.count}`;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      signal?.addEventListener("abort", () => {
        if (!this.open.delete(id)) return;
        this.model.send({ id, stop: true });
        reject(signal.reason);
      });
      this.open.set(id, resolve);
      this.model.send({ id, target, range });
    });
  }

  #answered({ id, status }, [body]) {
    const resolve = this.open.get(id);
    if (!resolve) return;
    this.open.delete(id);
    const bytes =
      body instanceof DataView ? new Uint8Array(body.buffer, body.byteOffset, body.byteLength) : new Uint8Array(body);
    resolve({ status, bytes });
  }
}

/** Show a widget in `el`; anywidget calls this function for each cell that displays it. */
export function render({ model, el }, style) {
  const height = `${model.get("height")}px`;
  el.dataset.lmSuppressShortcuts = "true"; // key presses go to the picture, not to the notebook
  const url = model.get("url");
  if (url) {
    el.append(
      element("iframe", {
        src: url,
        title: "mandeldask",
        style: `width: 100%; height: ${height}; border: 0; border-radius: 10px`,
      }),
    );
    return;
  }
  for (const name of ["keydown", "keyup", "keypress"]) el.addEventListener(name, (event) => event.stopPropagation());
  const body = element("div", { class: "mandeldask" });
  body.style.setProperty("--stage-height", height);
  el.style.colorScheme = isDark(document.body) ? "dark" : "light";
  const root = el.attachShadow?.({ mode: "open" }) ?? el;
  root.append(element("style", {}, style), body);
  const channel = new Channel(model);
  let written = model.get("state");
  const listeners = [];
  const state = {
    read: () => model.get("state"),
    write: (text) => {
      written = text;
      model.set("state", text);
      model.save_changes();
    },
    listen: (changed) => listeners.push(changed),
  };

  async function open(page) {
    body.dataset.page = page;
    const server = new KernelServer(channel, page);
    const { bytes } = await channel.ask(page);
    if (body.dataset.page !== page) return; // another page was requested meanwhile
    const sent = new DOMParser().parseFromString(new TextDecoder().decode(bytes), "text/html");
    listeners.length = 0;
    body.replaceChildren(...sent.body.childNodes);
    for (const needless of body.querySelectorAll(".addresses, noscript")) needless.remove();
    showPage(body, server, state);
  }

  function go(href) {
    const to = new URL(href, `${BASE}${body.dataset.page}`);
    model.set("state", "");
    model.set("page", to.pathname + to.search);
    model.save_changes();
  }

  body.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link) return;
    event.preventDefault();
    go(link.getAttribute("href"));
  });
  body.addEventListener("submit", (event) => {
    if (!event.target.matches(".search")) return;
    event.preventDefault();
    go(`?${new URLSearchParams(/** @type {any} */ (new FormData(event.target)))}`);
  });
  const moved = () => open(model.get("page")).catch((error) => body.replaceChildren(error.message));
  const changed = () => {
    if (model.get("state") !== written) for (const each of listeners) each();
  };
  model.on("change:page", moved);
  model.on("change:state", changed);
  moved();
  return () => {
    model.off("change:page", moved);
    model.off("change:state", changed);
  };
}

/** Whether a page is dark: notebooks have their own themes. */
function isDark(page) {
  const [red, green, blue, opaque = 1] = getComputedStyle(page)
    .backgroundColor.match(/[\d.]+/g)
    ?.map(Number) ?? [255, 255, 255];
  return opaque > 0 && 0.3 * red + 0.6 * green + 0.1 * blue < 128;
}
