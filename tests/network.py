"""A network that is not there, for this process and its children."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

OFFLINE = Path(__file__).parent / "offline"
_hooked: list[bool] = []


@contextmanager
def no_network(log: Path) -> Iterator[None]:
    """Whoever asks for it gets an error, and a line in the log."""
    spec = importlib.util.spec_from_file_location("_offline", OFFLINE / "sitecustomize.py")
    assert spec
    assert spec.loader
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MVRECON_TEST_NETWORK_LOG", str(log))
        # The children of a run take over this path.
        patch.setattr(sys, "path", [str(OFFLINE), *sys.path])
        patch.setenv(
            "PYTHONPATH", os.pathsep.join([str(OFFLINE), os.environ.get("PYTHONPATH", "")])
        )
        if not _hooked:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
            _hooked.append(True)
        yield
