"""Inner loops in machine code, by Numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function compiled for the types of its arguments, when it is first called.

    The machine code is kept beside the source or in the user's cache folder, so that a machine
    compiles once; where neither can be written to, each process compiles. Sums keep their order
    (no fast-math), so that results do not depend on the processor. Indices are not checked.
    """
    try:
        inner = numba.njit(function, cache=True, nogil=True, error_model="numpy")
    except RuntimeError:  # Numba's word for: no folder for the cache can be written to.
        inner = numba.njit(function, nogil=True, error_model="numpy")
    return cast(F, inner)
