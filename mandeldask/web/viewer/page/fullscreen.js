/** The picture on the whole screen, where the browser can do that. */

import { element } from "./panel.js";

/** Go to full screen, or back; browsers may refuse. */
export async function toggleFullscreen() {
  if (!document.fullscreenEnabled) return;
  const going = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  await going.catch(console.warn);
}

export function startFullscreen() {
  const button = element("fullscreen");
  button.hidden = !document.fullscreenEnabled;
  button.addEventListener("click", toggleFullscreen);
  document.addEventListener("fullscreenchange", () => {
    button.setAttribute("aria-pressed", String(document.fullscreenElement !== null));
  });
}
