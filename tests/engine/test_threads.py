"""Native threads, one where items run side by side."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import pytest

from mvrecon.engine.threads import set_single_torch_thread, single_opencv_thread


@pytest.fixture
def two_threads() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("two_threads")
def test_opencv_has_one_thread_while_it_lasts() -> None:
    with single_opencv_thread():
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == 2
    with pytest.raises(ValueError, match="body"), single_opencv_thread():
        raise ValueError("body")
    assert cv2.getNumThreads() == 2


def test_torch_has_one_thread_in_a_pool() -> None:
    import torch

    before = torch.get_num_threads()
    with ThreadPoolExecutor(1, initializer=set_single_torch_thread) as pool:
        assert pool.submit(torch.get_num_threads).result() == 1
    assert torch.get_num_threads() == before


def test_torch_is_not_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    set_single_torch_thread()
    assert "torch" not in sys.modules
