"""Notice Ctrl-C while a kernel runs in the main thread.

Python calls the handlers of signals in the main thread between two bytecodes, so not before a kernel returns. But the
function in C that receives a signal first writes its number to the file descriptor of `signal.set_wakeup_fd`. A thread
that reads from there stops the kernel.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mandeldask.cancellation import Cancellation

_NONE = -1
"""No file descriptor."""


class InterruptWatch:
    """Stops a computation of the main thread at Ctrl-C; Python then raises KeyboardInterrupt there."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.settimeout(0)
        self._watched: Cancellation | None = None
        self._stopped: Cancellation | None = None
        threading.Thread(target=self._read, name="mandeldask Ctrl-C", daemon=True).start()

    def has_stopped(self, cancellation: Cancellation) -> bool:
        """Whether Ctrl-C cancelled `cancellation`."""
        return self._stopped is cancellation

    def begin(self, cancellation: Cancellation) -> bool:
        """Cancel `cancellation` at Ctrl-C from now on; return False if the file descriptor is in use.

        To be called in the main thread, as `end`.
        """
        used = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        if used != _NONE:  # of asyncio, or of a computation that a signal handler interrupted
            signal.set_wakeup_fd(used)
            return False
        self._watched = cancellation
        return True

    def end(self) -> None:
        """Stop watching."""
        self._watched = None
        signal.set_wakeup_fd(_NONE)

    def _read(self) -> None:
        while numbers := self._reader.recv(64):
            watched = self._watched
            if signal.SIGINT in numbers and watched is not None:
                self._stopped = watched
                watched.cancel()


def interrupt_watch() -> InterruptWatch | None:
    """Return the watch of this process; None if Ctrl-C does not raise KeyboardInterrupt here."""
    global _watch  # noqa: PLW0603  used by the main thread only
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return None
    if _watch is None:
        _watch = InterruptWatch()
    return _watch


def _forget() -> None:
    """Use another watch in a forked process, which has no thread that reads."""
    global _watch  # noqa: PLW0603
    _watch = None


_watch: InterruptWatch | None = None

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
