"""The flow stage's work: choose pairs, estimate each, judge the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import PAIRS_ITEM, FlowPair, load_pairs, pair_item
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item, mask_item
from mvrecon.engine.stage import StageContext, StoredItems, Summary
from mvrecon.errors import NotEnoughDataError
from mvrecon.formats.images import read_pixels, read_rgb
from mvrecon.geometry.resize import resize_by_area
from mvrecon.learning.memo import DEFAULT_CAPACITY
from stages.flow.confidence import flow_confidence, forward_backward_residual, stays_inside
from stages.flow.config import FlowConfig
from stages.flow.models.base import FlowModel
from stages.flow.models.registry import load_flow_model
from stages.flow.overlap import (
    OVERLAP_SIZE_PX,
    candidate_pairs,
    detect_features,
    overlap_score,
)
from stages.flow.pairs import Pair, partner_pairs, sequence_pairs

# A pixel counts as confident above this, a pair as usable above this share of them.
CONFIDENT = 0.5
USABLE_SHARE = 0.05
# Numbers for the report rest on every so manieth pixel in x and y: medians need no more.
STATISTICS_STRIDE = 4
# So many useless pairs are named in the warning, the others counted.
WARNED_PAIRS = 8

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def estimate_pairs(context: StageContext[FlowConfig]) -> Summary:
    """Run the stage.

    Raises:
        NotEnoughDataError: fewer than two key frames, or no photos that overlap.
        UsageError: weights are missing or do not fit.
    """
    frames = FrameTable.load(context.inputs["frames"].path(FRAMES_ITEM))
    model = load_flow_model(context.config)
    if not context.out.has(PAIRS_ITEM):
        context.out.write_text(PAIRS_ITEM, json.dumps(choose_pairs(context, frames)))
    pairs = load_pairs(context.out.path(PAIRS_ITEM))
    read_image = working_images(context.inputs["frames"], context.config.max_size)
    read_mask = working_masks(context.inputs["frames"])
    pair_of = {pair_item(*pair): pair for pair in pairs}

    def make(item: str) -> None:
        first, second = (read_image(name) for name in pair_of[item])
        estimate = estimate_pair(model, first, second)
        kept_by = [read_mask(name, estimate.forward_hw2.shape[:2]) for name in pair_of[item]]
        context.out.write(item, trusted_inside(estimate, *kept_by).save)

    context.make_items(list(pair_of), make, unit="pair")
    summary = summarize(pairs, lambda pair: FlowPair.load(context.out.path(pair_item(*pair))))
    return Summary(
        {**summary.numbers, "precision": context.config.used_precision}, summary.warnings
    )


def estimate_pair(model: FlowModel, first_rgb_hw3: Image, second_rgb_hw3: Image) -> FlowPair:
    """Flow both ways with its confidence; images of different sizes share the first's.

    A model's own confidence, which knows the way back, stands in for the general one.
    """
    height, width = first_rgb_hw3.shape[:2]
    if second_rgb_hw3.shape[:2] != (height, width):
        resized = cv2.resize(second_rgb_hw3, (width, height), interpolation=cv2.INTER_AREA)
        second_rgb_hw3 = np.asarray(resized, np.uint8)
    estimate = model.estimate(first_rgb_hw3, second_rgb_hw3)
    forward, backward = estimate.forward_hw2, estimate.backward_hw2
    confidences = []
    for images, flows, own in (
        ((first_rgb_hw3, second_rgb_hw3), (forward, backward), estimate.forward_confidence_hw),
        ((second_rgb_hw3, first_rgb_hw3), (backward, forward), estimate.backward_confidence_hw),
    ):
        confidences.append(flow_confidence(*images, *flows) if own is None else own)
    return FlowPair(forward, backward, *confidences)


def trusted_inside(flow: FlowPair, first_hw: Mask | None, second_hw: Mask | None) -> FlowPair:
    """The flow without confidence where something is masked in the image that it starts from.

    Args:
        flow: between two images.
        first_hw: what is kept of the first; None: all.
        second_hw: of the second.
    """
    forward_hw, backward_hw = flow.forward_confidence_hw, flow.backward_confidence_hw
    if first_hw is not None:
        forward_hw = forward_hw * first_hw
    if second_hw is not None:
        backward_hw = backward_hw * second_hw
    return replace(flow, forward_confidence_hw=forward_hw, backward_confidence_hw=backward_hw)


def choose_pairs(context: StageContext[FlowConfig], frames: FrameTable) -> list[tuple[str, str]]:
    """Names of the key frames of each pair, by order or by overlap.

    Raises:
        NotEnoughDataError: fewer than two key frames, or no photos that overlap.
    """
    count = len(frames.key_frames)
    if count < 2:
        raise NotEnoughDataError(
            f"only {count} key frame is left", "Flow needs two images or more of the scene"
        )
    pairs = []
    for part in frames.by_part():
        names = [frame.name for frame in part.key_frames]
        if part.kind == "sequence":
            chosen = sequence_pairs(len(names), context.config.pairs.offsets)
        else:
            chosen = _photo_pairs(context, names)
        pairs += [(names[first], names[second]) for first, second in chosen]
    if not pairs:
        raise NotEnoughDataError(
            "no two photos show the same part of a scene", "Take photos that overlap by half"
        )
    return pairs


def _photo_pairs(context: StageContext[FlowConfig], names: list[str]) -> list[Pair]:
    options = context.config.pairs
    read_image = working_images(context.inputs["frames"], OVERLAP_SIZE_PX)
    images = [
        detect_features(read_image(name), options.features)
        for name in context.track(names, unit="photo")
    ]
    candidates = candidate_pairs(images, options.partners)
    scores = {
        (first, second): overlap_score(images[first], images[second], options)
        for first, second in context.track(candidates, unit="candidate pair")
    }
    overlaps = {pair: score for pair, score in scores.items() if score > 0}
    return partner_pairs(overlaps, len(names), options.partners)


def working_images(frames: StoredItems, max_size_px: int) -> Callable[[str], Image]:
    """Reads a key frame at the working size; the latest are remembered.

    A remembered image is the same array again, by which a model knows it.
    """

    @lru_cache(maxsize=DEFAULT_CAPACITY)
    def read(name: str) -> Image:
        return read_rgb(frames.path(image_item(name)), max_size_px)

    return read


def working_masks(frames: StoredItems) -> Callable[[str, tuple[int, ...]], Mask | None]:
    """Reads what is kept of a key frame at a size (h, w); None if all is."""
    masked = set(frames.names("masks/"))

    def read(name: str, shape: tuple[int, ...]) -> Mask | None:
        item = mask_item(name)
        if item not in masked:
            return None
        levels_hw = read_pixels(frames.path(item), "grey")
        return np.asarray(resize_by_area(levels_hw, (shape[1], shape[0])) > 127)

    return read


def summarize(pairs: list[tuple[str, str]], load: Callable[[tuple[str, str]], FlowPair]) -> Summary:
    """Numbers over all pairs, and warnings that name the pairs of no use.

    The medians are those of the pairs' medians over every fourth pixel in x and y.
    """
    residuals_px, motions_px, confidences, useless = [], [], [], []
    for pair in pairs:
        flow = load(pair)
        some = np.s_[::STATISTICS_STRIDE, ::STATISTICS_STRIDE]
        inside = stays_inside(flow.forward_hw2)[some]
        residual = forward_backward_residual(
            flow.forward_hw2, flow.backward_hw2, STATISTICS_STRIDE
        )[inside]
        motions_px.append(np.median(np.linalg.norm(flow.forward_hw2[some], axis=-1)))
        confidences.append(flow.forward_confidence_hw.mean())
        if residual.size:
            residuals_px.append(np.median(residual))
        if (flow.forward_confidence_hw > CONFIDENT).mean() < USABLE_SHARE:
            useless.append(f"{pair[0]}–{pair[1]}")
    numbers = {
        "pairs": len(pairs),
        "median_fb_residual_px": round(float(np.median(residuals_px or np.inf)), 3),
        "median_flow_px": round(float(np.median(motions_px)), 2),
        "mean_confidence": round(float(np.mean(confidences)), 3),
        "useless_pairs": len(useless),
    }
    return Summary(numbers, _warnings(useless))


def _warnings(useless: list[str]) -> tuple[str, ...]:
    if not useless:
        return ()
    more = len(useless) - WARNED_PAIRS
    named = ", ".join(useless[:WARNED_PAIRS]) + (f" and {more} more" if more > 0 else "")
    return (f"Almost no flow is trusted between the key frames {named}.",)
