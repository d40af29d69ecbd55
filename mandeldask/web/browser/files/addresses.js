/** Put the URL by which this page was opened, with its prefix and key, into what is shown to be copied. */

for (const section of document.querySelectorAll(".addresses")) {
  const root = new URL(section.dataset.root, document.baseURI).href;
  for (const shown of section.querySelectorAll("pre")) {
    const coded = [section.dataset.base, root].map(encodeURIComponent);
    shown.textContent = shown.textContent.replaceAll(section.dataset.base, root).replaceAll(...coded);
  }
}
