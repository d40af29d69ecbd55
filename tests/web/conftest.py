from __future__ import annotations

import pytest

from web_server import serving


@pytest.fixture(scope="session")
def demo():
    with serving(allow_origins=("*",)) as client:
        yield client
