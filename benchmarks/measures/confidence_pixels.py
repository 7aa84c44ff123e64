"""Pixels of rendered clips with what each way to measure and to fuse depth says of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap
from mvrecon.multiview import consensus
from mvrecon.multiview.agreement import Agreement
from mvrecon.multiview.neighbors import choose_neighbors
from mvrecon.synthetic.training.clips.files import PosedClip
from stages.clip_pipeline import clip_estimator
from stages.depth.config import DepthConfig
from stages.depth.sweep import plane_sweep
from stages.depth.sweep.confidence import Evidence, features_of
from stages.fusion.config import FusionConfig
from stages.fusion.inputs import ImagedDepth
from stages.fusion.recurrent.cues import MATCHED_VIEWS, find_cues
from stages.fusion.recurrent.model import fuse_in_turn, load_network, merge
from stages.fusion.recurrent.step import FusionView, certainties, prepare, trusted_by_views

# Of each map, so many pixels.
SAMPLES = 1500
FUSION = FusionConfig()
RIGHT = 0.05


@dataclass(frozen=True)
class Pixels:
    """Some pixels of all maps of a clip, by one method.

    Attributes:
        confidence_n: 0…1.
        right_n: whether the depth is right to 5 %, at the scale that the surer half is at.
        features_nk: what the confidence is made from.
    """

    confidence_n: NDArray[np.float32]
    right_n: NDArray[np.bool_]
    features_nk: NDArray[np.float32]


def pixels_of_clip(clip: PosedClip, seed: int) -> dict[str, Pixels]:
    """By method: sweep, learned, each of them fused geometrically, learned fused by the network."""
    random = np.random.default_rng(seed)
    height, width = clip.depth_thw.shape[1:]
    chosen = _Chosen(
        [random.choice(height * width, SAMPLES, replace=False) for _ in range(len(clip))],
        clip.depth_thw,
    )
    found: dict[str, Pixels] = {}
    with tempfile.TemporaryDirectory() as folder:
        for model in ("sweep", "learned"):
            maps, features = _measured(clip, Path(folder), model)
            found[model] = chosen.pixels(maps, features)
            fused, features = _fused(clip, maps)
            found[f"{model}, geometric"] = chosen.pixels(fused, features)
    found["learned, both"] = chosen.pixels(*_by_network(clip, maps))
    return found


@dataclass(frozen=True)
class _Chosen:
    """Which pixels of each frame are looked at, and the true depth of all."""

    places: list[NDArray[np.int64]]
    truth_thw: NDArray[np.float32]

    def pixels(self, maps: list[DepthMap], features_tkhw: list[NDArray[np.float32]]) -> Pixels:
        """The chosen pixels that have a depth and a truth."""
        truth_n = self._of(list(self.truth_thw))
        depth_n = self._of([one.depth_hw for one in maps])
        confidence_n = self._of([one.confidence_hw for one in maps])
        features_nk = np.concatenate(
            [
                one.reshape(len(one), -1)[:, place].T
                for one, place in zip(features_tkhw, self.places, strict=True)
            ]
        )
        both_n = (truth_n > 0) & (depth_n > 0)
        ratio_n, confidence_n = depth_n[both_n] / truth_n[both_n], confidence_n[both_n]
        surer_n = confidence_n >= np.median(confidence_n)
        right_n = np.abs(ratio_n / np.median(ratio_n[surer_n]) - 1) < RIGHT
        return Pixels(confidence_n, right_n, features_nk[both_n])

    def _of(self, maps_thw: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        picked = [one.reshape(-1)[place] for one, place in zip(maps_thw, self.places, strict=True)]
        return np.concatenate(picked).astype(np.float32)


def _measured(
    clip: PosedClip, folder: Path, model: str
) -> tuple[list[DepthMap], list[NDArray[np.float32]]]:
    """Maps of the depth stage, and the terms of the sweep's confidence or the learned one."""
    estimator = clip_estimator(clip, folder, DepthConfig.model_validate({"model": model}))
    looked_at: list[Evidence] = []
    maps, features = [], []
    for row in range(len(clip)):
        with _recorded(plane_sweep, "confidence_of", looked_at):
            maps.append(estimator.depth_map(row))
        size_wh = maps[-1].depth_hw.shape[::-1]
        terms = [maps[-1].confidence_hw]
        if model == "sweep" and looked_at:
            terms = [cv2.resize(term_hw, size_wh) for term_hw in features_of(looked_at[-1])]
        features.append(np.stack(terms))
    return maps, features


def _fused(
    clip: PosedClip, maps: list[DepthMap]
) -> tuple[list[DepthMap], list[NDArray[np.float32]]]:
    """Maps of the geometric fusion, and the terms of their confidence."""
    agreements: list[Agreement] = []
    fused = []
    with _recorded(consensus, "confidence_of", agreements):
        for row, others in enumerate(_neighbors(clip)):
            near = [maps[other] for other in others]
            fused.append(consensus.fuse(maps[row], near, FUSION.tolerance))
    return fused, [np.stack(agreement.features()) for agreement in agreements]


def _by_network(
    clip: PosedClip, maps: list[DepthMap]
) -> tuple[list[DepthMap], list[NDArray[np.float32]]]:
    """Maps of the recurrent fusion, forward and backward, and the terms of their confidence."""
    imaged = [
        ImagedDepth(image_hw3, one) for image_hw3, one in zip(clip.images_thw3, maps, strict=True)
    ]
    views: list[FusionView] = []
    for row, others in enumerate(_neighbors(clip)):
        near = [imaged[other] for other in others[:MATCHED_VIEWS]]
        cues = find_cues(imaged[row], [maps[one] for one in others], near, FUSION.tolerance)
        view = prepare(imaged[row], cues)
        assert view is not None
        views.append(view)
    network = load_network()
    precision = FUSION.recurrent.used_precision
    ahead = list(fuse_in_turn(network, views, precision))
    back = list(fuse_in_turn(network, views[::-1], precision))[::-1]
    merged = [merge(*both) for both in zip(ahead, back, strict=True)]
    pairs = list(zip(merged, views, strict=True))
    return [trusted_by_views(*pair) for pair in pairs], [certainties(*pair) for pair in pairs]


def _neighbors(clip: PosedClip) -> Iterator[list[int]]:
    frames, points = clip.posed_frames(), clip.sparse_points()
    for row in range(len(clip)):
        yield choose_neighbors(frames, points, row, FUSION.neighbors, in_order=True)


def _recorded(module: object, name: str, arguments: list) -> mock._patch:  # type: ignore[type-arg]
    """The function of a module with its arguments noted as it is called."""
    function: Callable[..., NDArray[np.float32]] = getattr(module, name)

    def noted(argument: object) -> NDArray[np.float32]:
        arguments.append(argument)
        return function(argument)

    return mock.patch.object(module, name, noted)
