"""Names of numba and llvmlite by which kernels are compiled, kept and extended."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.caching import FunctionCache
from numba.core.event import install_recorder
from numba.core.types import float64, int64
from numba.extending import intrinsic, register_jitable

__all__ = [
    "FunctionCache",
    "float64",
    "install_recorder",
    "int64",
    "intrinsic",
    "ir",
    "keep_compiled",
    "register_jitable",
    "types",
]


def keep_compiled(compiled: Any, cache: FunctionCache) -> None:
    """Have a dispatcher keep what it compiles in `cache`, as ``cache=True`` does in numba's own."""
    compiled._cache = cache  # noqa: SLF001
