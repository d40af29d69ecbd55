"""How kernels are compiled: what Python calls, and what only kernels call.

For every function numba compiles a wrapper for Python and one for C, which often takes longer than the function itself.
No function here has a wrapper for C. Functions that only kernels call have none for Python and no machine code of
their own: they are linked into the kernels.

If an argument is None, numba leaves out the branches that this rules out, so a kernel is compiled only for the fields
that were requested. Such branches must test an argument by `is None` or `is not None`.

Kernels copy and sum in loops: an assignment between slices would also compile the error message for unequal shapes,
which takes seconds.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numba

from mandeldask.fractal.escape.arithmetic import compiler_at_fork as _registered  # noqa: F401  forks wait for kernels
from mandeldask.fractal.escape.arithmetic import kernel_lock, optional_kernels
from mandeldask.fractal.escape.arithmetic.compilers import KernelCompiler, LinkedCompiler
from mandeldask.internals.numba_names import (
    FunctionCache,
    compiler_locks,
    keep_compiled,
    load_compiled,
    register_jitable,
)
from mandeldask.progress import Work, announce

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

F = TypeVar("F", bound="Callable[..., Any]")


class _Decorator(Protocol):
    """Returns a function of the same type, so that its calls are checked."""

    def __call__(self, function: F, /) -> F:
        """Return the function."""


inner: _Decorator = register_jitable(error_model="numpy", pipeline_class=LinkedCompiler)
"""Compiles a function as a part of the kernels that call it."""

contracted: _Decorator = register_jitable(error_model="numpy", pipeline_class=LinkedCompiler, fastmath={"contract"})
"""As `inner`; a product and a sum may be fused and round once."""

inlined: _Decorator = register_jitable(error_model="numpy", pipeline_class=LinkedCompiler, forceinline=True)
"""Inlines a function into the loops of the kernels that call it; a call would prevent vectorisation."""


class _KernelCache(FunctionCache):
    """The files in which numba caches compiled code. If one cannot be read or written, its kernel is compiled again."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        folder, module = Path(self.cache_path), function.__module__.rpartition(".")[2]
        self._lock = kernel_lock.KernelLock(folder / f"{module}.{function.__name__}.lock")
        self._label = f"compiling {module.replace('_', ' ')}, once on this machine"
        self._work: Work | None = None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled code for a signature; None if the caller has to compile it, and then holds the lock."""
        found = self._load(sig, target_context)
        if found is None:
            kernel_lock.note_missing_kernel(Path(self.cache_path))
            if optional_kernels.is_optional():
                raise optional_kernels.KernelMissing
            self._lock.acquire()
            found = self._load(sig, target_context)  # another process may have compiled it
        if found is None:
            self._work = Work(self._label, "", 1)
            announce(self._work, 0)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save compiled code, if the disk has space."""
        try:
            super().save_overload(sig, data)
        except Exception as error:  # noqa: BLE001  as below
            _warn_once(f"compiled kernels cannot be kept in {self.cache_path} ({type(error).__name__}: {error})")

    def release(self) -> None:
        """Release the lock, so that another process can compile."""
        self._lock.release()
        if self._work is not None:
            announce(self._work, 1)
            self._work = None

    def _load(self, sig: Any, target_context: Any) -> Any:
        try:
            return load_compiled(self, sig, target_context)
        except Exception as error:  # noqa: BLE001  pickle raises almost anything for damaged files
            _warn_once(f"compiled kernels in {self.cache_path} cannot be read ({type(error).__name__}: {error})")
            with suppress(Exception):
                self.flush()  # an index that cannot be read could not be added to
            return None


def kernel(function: F) -> F:
    """Compile a function that Python calls; the code is cached on disk where possible, with all that it calls."""
    options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "pipeline_class": KernelCompiler}
    compiled: Any = numba.njit(**options)(function)  # type: ignore[call-overload]  # numba's stubs lack the last one
    try:
        cache = _KernelCache(function)
    except (RuntimeError, OSError) as error:
        _warn_once(f"compiled kernels can be kept nowhere ({error}); NUMBA_CACHE_DIR may name a folder")
        return compiled
    keep_compiled(compiled, cache)
    compiled.compile = partial(_compile_locked, compiled.compile, cache)
    return compiled


def _compile_locked(compile_: Callable[[Any], Any], cache: _KernelCache, signature: Any) -> Any:
    """Load or compile the code for a signature, one thread at a time.

    Raises
    ------
    mandeldask.fractal.escape.arithmetic.optional_kernels.KernelMissing
        If it is not compiled yet, or another thread is compiling, and the caller can work without it.
    """
    lock, longest = compiler_locks()[0], optional_kernels.WAIT_S if optional_kernels.is_optional() else -1
    if not lock.acquire(timeout=longest):
        raise optional_kernels.KernelMissing
    try:
        return compile_(signature)
    finally:
        cache.release()
        lock.release()


def _warn_once(what: str) -> None:
    """Warn once about cached kernels that cannot be read or written."""
    if not _warned:
        log.warning("%s: they are compiled now, which may take a minute", what)
    _warned.add(what)


_warned: set[str] = set()
