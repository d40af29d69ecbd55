"""Names of pynrrd that are not public."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nrrd

if TYPE_CHECKING:
    from collections.abc import Mapping


def numpy_types() -> Mapping[str, str]:
    """Return numpy's name of each element type of NRRD, without byte order."""
    types: Mapping[str, str] = nrrd.reader._TYPEMAP_NRRD2NUMPY  # noqa: SLF001
    return types
