"""The order of the test files."""

from __future__ import annotations


def pytest_collection_modifyitems(items):
    """Begin with the tests of browsers and proxies, which take longest: then all processes end together."""
    external = {item.path for item in items if item.get_closest_marker("external")}
    items.sort(key=lambda item: item.path not in external)
