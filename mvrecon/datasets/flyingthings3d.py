"""FlyingThings3D (Mayer et al., "A Large Dataset to Train Convolutional Networks …", CVPR 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from mvrecon.datasets.flow_pairs import (
    FlowDataSet,
    FlowSample,
    Mask,
    Parts,
    Truth,
    flow_of_disparity,
    no_regions,
    read_mask,
    require_files,
    visibility,
)
from mvrecon.formats.flow import read_pfm

SPLITS = ("TEST", "TRAIN")
RENDER_PASSES = ("clean", "final")
SIDES = ("left", "right")
# Direction → folder, name in its files, step to the second frame.
DIRECTIONS = {"future": ("into_future", "IntoFuture", 1), "past": ("into_past", "IntoPast", -1)}
# A few points pass so close to the camera that their flow has no meaning.
LARGEST_PX = 1000.0


def _read_flow(root: Path, split: str) -> Parts:
    flows = root / "optical_flow" / split
    for render_pass, side, direction in product(RENDER_PASSES, SIDES, DIRECTIONS):
        images = root / f"frames_{render_pass}pass" / split
        folder = DIRECTIONS[direction][0]
        if any(images.glob(f"*/*/{side}")) and any(flows.glob(f"*/*/{folder}/{side}")):
            title = f"FlyingThings3D {split} {render_pass} {side} {direction}"
            yield title, _pairs(images, flows, side, direction)


def _pairs(images: Path, flows: Path, side: str, direction: str) -> list[FlowSample]:
    folder, word, step = DIRECTIONS[direction]
    scenes = {scene.relative_to(top) for top in (images, flows) for scene in top.glob("*/*")}
    pairs = []
    for scene in sorted(scenes):
        frames, truths = images / scene / side, flows / scene / folder / side
        numbers = {int(path.stem) for path in frames.glob("[0-9]*.png")}
        numbers |= {int(path.stem.split("_")[1]) for path in truths.glob("*.pfm")}
        # At one end of a scene there is flow, but no frame that it leads to.
        ordered = range(min(numbers, default=1), max(numbers, default=2) + 1)
        for number in ordered[:-1] if step > 0 else ordered[1:]:
            first, second = (frames / f"{n:04d}.png" for n in (number, number + step))
            truth = truths / f"OpticalFlow{word}_{number:04d}_{side[0].upper()}.pfm"
            require_files([first, second, truth])
            name = f"{scene.as_posix().replace('/', '-')}-{number:04d}"
            pairs.append(FlowSample(name, first, second, partial(_pfm_flow, truth), (truth,)))
    return pairs


def _read_stereo(root: Path, split: str) -> Parts:
    """Each side to the other, of the full release or of the set's small sample."""
    for render_pass, side in product(RENDER_PASSES, SIDES):
        sample = root / f"RGB_{render_pass}pass"
        full = root / f"frames_{render_pass}pass" / split
        title = f"FlyingThings3D stereo {render_pass} from {side}"
        if split == SPLITS[0] and (sample / side).is_dir():
            yield title, _sample_pairs(root, sample, side)
        elif any(full.glob(f"*/*/{side}")) and any(
            (root / "disparity" / split).glob(f"*/*/{side}")
        ):
            yield f"{title} {split}", _full_pairs(root / "disparity" / split, full, side)


def _sample_pairs(root: Path, images: Path, side: str) -> list[FlowSample]:
    truths = root / "disparity" / side
    names = {path.stem for path in (*truths.glob("*.pfm"), *(images / side).glob("*.png"))}
    pairs = []
    for name in sorted(names):
        occluded = root / "occlusion" / side / f"{name}.png"
        masks = (occluded,) if occluded.parent.is_dir() else ()
        first, second = (images / s / f"{name}.png" for s in (side, _other(side)))
        pairs.append(_stereo_pair(name, first, second, truths / f"{name}.pfm", masks))
    return pairs


def _full_pairs(truths: Path, images: Path, side: str) -> list[FlowSample]:
    numbers = {
        path.relative_to(truths).with_suffix("") for path in truths.glob(f"*/*/{side}/*.pfm")
    }
    numbers |= {
        path.relative_to(images).with_suffix("") for path in images.glob(f"*/*/{side}/*.png")
    }
    pairs = []
    for number in sorted(numbers):
        first = images / number.with_suffix(".png")
        second = first.parent.with_name(_other(side)) / first.name
        name = "-".join((*number.parts[:2], number.name))
        pairs.append(_stereo_pair(name, first, second, truths / number.with_suffix(".pfm"), ()))
    return pairs


def _stereo_pair(
    name: str, first: Path, second: Path, truth: Path, masks: tuple[Path, ...]
) -> FlowSample:
    require_files([first, second, truth, *masks])
    from_left = first.parent.name == "left"
    return FlowSample(
        name,
        first,
        second,
        partial(_stereo_flow, truth, from_left),
        (truth, *masks),
        partial(_occlusion, masks[0]) if masks else no_regions,
    )


def _other(side: str) -> str:
    return SIDES[1 - SIDES.index(side)]


def _pfm_flow(truth: Path) -> Truth:
    flow_hw2 = read_pfm(truth)[..., :2]
    return flow_hw2, np.asarray((np.abs(flow_hw2) < LARGEST_PX).all(axis=-1))


def _stereo_flow(truth: Path, from_left: bool) -> Truth:
    disparity_hw = np.abs(read_pfm(truth))
    return flow_of_disparity(disparity_hw, np.asarray(disparity_hw < LARGEST_PX), from_left)


def _occlusion(path: Path) -> Mapping[str, Mask]:
    return visibility(~read_mask(path))


FLYINGTHINGS3D = FlowDataSet(
    name="flyingthings3d",
    title="FlyingThings3D",
    layout="ROOT/frames_cleanpass/SPLIT/A/0000/left/0006.png (and frames_finalpass, right) and "
    "ROOT/optical_flow/SPLIT/A/0000/into_future/left/OpticalFlowIntoFuture_0006_L.pfm "
    "(and into_past, right)",
    needs=(("optical_flow",), ("frames_cleanpass", "frames_finalpass")),
    read=_read_flow,
    splits=SPLITS,
)
FLYINGTHINGS3D_STEREO = FlowDataSet(
    name="flyingthings3d-stereo",
    title="FlyingThings3D stereo",
    layout="ROOT/frames_cleanpass/SPLIT/A/0000/left/0006.png, right/0006.png and "
    "ROOT/disparity/SPLIT/A/0000/left/0006.pfm, or of the sample ROOT/RGB_cleanpass/left/NAME.png, "
    "right/NAME.png, ROOT/disparity/left/NAME.pfm and ROOT/occlusion/left/NAME.png",
    needs=(
        ("disparity",),
        ("frames_cleanpass", "frames_finalpass", "RGB_cleanpass", "RGB_finalpass"),
    ),
    read=_read_stereo,
    splits=SPLITS,
)
