"""The command `mandeldask serve` in a separate process, as for users.

In the same process, a client that holds the GIL while it waits, as zarrs does, would wait forever.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Served:
    """A running `mandeldask serve`."""

    process: subprocess.Popen
    lines: list[str]
    """What it printed until it was ready."""

    def printed(self, label):
        """Return the URL printed after a label."""
        (url,) = [line.split()[-1] for line in self.lines if re.match(rf"{re.escape(label)}\s+http", line)]
        return url

    @property
    def page(self):
        """URL of the viewer page."""
        return self.printed("Viewer")

    def url(self, zarr_format):
        """URL of the pyramid in "v2" or "v3"."""
        return self.printed(f"Zarr {zarr_format}")

    def stop(self, by=signal.SIGINT, seconds=60):
        """Send a signal; return the exit code and what else was printed."""
        self.process.send_signal(by)
        rest, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, rest


@contextlib.contextmanager
def serving(*arguments):
    """Run `mandeldask serve` at a free port."""
    command = [sys.executable, "-m", "mandeldask", "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("Ctrl-C"):
                break
        else:
            raise AssertionError("\n".join(lines))
        try:
            yield Served(process, lines)
        finally:
            process.terminate()
            process.stdout.close()
