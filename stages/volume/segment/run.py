"""The segment stage's run: a level, above zero inside, or the labels that there are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mvrecon.artifacts.volume import (
    GRID_ITEM,
    LEVEL_ITEM,
    VOLUME_ITEM,
    Part,
    VolumeGrid,
    save_parts,
    values_of,
)
from mvrecon.engine.stage import StageContext, Summary
from mvrecon.errors import InputError, NotEnoughDataError, UsageError
from mvrecon.formats.slabs import SlabFile, slab_ranges, write_slabs
from stages.volume.segment.level import Level, level_of
from stages.volume.segment.thresholds import automatic_band, parse_threshold

if TYPE_CHECKING:
    from stages.volume.segment.config import SegmentConfig

MAX_LABELS = 1000  # more are no organs: the values are not labels
MAX_LABEL = 1 << 20

Ends = tuple[int, int]


def run_segment(context: StageContext[SegmentConfig]) -> Summary:
    """Find what is to be modelled."""
    grid = VolumeGrid.load(context.inputs["load"].path(GRID_ITEM))
    if grid.values == "labels":
        return _labels(context, grid)
    if context.config.labels:
        raise UsageError(
            "--segment.labels is given, but the input does not say that its values are labels",
            "Say so with --load.values labels",
        )
    return _threshold(context, grid)


def _threshold(context: StageContext[SegmentConfig], grid: VolumeGrid) -> Summary:
    volume = values_of(context.inputs["load"], context.inputs["denoise"])
    band = parse_threshold(context.config.threshold, grid.values)
    band = band or automatic_band(volume, grid.minimum, grid.maximum)
    extent = Extent()
    scale = max(grid.maximum - grid.minimum, 1e-30)

    def slabs() -> Iterator[Level]:
        total = len(slab_ranges(volume.shape))
        for inner, values in context.track(volume.slabs(), "slab", total):
            level = level_of(values, band, scale)
            extent.add(level > 0, inner.start)
            yield level

    context.out.write(LEVEL_ITEM, lambda path: write_slabs(path, volume.shape, np.float16, slabs()))
    ends = [end for end in (band.low, band.high) if math.isfinite(end)]
    told = " to ".join(f"{end:.4g}" for end in ends)
    if extent.voxels == 0:
        raise NotEnoughDataError(
            f"no voxel is inside the threshold ({told}; values go from {grid.minimum:.4g} to "
            f"{grid.maximum:.4g})",
            "Give another --segment.threshold",
        )
    save_parts(context.out, [Part(band.name, None, extent.box(), extent.voxels)])
    share = 100 * extent.voxels / math.prod(volume.shape)
    rounded = float(f"{share:.4g}")
    return Summary({"part": band.name, "threshold": told, "inside_percent": rounded})


def _labels(context: StageContext[SegmentConfig], grid: VolumeGrid) -> Summary:
    if grid.minimum < 0 or grid.maximum > MAX_LABEL:
        raise InputError(
            f"labels go from {grid.minimum:g} to {grid.maximum:g}, not from 0 to {MAX_LABEL}",
            "Leave --load.values away if they are none",
        )
    volume = SlabFile(context.inputs["load"].path(VOLUME_ITEM))
    found: dict[int, Extent] = {}
    total = len(slab_ranges(volume.shape))
    for inner, values in context.track(volume.slabs(), "slab", total):
        labels = values.astype(np.int32)
        for label, box in enumerate(ndimage.find_objects(labels), 1):
            if box is not None:
                extent = found.setdefault(label, Extent())
                start = (inner.start + box[0].start, box[1].start, box[2].start)
                extent.add(labels[box] == label, *start)
    wanted = context.config.labels or tuple(sorted(found))
    missing = [label for label in wanted if label not in found]
    if missing or not wanted:
        known = ", ".join(map(str, sorted(found)[:20])) or "none but 0"
        raise NotEnoughDataError(
            f"no voxel has the label {missing[0] if missing else 'of anything'}; there are {known}",
            "Choose with --segment.labels",
        )
    if len(wanted) > MAX_LABELS:
        raise InputError(
            f"there are {len(wanted)} labels, more than {MAX_LABELS}",
            "Choose with --segment.labels, or leave --load.values away if they are none",
        )
    parts = [
        Part(f"label_{label}", label, found[label].box(), found[label].voxels) for label in wanted
    ]
    save_parts(context.out, parts)
    return Summary({"labels": len(parts), "labels_there": len(found)})


class Extent:
    """The box and the number of voxels of a thing, as slabs of it are seen.

    Attributes:
        voxels: so far.
    """

    def __init__(self) -> None:
        self.voxels = 0
        self._ends: list[Ends] = []

    def add(self, inside_kji: NDArray[np.bool_], *start_kji: int) -> None:
        """See a slab, or a box of it, that starts at this slice (row, column: 0 if not given)."""
        starts = (*start_kji, 0, 0)[:3]
        ends: list[Ends] = []
        for axis, start in enumerate(starts):
            others = tuple(other for other in range(3) if other != axis)
            where = np.flatnonzero(inside_kji.any(axis=others))
            if len(where) == 0:
                return
            ends.append((start + int(where[0]), start + int(where[-1]) + 1))
        known = self._ends or ends
        self._ends = [(min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(known, ends, strict=True)]
        self.voxels += int(np.count_nonzero(inside_kji))

    def box(self) -> tuple[Ends, Ends, Ends]:
        """First and last (exclusive) slice, row and column."""
        slices, rows, columns = self._ends
        return slices, rows, columns
