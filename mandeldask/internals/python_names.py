"""Names of Python's standard library that are not public."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def before_threads_end(call: Callable[[], None]) -> None:
    """Call `call` when the process ends, before Python waits for its threads; `atexit` would call it after that.

    Where Python has no such function, `call` is not called.
    """
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        register(call)
