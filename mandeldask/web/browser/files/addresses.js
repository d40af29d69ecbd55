/** Insert the URL with which this page was opened, including its prefix and key, into the text that users can copy. */
export function showAddresses(page, server) {
  for (const section of page.querySelectorAll(".addresses")) {
    const root = server.at(section.dataset.root);
    for (const shown of section.querySelectorAll("pre")) {
      const coded = [section.dataset.base, root].map(encodeURIComponent);
      shown.textContent = shown.textContent.replaceAll(section.dataset.base, root).replaceAll(...coded);
    }
  }
}
