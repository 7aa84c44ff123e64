"""Views with parts of their depth hidden, as the prior over depth is trained on them.

No labels are needed: what is hidden is depth that the pipeline measured, of clips or of runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mvrecon.artifacts.depth import DepthMap, inverted
from mvrecon.errors import InputError
from mvrecon.formats.images import read_pixels
from mvrecon.geometry.resize import resize_by_area
from mvrecon.geometry.transfer import FloatMap
from mvrecon.learning.settings import TrainingSettings
from mvrecon.synthetic.training.clips.files import DepthsOfClips
from stages.fusion.completion.model import MEASURED, Incomplete, network_input
from stages.fusion.completion.network import CompletionInput
from stages.fusion.inputs import RgbImage
from stages.fusion.recurrent.step import prepare
from stages.fusion.training.data import ClipFrame, read_frames

# Only what is surely right is worth guessing.
SURE = 0.5
HIDDEN_SHARE = 0.2
LEAST_MEASURED_SHARE = 0.05
# So many clips serve so many steps, as reading one takes longer than a step.
POOL = 8
POOL_STEPS = 48
MOST_TRIES = 40

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MeasuredView:
    """A view that the pipeline measured.

    Attributes:
        rgb_hw3: uint8.
        depth_hw: fused depth, 0 = none.
        confidence_hw: its confidence.
        truth_hw: true depth in the same units, 0 = unknown; for validation only.
    """

    rgb_hw3: RgbImage
    depth_hw: FloatMap
    confidence_hw: FloatMap
    truth_hw: FloatMap

    def part(self, rows: slice, columns: slice) -> MeasuredView:
        """A cutting."""
        return MeasuredView(**{name: value[rows, columns] for name, value in vars(self).items()})

    def mirrored(self) -> MeasuredView:
        """Left and right exchanged."""
        return MeasuredView(
            **{name: np.ascontiguousarray(value[:, ::-1]) for name, value in vars(self).items()}
        )


# A group of views that are read together, when needed.
Views = Callable[[], list[MeasuredView]]


def clip_views(path: Path, depths_of_clips: DepthsOfClips, cache: Path) -> Views:
    """The views of a training clip with the consensus of what the depth stage measured."""
    return lambda: [
        view
        for frame in read_frames(path, depths_of_clips, cache)
        if (view := _measured(frame)) is not None
    ]


def run_views(run_dir: Path) -> list[Views]:
    """The views of a run, each for itself.

    Raises:
        InputError: the run has no depth.
    """
    depths = sorted((run_dir / "depth").glob("*.npz"))
    if not depths:
        raise InputError(f"no depth maps in {run_dir}", "Run it to the end of the fusion stage")
    return [lambda path=path: [_read_view(run_dir, path)] for path in depths]  # type: ignore[misc]


def _measured(frame: ClipFrame) -> MeasuredView | None:
    view = prepare(frame.imaged, frame.cues)
    if view is None:
        return None
    height, width = view.size_hw
    confidence_hw = view.evidence[0, -1, :height, :width].numpy()
    return MeasuredView(
        frame.imaged.rgb_hw3, inverted(frame.cues.consensus_hw), confidence_hw, frame.truth_hw
    )


def _read_view(run_dir: Path, path: Path) -> MeasuredView:
    depth = DepthMap.load(path)
    images = sorted((run_dir / "images").glob(f"{path.stem}.*"))
    if not images:
        raise InputError(f"no image for {path}", "Run it again to the end of the fusion stage")
    height, width = depth.depth_hw.shape
    rgb_hw3 = resize_by_area(read_pixels(images[0]), (width, height))
    nothing_hw = np.zeros_like(depth.depth_hw)
    return MeasuredView(rgb_hw3, depth.depth_hw, depth.confidence_hw, nothing_hw)


def blobs(shape: tuple[int, int], share: float, random: np.random.Generator) -> Mask:
    """Random blobs that cover about a share of a picture."""
    hidden_hw = np.zeros(shape, np.uint8)
    height, width = shape
    while hidden_hw.mean() < share:
        center = int(random.integers(width)), int(random.integers(height))
        axes = [max(2, int(min(shape) * random.uniform(0.04, 0.22))) for _ in range(2)]
        cv2.ellipse(hidden_hw, center, axes, float(random.uniform(0, 180)), 0, 360, 1, -1)
    return hidden_hw > 0


def random_hole(shape: tuple[int, int], random: np.random.Generator) -> Mask:
    """Blobs, or a strip along a border of the picture."""
    if random.random() < 0.7:
        return blobs(shape, float(random.uniform(0.05, 0.4)), random)
    hidden_hw = np.zeros(shape, bool)
    width = int(random.uniform(0.05, 0.35) * shape[1])
    hidden_hw[:, :width] = True
    turned_hw = hidden_hw[:, ::-1] if random.random() < 0.5 else hidden_hw
    if random.random() < 0.3:
        height = int(random.uniform(0.05, 0.35) * shape[0])
        turned_hw = np.zeros(shape, bool)
        turned_hw[:height] = True
        turned_hw = turned_hw[::-1] if random.random() < 0.5 else turned_hw
    return np.ascontiguousarray(turned_hw)


def hide(view: MeasuredView, hole_hw: Mask, image_too: bool) -> Incomplete:
    """A view without its depth in a hole, and if so wanted without its image there."""
    measured_hw = (view.depth_hw > 0) & (view.confidence_hw >= MEASURED) & ~hole_hw
    hidden_hw = hole_hw if image_too else np.zeros_like(hole_hw)
    return Incomplete(view.rgb_hw3, view.depth_hw, measured_hw, hidden_hw)


@dataclass(frozen=True)
class CompletionSample:
    """A batch of views with holes.

    Attributes:
        given: what the network sees.
        whole_b1hw: logarithm of inverse depth less the median of what is given.
        known_b1hw: 1 where it is surely right.
    """

    given: CompletionInput
    whole_b1hw: Tensor
    known_b1hw: Tensor

    def to(self, device: torch.device) -> CompletionSample:
        """The same on another device."""
        given = CompletionInput(*(value.to(device) for value in self.given))
        return CompletionSample(given, self.whole_b1hw.to(device), self.known_b1hw.to(device))


class HoleSamples(Dataset[CompletionSample]):
    """Endless batches by training step: parts of views, mirrored, recoloured, with holes.

    Args:
        groups: of views.
        settings: how to train.
    """

    def __init__(self, groups: Sequence[Views], settings: TrainingSettings) -> None:
        self.groups = groups
        self.settings = settings
        self._views = lru_cache(POOL)(lambda index: self.groups[index]())

    def __getitem__(self, step: int) -> CompletionSample:
        """The batch of one step."""
        pool_random = np.random.default_rng([self.settings.seed, step // POOL_STEPS])
        pool = pool_random.integers(len(self.groups), size=POOL)
        random = np.random.default_rng([self.settings.seed, step, 1])
        parts = [self._one(pool, random) for _ in range(self.settings.batch)]
        given = zip(*(given for given, _, _ in parts), strict=True)
        return CompletionSample(
            CompletionInput(*(torch.cat(values) for values in given)),
            torch.cat([whole for _, whole, _ in parts]),
            torch.cat([known for _, _, known in parts]),
        )

    def _one(
        self, pool: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[CompletionInput, Tensor, Tensor]:
        for _ in range(MOST_TRIES):
            group = self._views(int(random.choice(pool)))
            if not group:
                continue
            view = group[int(random.integers(len(group)))]
            if min(np.subtract(view.depth_hw.shape, self.settings.size_hw)) < 0:
                continue
            view = self._varied(view, random)
            hole_hw = random_hole(view.depth_hw.shape, random)
            incomplete = hide(view, hole_hw, image_too=random.random() < 0.3)
            if incomplete.measured_hw.mean() >= LEAST_MEASURED_SHARE:
                return with_target(incomplete, view)
        raise InputError(
            "hardly any view is large enough and measured with confidence",
            "Give other clips or runs",
        )

    def _varied(self, view: MeasuredView, random: np.random.Generator) -> MeasuredView:
        spans = []
        for whole, part in zip(view.depth_hw.shape, self.settings.size_hw, strict=True):
            start = int(random.integers(0, whole - part + 1))
            spans.append(slice(start, start + part))
        view = view.part(*spans)
        if random.random() < 0.5:
            view = view.mirrored()
        gamma = np.exp(0.3 * random.standard_normal())
        tint_3 = np.exp(0.1 * random.standard_normal(3))
        colours_hw3 = 255 * (view.rgb_hw3 / 255.0) ** gamma * tint_3
        return replace(view, rgb_hw3=colours_hw3.clip(0, 255).astype(np.uint8))


def with_target(
    incomplete: Incomplete, view: MeasuredView
) -> tuple[CompletionInput, Tensor, Tensor]:
    """What the network sees of a view, what it ought to say, and where that is known."""
    given, log_unit = network_input(incomplete)
    sure_hw = (view.depth_hw > 0) & (view.confidence_hw >= SURE)
    log_hw = np.where(sure_hw, -np.log(np.where(sure_hw, view.depth_hw, 1.0)) - log_unit, 0.0)
    whole, known = torch.zeros_like(given.measured_b1hw), torch.zeros_like(given.measured_b1hw)
    height, width = sure_hw.shape
    whole[0, 0, :height, :width] = torch.from_numpy(log_hw.astype(np.float32))
    known[0, 0, :height, :width] = torch.from_numpy(sure_hw.astype(np.float32))
    return given, whole, known
