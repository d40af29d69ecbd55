/** Put the URL by which this page was opened, with its prefix and key, into what is shown to be copied. */
export function showAddresses(page, server) {
  for (const section of page.querySelectorAll(".addresses")) {
    const root = server.at(section.dataset.root);
    for (const shown of section.querySelectorAll("pre")) {
      const coded = [section.dataset.base, root].map(encodeURIComponent);
      shown.textContent = shown.textContent.replaceAll(section.dataset.base, root).replaceAll(...coded);
    }
  }
}
