"""How numba compiles our functions: those that only kernels call are compiled only as parts of the kernels.

By default numba also makes separate machine code of each such function, with a wrapper for Python, and again for every
function that it calls. The code of the kernels does not need this.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mandeldask.internals.numba_names import Compiler, InlinedCode, LinkedCode, NativeLowering, register_pass

if TYPE_CHECKING:
    from collections.abc import Iterator


@register_pass(mutates_CFG=True, analysis_only=False)
class _LinkedLowering(NativeLowering):
    """Makes the LLVM code of a function, for its callers."""

    _name = "mandeldask_linked_lowering"

    def run_pass(self, state: Any) -> bool:
        code = InlinedCode if state.flags.forceinline else LinkedCode
        state.library = code(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags = state.flags.copy()
        state.flags.no_compile = True
        state.flags.no_cpython_wrapper = True
        state.flags.no_cfunc_wrapper = True
        super().run_pass(state)
        stand_in = object().__dir__  # numba looks the code up by a built-in function; each of these is a new one
        state.targetctx.insert_user_function(stand_in, state.cr.fndesc, [state.library])
        state.cr = state.cr._replace(cfunc=stand_in)
        return True


class LinkedCompiler(Compiler):
    """Compiles functions that only kernels call."""

    def define_pipelines(self) -> Any:
        """Return numba's own passes, with `_LinkedLowering` in place of `NativeLowering`."""
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [
                (_LinkedLowering if step is NativeLowering else step, says) for step, says in pipeline.passes
            ]
        return pipelines


class KernelCompiler(Compiler):
    """Compiles functions that Python calls."""

    def compile_extra(self, func: Any) -> Any:
        """Compile with the garbage collector off: it takes a tenth of the time and finds almost nothing."""
        with _without_garbage_collection():
            return super().compile_extra(func)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
