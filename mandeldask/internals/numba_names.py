"""Names of numba and llvmlite for compiling, caching and extending kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir
from llvmlite.binding import ffi
from numba.core import types
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import register_pass
from numba.core.event import install_recorder
from numba.core.runtime.nrt import rtsys
from numba.core.typed_passes import NativeLowering
from numba.core.types import float64, int64
from numba.extending import intrinsic as _intrinsic
from numba.extending import register_jitable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Compiler",
    "FunctionCache",
    "InlinedCode",
    "LinkedCode",
    "NativeLowering",
    "compiler_locks",
    "float64",
    "install_recorder",
    "int64",
    "intrinsic",
    "ir",
    "keep_compiled",
    "load_compiled",
    "register_jitable",
    "register_pass",
    "types",
]

intrinsic: Callable[[Callable[..., Any]], Any] = _intrinsic
"""numba's `intrinsic`; its own annotations would require callers to pass the typing context."""


class LinkedCode(JITCodeLibrary):
    """Code of a function that is only linked into the code of its callers: no separate machine code is made of it."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()  # type: ignore[no-untyped-call]
        self._verify_declare_only_symbols()  # type: ignore[no-untyped-call]
        self._finalized = True


class InlinedCode(LinkedCode):
    """LinkedCode of a function that is inlined into every caller, and optimised there."""

    def _optimize_final_module(self) -> None:
        pass


def keep_compiled(compiled: Any, cache: FunctionCache) -> None:
    """Make a dispatcher save its compiled code in `cache`, as numba does with ``cache=True``."""
    compiled._cache = cache  # noqa: SLF001


def load_compiled(cache: FunctionCache, signature: Any, context: Any) -> Any:
    """Return a function's compiled code from `cache`, or None.

    As `FunctionCache.load_overload`, without importing what numba needs only to compile: 200 modules, a third of a
    second.
    """
    rtsys.initialize(context)
    with cache._guard_against_spurious_io_errors():  # noqa: SLF001
        return cache._load_overload(signature, context)  # type: ignore[no-untyped-call]  # noqa: SLF001


def compiler_locks() -> tuple[Any, ...]:
    """Return the locks that threads hold while they compile, in the order in which they are taken."""
    return global_compiler_lock._lock, ffi.lib._lock._lock  # noqa: SLF001
