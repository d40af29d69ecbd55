"""Types of the arrays that kernels take, as short names for their signatures."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Floats32: TypeAlias = NDArray[np.float32]
FieldValues: TypeAlias = NDArray[np.floating[Any]]
"""float32 or float64: a kernel is compiled for the one that the caller has."""
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Counts: TypeAlias = NDArray[np.uint32]
"""Escape counts or periods."""
Verdicts: TypeAlias = NDArray[np.int8]
Limbs: TypeAlias = NDArray[np.uint64]
Flag: TypeAlias = NDArray[np.uint8]
"""The cancellation flag, shape (1,)."""
