"""Runs of the command on small volumes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from mvrecon.cli import main
from mvrecon.formats.mesh import Mesh, read_mesh_ply

QUICK = ("--mesh.max_faces", "3000000")  # more than there are: simplifying takes time


@dataclass
class VolumeRun:
    """A volume in a file, and a run of it."""

    path: Path
    run_dir: Path
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *options: str) -> tuple[int, str]:
        """Exit code, and what was told of errors, warnings and progress."""
        code = main(["volume", str(self.path), "-o", str(self.run_dir), *QUICK, *options])
        return code, self.capsys.readouterr().err

    @property
    def pieces(self) -> list[dict[str, Any]]:
        pieces: list[dict[str, Any]] = json.loads((self.run_dir / "pieces.json").read_text())[
            "pieces"
        ]
        return pieces

    @property
    def mesh(self) -> Mesh:
        return read_mesh_ply(self.run_dir / "mesh.ply")


@pytest.fixture
def volume_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., VolumeRun]:
    """A function that stores values (k, j, i) with their grid as NIfTI."""

    def make(
        values_kji: NDArray[Any], ras_from_ijk_44: NDArray[Any] | None = None, intent: str = "none"
    ) -> VolumeRun:
        grid = np.eye(4) if ras_from_ijk_44 is None else ras_from_ijk_44
        image = nibabel.Nifti1Image(values_kji.transpose(2, 1, 0), grid)
        image.header.set_intent(intent)
        nibabel.save(image, tmp_path / "volume.nii")
        return VolumeRun(tmp_path / "volume.nii", tmp_path / "run", capsys)

    return make
