"""KITTI flow 2012 and 2015 (Geiger et al., CVPR 2012; Menze and Geiger, CVPR 2015)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mvrecon.datasets.flow_pairs import (
    FlowSample,
    Truth,
    flow_of_disparity,
    require_files,
    require_some,
)
from mvrecon.formats.flow import read_kitti_disparity, read_kitti_flow

NAME = "KITTI flow"
# Colour before grey; 2012 names its folders colored_0 and image_0, 2015 image_2.
IMAGE_FOLDERS = ("image_2", "colored_0", "image_0")
LAYOUT = (
    "ROOT/training/image_2 (2015), colored_0 or image_0 (2012) with NNNNNN_10.png and "
    "NNNNNN_11.png, and ROOT/training/flow_occ or flow_noc with NNNNNN_10.png"
)
STEREO_NAME = "KITTI stereo"
STEREO_LAYOUT = "ROOT/training/image_2, image_3 and disp_occ_0, each with NNNNNN_10.png"


def kitti_pairs(root: Path, truth_folder: str = "flow_noc") -> Iterator[FlowSample]:
    """The training pairs, sorted by number.

    Args:
        root: the folder that holds `training`.
        truth_folder: `flow_occ` for all pixels, `flow_noc` for those visible in both images.

    Raises:
        InputError: no pair, or one whose images are missing.
    """
    return require_some(NAME, LAYOUT, root, _pairs(root / "training", truth_folder))


def kitti_stereo_pairs(root: Path) -> Iterator[FlowSample]:
    """The stereo pairs of 2015, left to right, as flow.

    Raises:
        InputError: no pair, or one whose images are missing.
    """
    return require_some(STEREO_NAME, STEREO_LAYOUT, root, _stereo_pairs(root / "training"))


def _pairs(training: Path, truth_folder: str) -> Iterator[FlowSample]:
    present = [name for name in IMAGE_FOLDERS if (training / name).is_dir()]
    images = training / (present or IMAGE_FOLDERS)[0]
    for truth in sorted((training / truth_folder).glob("*_10.png")):
        number = truth.name.removesuffix("_10.png")
        first, second = images / f"{number}_10.png", images / f"{number}_11.png"
        require_files(NAME, LAYOUT, [first, second])
        yield FlowSample(number, first, second, partial(read_kitti_flow, truth))


def _stereo_pairs(training: Path) -> Iterator[FlowSample]:
    for truth in sorted((training / "disp_occ_0").glob("*_10.png")):
        left, right = training / "image_2" / truth.name, training / "image_3" / truth.name
        require_files(STEREO_NAME, STEREO_LAYOUT, [left, right])
        yield FlowSample(truth.stem, left, right, partial(_disparity_flow, truth))


def _disparity_flow(truth: Path) -> Truth:
    return flow_of_disparity(*read_kitti_disparity(truth))
