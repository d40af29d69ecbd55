"""Names of numba and llvmlite by which kernels are compiled, kept and extended."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from llvmlite.binding import ffi
from numba.core import types
from numba.core.caching import FunctionCache
from numba.core.compiler_lock import global_compiler_lock
from numba.core.event import install_recorder
from numba.core.types import float64, int64
from numba.extending import intrinsic as _intrinsic
from numba.extending import register_jitable

__all__ = [
    "FunctionCache",
    "compiler_locks",
    "float64",
    "install_recorder",
    "int64",
    "intrinsic",
    "ir",
    "keep_compiled",
    "register_jitable",
    "types",
]

intrinsic: Any = _intrinsic
"""As numba's, whose annotations have its callers pass the typing context too."""


def keep_compiled(compiled: Any, cache: FunctionCache) -> None:
    """Have a dispatcher keep what it compiles in `cache`, as ``cache=True`` does in numba's own."""
    compiled._cache = cache  # noqa: SLF001


def compiler_locks() -> tuple[Any, ...]:
    """Return the locks that threads hold while they compile, in the order in which they are taken."""
    return global_compiler_lock._lock, ffi.lib._lock._lock  # noqa: SLF001
