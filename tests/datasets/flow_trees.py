"""Tiny flow data sets in their real on-disk layouts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mvrecon.formats.flow import write_kitti_flow
from tests.flow_files import write_flo, write_flo5, write_pfm
from tests.media import pan

HEIGHT, WIDTH = 48, 64
SHIFT_PX = 2
FLOW = np.zeros((HEIGHT, WIDTH, 2), np.float32)
FLOW[..., 0] = -SHIFT_PX
FIRST, SECOND = pan([0, SHIFT_PX], HEIGHT, WIDTH)
TOP = np.zeros((HEIGHT, WIDTH), bool)
TOP[: HEIGHT // 4] = True


def write_image(path: Path, image: np.ndarray = FIRST) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)


def in_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def write_mask(path: Path, mask_hw: np.ndarray = TOP) -> None:
    write_image(path, mask_hw.astype(np.uint8) * 255)


def make_middlebury(root: Path) -> None:
    for seed, scene in enumerate(("Army", "Venus")):
        for number, image in zip((10, 11), pan([0, SHIFT_PX], HEIGHT, WIDTH, seed), strict=True):
            write_image(root / "other-data" / scene / f"frame{number}.png", image)
        write_flo(in_folder(root / "other-gt-flow" / scene / "flow10.flo"), FLOW)
    write_image(root / "other-data" / "Walking" / "frame10.png")


def make_chairs(root: Path) -> None:
    for number, suffix in (("00001", ".ppm"), ("00002", ".png")):
        write_image(root / f"{number}_img1{suffix}")
        write_image(root / f"{number}_img2{suffix}", SECOND)
        write_flo(root / f"{number}_flow.flo", FLOW)


def make_kitti2012(root: Path, truth: tuple[str, ...] = ("flow_noc",)) -> None:
    _make_kitti(root, "colored_0", truth)


def make_kitti2015(root: Path) -> None:
    _make_kitti(root, "image_2", ("flow_noc", "flow_occ"))
    write_mask(root / "training/obj_map/000045_10.png")


def _make_kitti(root: Path, images: str, truth: tuple[str, ...]) -> None:
    write_image(root / "training" / images / "000045_10.png")
    write_image(root / "training" / images / "000045_11.png", SECOND)
    for folder in truth:
        valid_hw = ~TOP if folder == "flow_noc" else np.ones_like(TOP)
        write_kitti_flow(in_folder(root / "training" / folder / "000045_10.png"), FLOW, valid_hw)


def make_kitti_testing(root: Path, images: str) -> None:
    for seed, number in enumerate(("000000", "000001")):
        for frame, image in zip((10, 11), pan([0, SHIFT_PX], HEIGHT, WIDTH, seed), strict=True):
            write_image(root / "testing" / images / f"{number}_{frame}.png", image)


def make_sintel(root: Path) -> None:
    for render_pass in ("clean", "final"):
        for number, image in ((1, FIRST), (2, SECOND)):
            write_image(
                root / "training" / render_pass / "alley_1" / f"frame_{number:04d}.png", image
            )
    write_flo(in_folder(root / "training/flow/alley_1/frame_0001.flo"), FLOW)
    write_mask(root / "training/occlusions/alley_1/frame_0001.png")
    write_mask(root / "training/invalid/alley_1/frame_0001.png", TOP[::-1])


def make_spring(root: Path) -> None:
    scene = root / "train/0004"
    for side in ("left", "right"):
        for number, image in ((1, FIRST), (2, SECOND)):
            write_image(scene / f"frame_{side}/frame_{side}_{number:04d}.png", image)
    fine_hw2 = FLOW.repeat(2, axis=0).repeat(2, axis=1)
    # Between the values that are taken.
    fine_hw2[1::2, 1::2] = 99
    for word, number, sign in (("FW", 1, 1), ("BW", 2, -1)):
        name = f"flow_{word}_left/flow_{word}_left_{number:04d}.flo5"
        write_flo5(in_folder(scene / name), sign * fine_hw2)


def make_hd1k(root: Path) -> None:
    for number, image in ((10, FIRST), (11, SECOND)):
        name = f"000003_{number:04d}.png"
        write_image(root / "hd1k_input/image_2" / name, image)
        write_kitti_flow(in_folder(root / "hd1k_flow_gt/flow_occ" / name), FLOW, ~TOP)


def make_things(root: Path) -> None:
    scene = Path("TEST/A/0003")
    flow_hw3 = np.dstack([FLOW, np.zeros_like(TOP, np.float32)])
    for render_pass in ("cleanpass", "finalpass"):
        for side in ("left", "right"):
            images = root / f"frames_{render_pass}" / scene / side
            write_image(images / "0006.png")
            write_image(images / "0007.png", SECOND)
    for folder, word, sign in (("into_future", "IntoFuture", 1), ("into_past", "IntoPast", -1)):
        for side in ("left", "right"):
            for number in ("0006", "0007"):
                name = f"OpticalFlow{word}_{number}_{side[0].upper()}.pfm"
                path = in_folder(root / "optical_flow" / scene / folder / side / name)
                write_pfm(path, np.float32(sign) * flow_hw3)


def make_things_stereo(root: Path) -> None:
    for side, image in (("left", FIRST), ("right", SECOND)):
        write_image(root / "RGB_cleanpass" / side / "A-1.png", image)
        disparity = in_folder(root / "disparity" / side / "A-1.pfm")
        write_pfm(disparity, np.full(TOP.shape, SHIFT_PX, np.float32))
        write_mask(root / "occlusion" / side / "A-1.png")


def make_things_full_stereo(root: Path) -> None:
    scene = Path("TEST/B/0001")
    for side, image in (("left", FIRST), ("right", SECOND)):
        write_image(root / "frames_cleanpass" / scene / side / "0006.png", image)
        disparity = in_folder(root / "disparity" / scene / side / "0006.pfm")
        write_pfm(disparity, np.full(TOP.shape, SHIFT_PX, np.float32))


def make_kitti2015_stereo(root: Path) -> None:
    _make_kitti_stereo(root, ("image_2", "image_3"), ("disp_occ_0", "disp_noc_0"))


def make_kitti2012_stereo(root: Path) -> None:
    _make_kitti_stereo(root, ("colored_0", "colored_1"), ("disp_occ", "disp_noc"))


def _make_kitti_stereo(root: Path, images: tuple[str, str], truth: tuple[str, str]) -> None:
    for folder, image in zip(images, (FIRST, SECOND), strict=True):
        write_image(root / "training" / folder / "000046_10.png", image)
    for folder, valid_hw in zip(truth, (np.ones_like(TOP), ~TOP), strict=True):
        disparity = np.where(valid_hw, SHIFT_PX * 256, 0).astype(np.uint16)
        write_image(root / "training" / folder / "000046_10.png", disparity)
