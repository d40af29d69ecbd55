/** Write and read a text chunk in PNG files, with the link to the place that they show. */

const KEYWORD = "mandeldask";

/**
 * @param {Blob} blob a PNG
 * @param {string} link
 * @returns {Promise<Blob>} the same PNG with the link
 */
export async function withLink(blob, link) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const text = new TextEncoder().encode(`tEXt${KEYWORD}\0${link}`);
  const chunk = new Uint8Array(text.length + 8);
  const numbers = new DataView(chunk.buffer);
  numbers.setUint32(0, text.length - 4);
  chunk.set(text, 4);
  numbers.setUint32(text.length + 4, crc32(text));
  const header = 33; // signature and IHDR
  return new Blob([bytes.slice(0, header), chunk, bytes.slice(header)], { type: "image/png" });
}

/** The link in a PNG, or null. @param {ArrayBuffer} buffer */
export function linkIn(buffer) {
  const numbers = new DataView(buffer);
  const text = new TextDecoder("latin1");
  for (let at = 8; at + 12 <= buffer.byteLength; ) {
    const length = numbers.getUint32(at);
    if (text.decode(new Uint8Array(buffer, at + 4, 4)) === "tEXt" && at + 12 + length <= buffer.byteLength) {
      const [keyword, link] = text.decode(new Uint8Array(buffer, at + 8, length)).split("\0");
      if (keyword === KEYWORD) return link;
    }
    at += length + 12;
  }
  return null;
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
