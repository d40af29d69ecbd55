/** What pages read from: the server that they came from, over HTTP. */

export class HttpServer {
  /** @param {string} page URL to which those in the page are relative */
  constructor(page) {
    this.page = page;
  }

  /** The whole URL of one that may be relative to the page. */
  at(url) {
    const whole = new URL(url, this.page);
    if (whole.origin !== new URL(this.page).origin) throw new Error("This page reads from its own server only.");
    return whole.href;
  }

  /**
   * Ask for what is at a whole URL.
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
