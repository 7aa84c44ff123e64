"""KITTI flow and stereo 2012 and 2015 (Geiger et al., CVPR 2012; Menze and Geiger, CVPR 2015)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mvrecon.datasets.flow_pairs import (
    FlowDataSet,
    FlowSample,
    Mask,
    MissingFileError,
    Parts,
    Truth,
    flow_of_disparity,
    read_mask,
    require_files,
    visibility,
)
from mvrecon.errors import InputError
from mvrecon.formats.flow import read_kitti_disparity, read_kitti_flow


@dataclass(frozen=True)
class KittiYear:
    """The folders of one edition.

    Attributes:
        year: 2012 or 2015.
        left, right: image folders, the first that is there is taken (colour before grey).
        disparity: suffix of the disparity folders.
        submission: folder in the archive that the server takes, empty for its root.
    """

    year: int
    left: tuple[str, ...]
    right: tuple[str, ...]
    disparity: str
    submission: str

    def images(self, split: Path, sides: tuple[str, ...]) -> Path:
        """Folder of the images in `training` or `testing`."""
        present = [name for name in sides if (split / name).is_dir()]
        return split / (present or sides)[0]


YEARS = (
    KittiYear(2012, ("colored_0", "image_0"), ("colored_1", "image_1"), "", ""),
    KittiYear(2015, ("image_2",), ("image_3",), "_0", "flow"),
)


def kitti_testing_pairs(year: KittiYear, root: Path) -> list[tuple[str, Path, Path]]:
    """The pairs without public truth: file name of the result, first and second image.

    Raises:
        InputError: there is none, or one lacks its second image.
    """
    images = year.images(root / "testing", year.left)
    expected = f"Expected ROOT/testing/{year.left[0]} with NNNNNN_10.png and NNNNNN_11.png"
    firsts = sorted(images.glob("*_10.png"))
    if not firsts:
        raise InputError(f"no testing pairs of KITTI {year.year}: {images} has none", expected)
    pairs = [(path.name, path, path.with_name(path.name.replace("_10", "_11"))) for path in firsts]
    for _, _, second in pairs:
        if not second.is_file():
            raise InputError(f"KITTI {year.year} is not complete: {second} is missing", expected)
    return pairs


def _read_flow(year: KittiYear, root: Path, split: str) -> Parts:
    """Flow with the truth of all pixels, or if that is not there, of the visible ones."""
    training = root / split
    images = year.images(training, year.left)
    truths = _Truths(training, "flow_occ", "flow_noc", read_kitti_flow)
    moving = training / "obj_map"
    pairs = []
    for name in truths.names_with(images):
        first, second = images / name, images / name.replace("_10", "_11")
        objects = (moving / name,) if moving.is_dir() else ()
        require_files([first, second, *truths.files(name), *objects])
        pairs.append(
            FlowSample(
                name.removesuffix("_10.png"),
                first,
                second,
                partial(truths.read, name),
                (*truths.files(name), *objects),
                partial(_regions, truths, name, objects),
            )
        )
    yield f"KITTI {year.year}{truths.mark}", pairs


def _read_stereo(year: KittiYear, root: Path, split: str) -> Parts:
    """Left to right as flow."""
    training = root / split
    left, right = (year.images(training, sides) for sides in (year.left, year.right))
    occ, noc = (f"disp_{kind}{year.disparity}" for kind in ("occ", "noc"))
    truths = _Truths(training, occ, noc, _read_disparity)
    pairs = []
    for name in truths.names_with(left):
        require_files([left / name, right / name, *truths.files(name)])
        pairs.append(
            FlowSample(
                name.removesuffix("_10.png"),
                left / name,
                right / name,
                partial(truths.read, name),
                truths.files(name),
                partial(_regions, truths, name, ()),
            )
        )
    yield f"KITTI {year.year} stereo{truths.mark}", pairs


class _Truths:
    """The truth of all pixels and of those visible in both images, as far as they are there."""

    def __init__(
        self, training: Path, occ: str, noc: str, read_file: Callable[[Path], Truth]
    ) -> None:
        self._folders = [training / name for name in (occ, noc) if (training / name).is_dir()]
        self._has_visible = (training / noc) in self._folders
        self._read_file = read_file
        if not self._folders:
            raise MissingFileError(training / occ)

    @property
    def mark(self) -> str:
        """` noc` if the truth is that of the visible pixels only."""
        return " noc" if len(self._folders) == 1 and self._has_visible else ""

    def names_with(self, images: Path) -> list[str]:
        """File names of the pairs that have a truth or a first image."""
        return sorted(
            {p.name for folder in (images, *self._folders) for p in folder.glob("*_10.png")}
        )

    def files(self, name: str) -> tuple[Path, ...]:
        """The truth files of a pair."""
        return tuple(folder / name for folder in self._folders)

    def read(self, name: str) -> Truth:
        """Flow and valid pixels."""
        return self._read_file(self._folders[0] / name)

    def regions(self, name: str) -> dict[str, Mask]:
        """Visible and occluded, where the set tells them apart."""
        return visibility(self._read_file(self._folders[-1] / name)[1]) if self._has_visible else {}


def _regions(truths: _Truths, name: str, objects: tuple[Path, ...]) -> Mapping[str, Mask]:
    regions = truths.regions(name)
    for path in objects:
        moving_hw = read_mask(path)
        regions |= {"foreground": moving_hw, "background": ~moving_hw}
    return regions


def _read_disparity(path: Path) -> Truth:
    return flow_of_disparity(*read_kitti_disparity(path))


def _flow(year: KittiYear) -> FlowDataSet:
    left = year.left[0]
    return FlowDataSet(
        name=f"kitti{year.year}",
        title=f"KITTI {year.year}",
        layout=f"ROOT/training/{' or '.join(year.left)} with NNNNNN_10.png and NNNNNN_11.png, "
        "ROOT/training/flow_occ and flow_noc (or one of them) with NNNNNN_10.png"
        + (", and if obj_map is there, NNNNNN_10.png in it" if left == "image_2" else ""),
        needs=(
            tuple(f"training/{name}" for name in year.left),
            ("training/flow_occ", "training/flow_noc"),
        ),
        read=partial(_read_flow, year),
    )


def _stereo(year: KittiYear) -> FlowDataSet:
    occ, noc = (f"disp_{kind}{year.disparity}" for kind in ("occ", "noc"))
    return FlowDataSet(
        name=f"kitti{year.year}-stereo",
        title=f"KITTI {year.year} stereo",
        layout=f"ROOT/training/{year.left[0]}, {year.right[0]} and {occ} or {noc}, "
        "each with NNNNNN_10.png",
        needs=(
            tuple(f"training/{name}" for name in year.left),
            (f"training/{occ}", f"training/{noc}"),
            tuple(f"training/{name}" for name in year.right),
        ),
        read=partial(_read_stereo, year),
    )


KITTI_FLOW = tuple(_flow(year) for year in YEARS)
KITTI_STEREO = tuple(_stereo(year) for year in YEARS)
