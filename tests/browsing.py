"""The pixels that the pages of arrays draw, and the expected pixels, computed with numpy."""

from __future__ import annotations

import base64
from urllib.parse import urlencode

import matplotlib as mpl
import numpy as np

SIZE = {"width": 1200, "height": 900}
IDLE = "#view[data-state=idle]"


def shown(tab, address, path, wait=IDLE, **state):
    """Open a page in the state that a link of it says."""
    tab.goto(f"{address}/browse/{path}" + (f"#{urlencode(state)}" if state else ""))
    tab.wait_for_selector(wait)


def pixels(tab):
    """Return what the canvas shows, as rows of RGBA."""
    script = """(canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let text = "";
      for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
      return [btoa(text), canvas.width, canvas.height];
    }"""
    data, width, height = tab.locator(".stage canvas").evaluate(script)
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)


def expected(rgba, seen, x, y, scale=1.0):
    """Return the window of an image, given as RGBA at one pixel an element, that a view shows around its middle."""
    height, width = seen.shape[:2]
    left, top = round(width / 2 - x * scale), round(height / 2 - y * scale)
    whole = np.zeros((height, width, 4), np.uint8)
    rows = slice(max(0, top), min(height, top + rgba.shape[0]))
    columns = slice(max(0, left), min(width, left + rgba.shape[1]))
    whole[rows, columns] = rgba[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return whole


def mapped(values, low, high, name):
    """Return values through contrast limits and a colour map, as matplotlib draws them; missing ones are clear."""
    place = np.clip(np.floor((values.astype(np.float64) - low) * (256 / (high - low))), 0, 255)
    rgba = mpl.colormaps[name](np.nan_to_num(place).astype(int), bytes=True)
    rgba[np.isnan(values)] = 0
    return rgba
