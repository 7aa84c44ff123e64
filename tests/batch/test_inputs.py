"""Which inputs a batch finds, and that their runs keep their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvrecon.batch.inputs import find_inputs, name_runs
from mvrecon.errors import InputError
from mvrecon.run_dir import RunRecord


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.mp4", "notes.md", "deep/b.MOV", "deep/photos/1.jpg", "deep/photos/2.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def test_videos_and_photo_folders_below_a_folder_are_found(tree: Path) -> None:
    found = [path.relative_to(tree).as_posix() for path in find_inputs([tree])]
    assert found == ["a.mp4", "deep/b.MOV", "deep/photos"]


def test_runs_of_an_earlier_batch_are_no_inputs(tree: Path) -> None:
    RunRecord(tree / "a.mp4", {}).save(tree / "a.mvrecon")
    (tree / "a.mvrecon/images").mkdir()
    (tree / "a.mvrecon/images/0.jpg").write_bytes(b"x")
    assert tree / "a.mvrecon/images" not in find_inputs([tree])


def test_a_list_names_inputs_relative_to_itself(tree: Path) -> None:
    listed = tree / "list.txt"
    listed.write_text("# mine\n\ndeep/b.MOV\ndeep/photos\ndeep/b.MOV\n")
    assert find_inputs([listed]) == [tree / "deep/b.MOV", tree / "deep/photos"]


def test_what_holds_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no video and no photos in"):
        find_inputs([tmp_path])
    with pytest.raises(InputError, match="no such file or folder"):
        find_inputs([tmp_path / "none.mp4"])


def test_equal_names_are_kept_apart_and_stay_when_others_come(tmp_path: Path) -> None:
    first, second = tmp_path / "x/clip.mp4", tmp_path / "y/clip.mp4"
    folder = tmp_path / "out"
    alone = name_runs([second], folder)
    assert [one.name for one in alone] == ["clip"]
    RunRecord(second, {}).save(folder / "clip.mvrecon")
    both = {one.raw_input: one.name for one in name_runs([first, second], folder)}
    assert both[second] == "clip"
    assert both[first].startswith("clip-")
