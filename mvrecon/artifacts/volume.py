"""What the stages of a volume hand over: values on a grid, what is to be modelled, its pieces."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mvrecon.engine.stage import StageOutput, StoredItems
from mvrecon.formats.slabs import Shape, SlabFile

VOLUME_ITEM = "volume.npy"  # (k, j, i): slices, rows, columns
GRID_ITEM = "grid.json"
LEVEL_ITEM = "level.npy"  # float16 (k, j, i), above zero inside
# A level is never nearer to zero than this (it is of the order of a thousand): corners of the
# surface stay apart from the voxels, and from each other.
LEAST_LEVEL = 0.3
PARTS_ITEM = "parts.json"
PIECES_ITEM = "pieces.json"

Axes = Literal["RAS", "LPS"]
NOT_FOR_DIAGNOSIS = "Not for diagnosis."


def off_zero(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """A level at least `LEAST_LEVEL` off zero; zero is inside."""
    least = np.float32(LEAST_LEVEL)
    return np.where(level >= 0, np.maximum(level, least), np.minimum(level, -least))


@dataclass(frozen=True)
class VolumeGrid:
    """Where the voxels of a volume lie, and what their values are.

    Attributes:
        format: what it was read from.
        shape_kji: slices, rows, columns.
        ras_from_ijk_44: from (column, row, slice, 1), voxel centres at integers, to millimetres to
            the patient's right, front and head.
        values: `hounsfield`, `labels` or `intensity`.
        minimum, maximum: of the values.
    """

    format: str
    shape_kji: Shape
    ras_from_ijk_44: NDArray[np.float64]
    values: str
    minimum: float
    maximum: float

    @property
    def spacing_3(self) -> NDArray[np.float64]:
        """Millimetres between columns, rows and slices."""
        return np.asarray(np.linalg.norm(self.ras_from_ijk_44[:3, :3], axis=0))

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return float(abs(np.linalg.det(self.ras_from_ijk_44[:3, :3])))

    def with_thin_slices(self, factor: int) -> VolumeGrid:
        """The grid with so many slices in the place of each, which fill the same space."""
        slices, rows, columns = self.shape_kji
        thick_from_thin_44 = np.diag([1.0, 1.0, 1.0 / factor, 1.0])
        thick_from_thin_44[2, 3] = 0.5 / factor - 0.5
        return replace(
            self,
            shape_kji=(slices * factor, rows, columns),
            ras_from_ijk_44=self.ras_from_ijk_44 @ thick_from_thin_44,
        )

    def to_json(self) -> str:
        """As text."""
        fields = asdict(self) | {"ras_from_ijk_44": self.ras_from_ijk_44.tolist(), "unit": "mm"}
        return json.dumps(fields, indent=1)

    @classmethod
    def load(cls, path: Path) -> VolumeGrid:
        """Read what `to_json` gave."""
        fields = json.loads(path.read_text())
        del fields["unit"]
        fields["ras_from_ijk_44"] = np.array(fields["ras_from_ijk_44"])
        fields["shape_kji"] = tuple(fields["shape_kji"])
        return cls(**fields)


@dataclass(frozen=True)
class Part:
    """A thing to be modelled.

    Attributes:
        name: also of its file.
        label: value of its voxels in a map of labels; None if the level tells it.
        box_kji: first and last (exclusive) slice, row and column that it has voxels in.
        voxels: how many.
    """

    name: str
    label: int | None
    box_kji: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    voxels: int


def save_parts(out: StageOutput, parts: Sequence[Part]) -> None:
    """Store what is to be modelled."""
    out.write_text(PARTS_ITEM, json.dumps([asdict(part) for part in parts], indent=1))


def load_parts(path: Path) -> list[Part]:
    """Read what `save_parts` stored."""
    parts = []
    for fields in json.loads(path.read_text()):
        slices, rows, columns = (tuple(ends) for ends in fields.pop("box_kji"))
        parts.append(Part(**fields, box_kji=(slices, rows, columns)))
    return parts


@dataclass(frozen=True)
class Piece:
    """A connected piece of a model.

    Attributes:
        part: that it belongs to.
        volume_mm3: that it encloses, less its cavities.
        area_mm2: of its surface, with that of its cavities.
        cavities: closed surfaces inside it.
        low_3, high_3: ends of its box, millimetres.
        cut: whether the edge of the volume cuts it, where it is closed by a flat cap.
        faces: triangles.
    """

    part: str
    volume_mm3: float
    area_mm2: float
    cavities: int
    low_3: tuple[float, float, float]
    high_3: tuple[float, float, float]
    cut: bool
    faces: int


def pieces_json(pieces: Sequence[Piece], axes: Axes) -> str:
    """Pieces as text, with the axes and the unit that they are in."""
    fields: Mapping[str, Any] = {
        "note": NOT_FOR_DIAGNOSIS,
        "axes": axes,
        "unit": "mm",
        "pieces": [asdict(piece) for piece in pieces],
    }
    return json.dumps(fields, indent=1)


def load_pieces(path: Path) -> tuple[list[Piece], Axes]:
    """Read what `pieces_json` gave."""
    fields = json.loads(path.read_text())
    pieces = [
        Piece(**one | {end: tuple(one[end]) for end in ("low_3", "high_3")})
        for one in fields["pieces"]
    ]
    return pieces, fields["axes"]


def values_of(load: StoredItems, denoise: StoredItems) -> SlabFile:
    """The values, denoised and with slices put in between where they were."""
    source = denoise if VOLUME_ITEM in denoise.names() else load
    return SlabFile(source.path(VOLUME_ITEM))


def grid_of(load: StoredItems, denoise: StoredItems) -> VolumeGrid:
    """The grid of `values_of`, and of what is segmented."""
    source = denoise if GRID_ITEM in denoise.names() else load
    return VolumeGrid.load(source.path(GRID_ITEM))
