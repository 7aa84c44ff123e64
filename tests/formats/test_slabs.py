"""Arrays written and read some slices at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvrecon.formats import slabs
from mvrecon.formats.slabs import SlabFile, write_slabs

VALUES = np.random.default_rng(0).normal(size=(7, 3, 2)).astype(np.float32)


def test_what_is_written_in_slabs_is_an_npy_file(tmp_path: Path) -> None:
    write_slabs(tmp_path / "a.npy", (7, 3, 2), np.float32, [VALUES[:2], VALUES[2:6], VALUES[6:]])
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), VALUES)


def test_slabs_come_in_order_with_their_halo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    monkeypatch.setattr(slabs, "SLAB_BYTES", 4 * 3 * 2 * 3)
    file = SlabFile(tmp_path / "a.npy")
    read = list(file.slabs(halo=1))
    assert [(inner.start, inner.stop) for inner, _ in read] == [(0, 3), (3, 6), (6, 7)]
    for inner, values in read:
        np.testing.assert_array_equal(values, VALUES[max(inner.start - 1, 0) : inner.stop + 1])


def test_a_wrong_number_of_slices_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="5 slices instead of 7"):
        write_slabs(tmp_path / "a.npy", (7, 3, 2), np.float32, [VALUES[:5]])
