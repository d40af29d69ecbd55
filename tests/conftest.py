"""Kernels that are compiled before the tests begin, the order of the test files, garbage, and the end of what hangs."""

from __future__ import annotations

import faulthandler
import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import pytest_timeout

COMPILING = """
from mandeldask.fractal.compiling import DEPTH, FIRST_VIEW, compute
from mandeldask.fractal.escape.first_run import compile_first

compile_first(with_fields=True)
compute(DEPTH + FIRST_VIEW)  # the second process, which a missing kernel starts, begins with the first view
"""

HERE = Path(__file__).parent
os.environ["SSL_CERT_DIR"] = str(HERE)  # no certificates: each client would read all of the system's
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE / "started"), os.environ.get("PYTHONPATH")]))
gc.disable()  # until all modules are imported: a third of the time of the imports went into searches for garbage


def pytest_configure(config):
    """Compile the kernels before several processes need all of them at once; that takes seconds if they are kept."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each process that a test starts would compile all sources
        subprocess.run([sys.executable, "-c", COMPILING], check=True)


def pytest_collection_modifyitems(items):
    """Begin with the tests of browsers and proxies, which take longest: then all processes end together."""
    external = {item.path for item in items if item.get_closest_marker("external")}
    items.sort(key=lambda item: item.path not in external)


def pytest_collection_finish():
    """Leave modules and test items, half a million objects, out of the searches for garbage in the tests."""
    gc.enable()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Limit the time of each attempt: pytest-timeout limits the first alone, and only where Python handles signals."""
    settings = pytest_timeout._get_item_settings(item)
    if not settings.timeout:
        return
    if getattr(item, "execution_count", 1) > 1:
        item.ihook.pytest_timeout_set_timer(item=item, settings=settings)
    if LIMIT["seconds"] != settings.timeout or time.monotonic() > LIMIT["since"] + 60:  # setting it takes milliseconds
        LIMIT.update(seconds=settings.timeout, since=time.monotonic())
        faulthandler.dump_traceback_later(2 * settings.timeout, exit=True, file=sys.__stderr__)


LIMIT = {"seconds": 0.0, "since": 0.0}
"""The limit that ends the process, whatever it does, and when it was set."""


def pytest_sessionfinish():
    """End the limit with the tests."""
    faulthandler.cancel_dump_traceback_later()
