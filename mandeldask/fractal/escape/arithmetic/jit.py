"""How kernels are compiled: what Python calls, and what only kernels call.

For every function numba compiles a wrapper for Python and one for C, which takes longer than many of ours do. Nobody
calls them from C, and what only kernels call stays an ordinary function for Python.

Where an argument is None, numba leaves out the branches that this rules out: of kernels for fields, nobody waits for
more than what was asked for. Branches must say `is None` or `is not None` of an argument for that.

Kernels copy and add up by loops: a slice that is set to another compiles the error message for unequal shapes with it,
strings and all, for seconds.
"""

from __future__ import annotations

import numba
from numba.extending import register_jitable

kernel = numba.njit(  # type: ignore[call-overload]  # numba's stubs lack the last option
    nogil=True, cache=True, error_model="numpy", no_cfunc_wrapper=True
)
"""Compiles what Python calls; kept on disk with all that it calls."""

inner = register_jitable(error_model="numpy", no_cfunc_wrapper=True)
"""Compiles into the kernels that call it."""

contracted = register_jitable(error_model="numpy", no_cfunc_wrapper=True, fastmath={"contract"})
"""As `inner`, where a product and a sum may round once instead of twice."""

inlined = register_jitable(error_model="numpy", no_cfunc_wrapper=True, forceinline=True)
"""Compiles into the very loops of the kernels that call it, which a call would keep from being vectorised."""
