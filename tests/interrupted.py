"""A command of mandeldask that Ctrl-C interrupts while it paints."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

REPORTED = (
    "from mandeldask.cli import main; from mandeldask.scene import Scene; bands = Scene.bands;"
    "Scene.bands = lambda scene, report: print('painting', flush=True) or bands(scene, report); main()"
)


def interrupted(*arguments: str) -> tuple[int, str, str]:
    """Run a command, press Ctrl-C in its kernel; return its exit code and what it printed after that."""
    command = [sys.executable, "-c", REPORTED, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "painting\n"
        time.sleep(1)  # into the kernel, usually
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    return running.returncode, out, err
