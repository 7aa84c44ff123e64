"""The pipeline from Python: the same runs as by command line, results as arrays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mvrecon
from mvrecon.errors import InputError, UsageError
from tests.conftest import REPOSITORY
from tests.test_pipeline import CLIP, SMALL

HEAVY = ("torch", "cv2", "open3d", "pycolmap", "scipy", "pydantic", "numpy")


def test_import_is_cheap() -> None:
    code = "import sys, mvrecon; print(*sys.modules)"
    words = [sys.executable, "-c", code]
    told = subprocess.run(words, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert not set(HEAVY) & set(told.stdout.split())


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        _ = mvrecon.fly  # type: ignore[attr-defined]


def test_a_short_run_is_that_of_the_command_line(tmp_path: Path) -> None:
    from mvrecon import cli

    small = {"max_size": 320, "end_s": 1.2}
    found = mvrecon.run(CLIP, tmp_path / "run", until="pose", frames=small)
    cameras = found.cameras
    assert len(cameras) >= 2
    first = next(iter(cameras.values()))
    assert first.world_from_cam.shape == (4, 4)
    assert max(first.camera.width, first.camera.height) == 320
    before = (tmp_path / "run/store/pose/latest").read_text()
    words = ["run", str(CLIP), "-o", str(tmp_path / "run"), "--until", "pose", *SMALL[:2]]
    assert cli.main(words) == 0
    assert (tmp_path / "run/store/pose/latest").read_text() == before
    assert len(list((tmp_path / "run/store/pose").glob("*.log"))) <= 1
    again = mvrecon.open_run(tmp_path / "run")
    assert list(again.cameras) == list(cameras)
    assert again.export("tum", tmp_path).read_text()
    with pytest.raises(InputError, match=r"no mesh\.ply"):
        _ = again.mesh
    with pytest.raises(InputError, match="no depth"):
        again.depth("000000")


def test_wrong_use_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        mvrecon.run(tmp_path / "missing.mp4")
    with pytest.raises(UsageError, match="did you mean 'max_size'"):
        mvrecon.run(CLIP, tmp_path / "run", depth={"max_sise": 480})
    with pytest.raises(UsageError, match="no stage 'poses'"):
        mvrecon.run(CLIP, tmp_path / "run", until="poses")
    with pytest.raises(UsageError, match="not a run directory"):
        mvrecon.open_run(tmp_path)
