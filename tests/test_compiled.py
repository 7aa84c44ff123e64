from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from mvrecon.compiled import compiled


def add_up(values_n: np.ndarray) -> np.float32:
    total = np.float32(0)
    for value in values_n:
        total += value
    return total


def test_sums_keep_their_order() -> None:
    values_n = np.array([1e8, 1.0, -1e8, 1.0], np.float32)
    assert compiled(add_up)(values_n) == add_up(values_n) == 1.0


def test_without_a_folder_for_the_cache_it_compiles_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, cached = numba.njit, []

    def njit(function: Any, cache: bool = False, **options: Any) -> Any:
        cached.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(function, **options)

    monkeypatch.setattr(numba, "njit", njit)
    assert compiled(add_up)(np.ones(3, np.float32)) == 3.0
    assert cached == [True, False]
