/** The source of data of pages: the server that sent them, over HTTP. */

export class HttpServer {
  /** @param {string} page base of relative URLs in the page */
  constructor(page) {
    this.page = page;
  }

  /** The absolute URL for a URL that may be relative to the page. */
  at(url) {
    const whole = new URL(url, this.page);
    if (whole.origin !== new URL(this.page).origin) throw new Error("This page can read only from its own server.");
    return whole.href;
  }

  /**
   * Request an absolute URL.
   *
   * @param {string} url
   * @param {{ range?: string, signal?: AbortSignal }} options
   * @returns {Promise<{ status: number, bytes: Uint8Array }>}
   */
  async ask(url, { range, signal } = {}) {
    const response = await fetch(url, { headers: range ? { range } : {}, signal });
    return { status: response.status, bytes: new Uint8Array(await response.arrayBuffer()) };
  }
}
