"""FlyingChairs (Dosovitskiy et al., "FlowNet", ICCV 2015)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mvrecon.datasets.flow_pairs import FlowDataSet, FlowSample, Parts, require_files
from mvrecon.errors import InputError
from mvrecon.formats.flow import read_flo

SPLIT_FILE = "FlyingChairs_train_val.txt"
# What the file says of each pair, line by line.
SPLIT_MARKS = {"train": "1", "val": "2"}


def _read(root: Path, split: str) -> Parts:
    folder = root / "data" if (root / "data").is_dir() else root
    numbers = {path.name[:-9] for path in folder.glob("*_flow.flo")}
    numbers |= {path.name[:-9] for path in folder.glob("*_img1.*")}
    pairs = []
    for number in sorted(_of_split(root, numbers, split)):
        suffix = ".png" if (folder / f"{number}_img1.png").is_file() else ".ppm"
        first, second = (folder / f"{number}_img{n}{suffix}" for n in (1, 2))
        truth = folder / f"{number}_flow.flo"
        require_files([first, second, truth])
        pairs.append(FlowSample(number, first, second, partial(read_flo, truth), (truth,)))
    yield "FlyingChairs" + ("" if split == "all" else f" {split}"), pairs


def _of_split(root: Path, numbers: set[str], split: str) -> set[str]:
    """The numbers of a split; pair 00001 has the first line of the file of splits."""
    if split == "all":
        return numbers
    file = root / SPLIT_FILE
    require_files([file])
    marks = file.read_text().split()
    if len(marks) < max(int(number) for number in numbers):
        raise InputError(
            f"{file} has {len(marks)} lines, fewer than there are pairs",
            "Restore the file from its data set",
        )
    return {number for number in numbers if marks[int(number) - 1] == SPLIT_MARKS[split]}


FLYINGCHAIRS = FlowDataSet(
    name="flyingchairs",
    title="FlyingChairs",
    layout="ROOT/ or ROOT/data/ with NNNNN_img1.ppm, NNNNN_img2.ppm (or .png) and NNNNN_flow.flo; "
    f"for the splits train and val also ROOT/{SPLIT_FILE}",
    needs=(("*_flow.flo", "data/*_flow.flo"),),
    read=_read,
    splits=("all", "train", "val"),
)
