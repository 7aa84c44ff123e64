"""A user's mistake is told in one line with the remedy, and ends with the right exit code."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mvrecon.cli import main
from tests import media
from tests.conftest import REPOSITORY

USAGE, INPUT, NOT_ENOUGH = 2, 3, 4


def fail(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit code and the error line of a command that must fail."""
    code = main([str(argument) for argument in arguments])
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("mvrecon: ")]
    assert len(lines) == 1, error
    assert "Traceback" not in error
    assert lines[0].count(". ") >= 1, "what happened, then the remedy"
    return code, lines[0]


def missing(folder: Path) -> Path:
    return folder / "nowhere.mp4"


def not_a_video(folder: Path) -> Path:
    path = folder / "letter.mp4"
    path.write_text("Dear Sir or Madam")
    return path


def empty_file(folder: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


def truncated(folder: Path) -> Path:
    """The index of an .mp4 stands at its end: half a file has none."""
    path = media.write_video(folder / "half.mp4", media.pan(range(0, 60, 3)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def audio_only(folder: Path) -> Path:
    return media.write_audio(folder / "sound.mp4")


def empty_folder(folder: Path) -> Path:
    path = folder / "photos"
    path.mkdir()
    return path


def one_frame(folder: Path) -> Path:
    return media.write_video(folder / "one.mp4", media.pan([0]))


def tiny_images(folder: Path) -> Path:
    return media.write_images(folder / "tiny", [np.full((1, 1, 3), 90, np.uint8)] * 2)


def named_pipe(folder: Path) -> Path:
    path = folder / "pipe.mp4"
    os.mkfifo(path)
    return path


def all_black(folder: Path) -> Path:
    return media.write_video(folder / "black.mp4", [np.zeros((96, 128, 3), np.uint8)] * 12)


def static_camera(folder: Path) -> Path:
    image = media.make_texture(120, 160)
    rng = np.random.default_rng(0)
    noisy = [
        (image + rng.normal(0, 2, image.shape)).clip(0, 255).astype(np.uint8) for _ in range(12)
    ]
    return media.write_video(folder / "static.mp4", noisy)


@pytest.mark.parametrize(
    ("make", "code", "word"),
    [
        (missing, INPUT, "no such file"),
        (not_a_video, INPUT, "not a readable video"),
        (empty_file, INPUT, "empty"),
        (truncated, INPUT, "half.mp4 is incomplete"),
        (tiny_images, INPUT, "only 1×1 px"),
        (named_pipe, INPUT, "named pipe"),
        (audio_only, INPUT, "sound.mp4"),
        (empty_folder, INPUT, "no images"),
        (one_frame, NOT_ENOUGH, "one frame"),
        (all_black, NOT_ENOUGH, "black"),
        (static_camera, NOT_ENOUGH, "static"),
    ],
)
def test_unusable_input(
    make: Callable[[Path], Path],
    code: int,
    word: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_dir = tmp_path / "run"
    found_code, line = fail(capsys, "run", make(tmp_path), "-o", run_dir)
    assert found_code == code
    assert word in line
    assert not (run_dir / "mesh.ply").exists()


def test_one_unreadable_image_in_a_folder_is_left_out_with_a_reason(tmp_path: Path) -> None:
    folder = media.write_images(tmp_path / "images", media.pan(range(0, 80, 8)))
    (folder / "004.png").write_bytes(b"not an image")
    run_dir = tmp_path / "run"
    assert main(["run", str(folder), "-o", str(run_dir), "--until", "frames"]) == 0
    report = (run_dir / "report.html").read_text()
    assert "004.png" in report


@pytest.mark.parametrize(
    ("option", "word"),
    [
        (["--flow.modle", "dis"], "did you mean '--flow.model'"),
        (["--flow.model", "diss"], "'dis'"),
        (["--flow.max_size", "big"], "integer"),
        (["--flow.max_size", "1"], "greater than or equal"),
        (["--frames.camera", "1,2"], "FOCAL"),
        (["--preset", "defalt"], "did you mean 'default'"),
        (["--until", "surfce"], "surface"),
        (["--workers", "0"], "whole number"),
    ],
)
def test_wrong_usage(
    option: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = one_frame(tmp_path)
    code, line = fail(capsys, "run", clip, "-o", tmp_path / "run", *option)
    assert code == USAGE
    assert word in line


def test_unwritable_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    code, line = fail(capsys, "run", one_frame(tmp_path), "-o", in_the_way / "run")
    assert code == USAGE
    assert "-o" in line


def test_a_full_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "some/item")

    monkeypatch.setattr("mvrecon.engine.store.PartialArtifact.write", refuse)
    clip = media.write_video(tmp_path / "clip.mp4", media.pan(range(0, 60, 3)))
    code, line = fail(capsys, "run", clip, "-o", tmp_path / "run")
    assert code == USAGE
    assert "some/item (No space left on device)" in line
    assert "mvrecon run" in line


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(capsys)[0] == USAGE


def test_not_a_run_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = fail(capsys, "status", tmp_path)
    assert code == USAGE
    assert "not a run directory" in line


def test_a_stage_whose_input_is_missing_names_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = media.write_video(tmp_path / "clip.mp4", media.pan(range(0, 60, 3)))
    run_dir = tmp_path / "run"
    assert main(["run", str(clip), "-o", str(run_dir), "--until", "frames"]) == 0
    capsys.readouterr()
    code, line = fail(capsys, "stage", "pose", run_dir)
    assert code == USAGE
    assert "mvrecon run" in line
    assert "--until flow" in line


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--flow.mvflow.weights", "{file}"], "as weights of flow"),
        (["--flow.mvflow.weights", "{other}"], "as weights of flow"),
        (["--flow.model=raft-small", "--flow.raft.weights", "{other}"], "flow weights"),
        (["--flow.model=raft-small"], "has no weights"),
        (["--depth.model=learned", "--depth.learned.weights", "{file}"], "as weights of depth"),
        (["--fusion.model=both", "--fusion.recurrent.weights", "{file}"], "as weights of fusion"),
        (
            ["--fusion.completion.method=prior", "--fusion.completion.weights", "{file}"],
            "as weights of completion",
        ),
        (["--poses", "{file}"], "is not a pose"),
        (["--poses", "{folder}"], "no COLMAP model"),
        (["--preset", "{toml}"], "is not valid TOML"),
    ],
)
def test_what_the_options_name_is_checked_before_the_first_stage(
    options: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "file": tmp_path / "letter.txt",
        "other": REPOSITORY / "stages/depth/weights/depthnet.pt",
        "folder": tmp_path,
        "toml": tmp_path / "letter.toml",
    }
    files["file"].write_text("Dear Sir or Madam")
    files["toml"].write_bytes(b"\xff\xfe")
    clip = media.write_video(tmp_path / "clip.mp4", media.pan(range(0, 60, 3)))
    told = [option.format(**files) for option in options]
    assert main(["run", str(clip), "-o", str(tmp_path / "run"), *told]) in (USAGE, INPUT)
    error = capsys.readouterr().err
    assert word in error
    assert ": running" not in error


def test_names_of_files_do_not_break_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two\nlines \x1b[31m😀\udcff.mp4"
    code, line = fail(capsys, "run", path)
    assert code == INPUT
    assert "two\\nlines \\x1b[31m😀\\udcff.mp4" in line


def test_an_input_that_is_gone_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = media.write_video(tmp_path / "clip.mp4", media.pan(range(0, 60, 3)))
    run_dir = tmp_path / "run"
    assert main(["run", str(clip), "-o", str(run_dir), "--until", "frames"]) == 0
    clip.unlink()
    for command in (["stage", "flow", run_dir], ["status", run_dir], ["report", run_dir]):
        capsys.readouterr()
        code, line = fail(capsys, *command)
        assert code == INPUT
        assert "clip.mp4" in line


def test_learned_flow_without_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = media.write_video(tmp_path / "clip.mp4", media.pan(range(0, 60, 3)))
    code, line = fail(capsys, "run", clip, "-o", tmp_path / "run", "--flow.model", "raft-small")
    assert code == USAGE
    assert "--flow.raft.weights" in line


def test_weights_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = media.write_video(tmp_path / "clip.mp4", media.pan(range(0, 60, 3)))
    code, line = fail(
        capsys, "run", clip, "-o", tmp_path / "run", "--flow.mvflow.weights", tmp_path / "no.pth"
    )
    assert code == USAGE
    assert "no.pth" in line
