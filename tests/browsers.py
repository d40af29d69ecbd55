"""The browser of the tests."""

from __future__ import annotations

import shutil

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
"""Chromium without windows, where it is packaged: it takes less CPU time than the whole one."""
