"""A server in a separate process: `python web_process.py '{"port": 0, ...}'`, options of `mandeldask.app.serve`."""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial

import numpy as np

from mandeldask.app import serve
from mandeldask.zarrview.nodes import Array, Group


def read(window):
    """Return rows of 7s; rows from 1000 on take a second, from 3900 on as good as for ever."""
    if window[0].start >= 1000:
        time.sleep(1000 if window[0].start >= 3900 else 1)
    return np.full([part.stop - part.start for part in window], 7, "u1")


def pid(window):
    """Return the process that answers."""
    return np.full([part.stop - part.start for part in window], os.getpid(), "i8")


say = partial(print, flush=True)


TREE = Group(
    {
        "a": Array((4000, 4), np.dtype("u1"), read, (10, 4), dims=("y", "x"), fingerprint="sevens"),
        "pid": Array((4000,), np.dtype("i8"), pid, (1,), dims=("n",), fingerprint="pid"),
    }
)

if __name__ == "__main__":
    serve(TREE, name="demo", started=say, **json.loads(sys.argv[1]))
    say("stopped")
