"""An array whose chunks take their time and can be cancelled, as a heavy kernel's can."""

from __future__ import annotations

import threading
import time

import numpy as np

from mandeldask.cancellation import current
from mandeldask.zarrview.nodes import Array


class Slow:
    """Counts how many computations began and how many ran to their end."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.began = self.ended = 0
        self.lock = threading.Lock()

    def __call__(self, window):
        with self.lock:
            self.began += 1
        began = time.monotonic()
        while time.monotonic() < began + self.seconds:  # which a test may shorten
            current().check()
            time.sleep(0.002)
        with self.lock:
            self.ended += 1
        return np.full([s.stop - s.start for s in window], window[0].start % 256, "u1")

    def array(self, chunks=1000):
        return Array((4 * chunks, 4), np.dtype("u1"), self, (4, 4), dims=("y", "x"), fingerprint=f"slow-{id(self)}")
