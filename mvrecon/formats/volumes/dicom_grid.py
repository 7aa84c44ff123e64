"""From slices in any order to one even grid: sorted by where they lie, checked, or refused."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.formats.volumes.dicom_frames import Frame

SAME_AXES = 1e-3  # difference of unit vectors: rounding in headers
SAME_PLACE_MM = 0.01  # slices nearer than this lie at one place
# Of the spacing: deviation of a slice from the even grid that is taken as even (rounded headers, a
# table that moves unevenly), and from which on it is told.
UNEVEN, TOLD = 0.1, 0.01
WHOLE_STEPS = 0.1  # of a step: so near to a whole number, a wide step is one with slices missing

Mix = tuple[int, int, float]


@dataclass(frozen=True)
class SliceGrid:
    """Slices on an even grid.

    Attributes:
        frames: from the first slice to the last.
        mix: for each slice of the grid the row of the frame before it, of the one after it, and
            the share of the latter.
        lps_from_ijk_44: from (column, row, slice, 1) to millimetres.
        warnings: one sentence each.
    """

    frames: Sequence[Frame]
    mix: Sequence[Mix]
    lps_from_ijk_44: NDArray[np.float64]
    warnings: tuple[str, ...]


def arrange(frames: Sequence[Frame], interpolate: bool) -> SliceGrid:
    """Sort slices along the direction that they are stacked in.

    Args:
        frames: of one series, in any order.
        interpolate: fill gaps and even out spacing, where these are refused otherwise.

    Raises:
        InputError: the slices do not make a volume.
    """
    _check_alike(frames)
    normal_3 = np.cross(*frames[0].axes_32.T)
    ordered = sorted(frames, key=lambda frame: float(frame.position_3 @ normal_3))
    ordered, dropped = _without_duplicates(ordered, normal_3)
    warnings = []
    if dropped:
        warnings.append(f"{dropped} slices were there twice and are used once.")
    along = np.array([float(frame.position_3 @ normal_3) for frame in ordered])
    if len(ordered) == 1:
        step_3, mix, more = _single(ordered[0], normal_3)
    else:
        step_3, mix, more = _steps(ordered, along, interpolate)
    lps_from_ijk_44 = np.eye(4)
    lps_from_ijk_44[:3, :2] = ordered[0].axes_32 * ordered[0].spacing_2
    lps_from_ijk_44[:3, 2] = step_3
    lps_from_ijk_44[:3, 3] = ordered[0].position_3
    return SliceGrid(ordered, mix, lps_from_ijk_44, (*warnings, *more))


def _check_alike(frames: Sequence[Frame]) -> None:
    first = frames[0]
    for frame in frames:
        if (frame.rows, frame.columns) != (first.rows, first.columns) or not np.allclose(
            frame.spacing_2, first.spacing_2, rtol=1e-3
        ):
            raise InputError(
                f"the slices {first.path.name} and {frame.path.name} of the series differ in "
                "size or pixel spacing",
                "Give a folder with the slices of one scan",
            )
        if np.abs(frame.axes_32 - first.axes_32).max() > SAME_AXES:
            raise InputError(
                f"the slices {first.path.name} and {frame.path.name} of the series lie in "
                "different orientations (an overview image among them?)",
                "Give a folder with the slices of one scan",
            )


def _without_duplicates(
    ordered: list[Frame], normal_3: NDArray[np.float64]
) -> tuple[list[Frame], int]:
    """Each place once, and how many were dropped."""
    kept = [ordered[0]]
    for frame in ordered[1:]:
        before = kept[-1]
        if float((frame.position_3 - before.position_3) @ normal_3) > SAME_PLACE_MM:
            kept.append(frame)
        elif _digest(frame) != _digest(before):
            raise InputError(
                f"{before.path.name} and {frame.path.name} are different images of one place "
                "(several echoes, times or reconstructions?)",
                "Give a folder with one image a place",
            )
    return kept, len(ordered) - len(kept)


def _digest(frame: Frame) -> str:
    return hashlib.sha256(np.ascontiguousarray(frame.values(), np.float64).tobytes()).hexdigest()


def _single(
    frame: Frame, normal_3: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[Mix], list[str]]:
    if frame.thickness is None:
        raise InputError(
            f"there is one slice, {frame.path.name}, and it does not say how thick it is",
            "Give the folder of the whole series",
        )
    told = f"There is one slice only: the model is a plate of its thickness, {frame.thickness} mm."
    return normal_3 * frame.thickness, [(0, 0, 0.0)], [told]


def _steps(
    ordered: Sequence[Frame], along: NDArray[np.float64], interpolate: bool
) -> tuple[NDArray[np.float64], list[Mix], list[str]]:
    """The vector from slice to slice, the mix, and warnings.

    Slices need not be stacked along their normal: a tilted gantry shifts each against the last.
    """
    steps = np.diff(along)
    usual = float(np.median(steps))
    whole = ordered[-1].position_3 - ordered[0].position_3
    count = len(ordered)
    even_n3 = ordered[0].position_3 + np.linspace(0, 1, count)[:, None] * whole
    places_n3 = np.stack([frame.position_3 for frame in ordered])
    deviation = float(np.linalg.norm(places_n3 - even_n3, axis=1).max()) / usual
    if deviation <= UNEVEN:
        told = [f"Slices lie up to {deviation:.0%} of their spacing off an even grid."]
        mix = [(row, row, 0.0) for row in range(count)]
        return whole / (count - 1), mix, told if deviation > TOLD else []
    if not interpolate:
        raise InputError(*_uneven(ordered, along, steps, usual))
    slices = round(float(along[-1] - along[0]) / usual) + 1
    if slices < 2:
        raise InputError("slices of the series lie at one place", "Give another series")
    shifted = np.linalg.norm(places_n3 - _on_a_line(ordered, along), axis=1).max()
    if shifted > UNEVEN * usual:
        raise InputError(
            "slices of the series are shifted against each other unevenly",
            "Export it again from one scan",
        )
    mix = []
    for place in np.linspace(along[0], along[-1], slices):
        after = int(np.clip(np.searchsorted(along, place), 1, count - 1))
        share = float(np.clip((place - along[after - 1]) / steps[after - 1], 0.0, 1.0))
        if min(share, 1.0 - share) < TOLD:
            share = round(share)
        mix.append((after - 1, after, share) if share < 1.0 else (after, after, 0.0))
    invented = sum(0.0 < share < 1.0 for _, _, share in mix)
    told = [f"{invented} of {slices} slices are interpolated, as the series is uneven."]
    return whole / (slices - 1), mix, told


def _on_a_line(ordered: Sequence[Frame], along: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places (n, 3) between the first and the last slice at the same heights."""
    first, last = ordered[0].position_3, ordered[-1].position_3
    share_n = (along - along[0]) / (along[-1] - along[0])
    return np.asarray(first + share_n[:, None] * (last - first))


def _uneven(
    ordered: Sequence[Frame], along: NDArray[np.float64], steps: NDArray[np.float64], usual: float
) -> tuple[str, str]:
    widest = int(np.argmax(steps))
    ratio = steps[widest] / usual
    files = f"{ordered[widest].path.name} and {ordered[widest + 1].path.name}"
    remedy = "--load.uneven interpolate fills in what lies between; better, give the whole series"
    if ratio > 1.5 and abs(ratio - round(ratio)) <= WHOLE_STEPS * round(ratio):
        missing = round(ratio) - 1
        return (
            f"{missing} slices seem to be missing between {files} ({steps[widest]:.4g} mm apart, "
            f"others {usual:.4g} mm)"
        ), remedy
    return (
        f"slices lie {steps.min():.4g} to {steps.max():.4g} mm apart (widest between {files})",
        remedy,
    )
