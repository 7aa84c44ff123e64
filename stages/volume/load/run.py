"""The load stage's run: any format in, values slab by slab and their grid out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.volume import GRID_ITEM, VOLUME_ITEM, VolumeGrid
from mvrecon.engine.stage import StageContext, Summary
from mvrecon.errors import InputError
from mvrecon.formats.slabs import write_slabs
from mvrecon.formats.volumes.dicom import DicomOptions
from mvrecon.formats.volumes.opening import open_volume
from mvrecon.formats.volumes.source import VolumeSource, optional_module

if TYPE_CHECKING:
    from stages.volume.load.config import LoadConfig


def run_load(context: StageContext[LoadConfig]) -> Summary:
    """Read the user's volume."""
    # What the last stage needs, and lacks, is told before the first has worked.
    optional_module("skimage.measure", "scikit-image")
    config = context.config
    dicom = DicomOptions(config.series, config.uneven == "interpolate")
    source = open_volume(context.raw_input, context.out.scratch(), config.volume, dicom)
    checked = Checked()
    context.out.write(
        VOLUME_ITEM,
        lambda path: write_slabs(
            path, source.shape_kji, source.dtype, checked.pass_on(context, source)
        ),
    )
    values = source.values if config.values == "auto" else config.values
    if values == "labels" and checked.fractions:
        raise InputError(
            f"{context.raw_input.name} is said to hold labels, but its values are fractions",
            "Leave --load.values away",
        )
    grid = VolumeGrid(
        source.format,
        source.shape_kji,
        source.ras_from_ijk_44,
        values,
        float(checked.minimum),
        float(checked.maximum),
    )
    context.out.write_text(GRID_ITEM, grid.to_json())
    return Summary(_numbers(grid), [*source.warnings, *checked.warnings()])


class Checked:
    """What is seen of the values as they pass.

    Attributes:
        minimum, maximum: of them.
        fractions: whether one is no whole number.
        holes: how many were no numbers, and are 0 now.
    """

    def __init__(self) -> None:
        self.minimum, self.maximum = np.inf, -np.inf
        self.fractions = False
        self.holes = 0

    def pass_on(
        self, context: StageContext[LoadConfig], source: VolumeSource
    ) -> Iterator[NDArray[Any]]:
        """The slabs of a source, of its type and finite."""
        for slab in context.track(source.slabs(), "slab"):
            if slab.dtype.kind == "f" and not np.all(finite := np.isfinite(slab)):
                self.holes += int(slab.size - finite.sum())
                slab = np.where(finite, slab, 0.0)  # noqa: PLW2901
            values = slab.astype(source.dtype)
            self.minimum = min(self.minimum, values.min())
            self.maximum = max(self.maximum, values.max())
            if source.dtype.kind == "f" and not self.fractions:
                self.fractions = bool(np.any(values != np.round(values)))
            yield values

    def warnings(self) -> list[str]:
        """One sentence on each oddity."""
        return [f"{self.holes} voxels hold no number and are taken as 0."] if self.holes else []


def _numbers(grid: VolumeGrid) -> dict[str, float | int | str]:
    slices, rows, columns = grid.shape_kji
    return {
        "format": grid.format,
        "voxels": f"{columns} × {rows} × {slices}",
        "spacing_mm": " × ".join(f"{length:.4g}" for length in grid.spacing_3),
        "orientation": orientation(grid.ras_from_ijk_44),
        "values": f"{grid.values}, {grid.minimum:.4g} to {grid.maximum:.4g}",
    }


def orientation(ras_from_ijk_44: NDArray[np.float64]) -> str:
    """The direction of columns, rows and slices, for example `LPS`, and how far they are off it."""
    axes_33 = ras_from_ijk_44[:3, :3] / np.linalg.norm(ras_from_ijk_44[:3, :3], axis=0)
    letters = ""
    for axis_3 in axes_33.T:
        row = int(np.argmax(np.abs(axis_3)))
        letters += ("RAS" if axis_3[row] > 0 else "LPI")[row]
    tilt = float(np.degrees(np.arccos(np.clip(np.abs(axes_33).max(axis=0).min(), 0, 1))))
    return f"{letters}, up to {tilt:.0f}° oblique" if tilt >= 1.0 else letters
