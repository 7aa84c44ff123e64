"""Poses, presets, weights and stores from elsewhere run no code, reach no other file, and take
no more memory than they have bytes."""

from __future__ import annotations

import json
import os
import pickle
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from mvrecon.config import load_preset
from mvrecon.datasets.given_poses import read_given_poses
from mvrecon.datasets.posed import load_posed_set
from mvrecon.engine.keys import Key
from mvrecon.engine.partial import MANIFEST
from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.engine.store import Store
from mvrecon.errors import InputError, MvreconError
from mvrecon.run_dir import RunRecord
from stages.depth.learned.model import load_network
from stages.flow.models.mvflow.card import MVFLOW_WEIGHTS
from stages.flow.models.mvflow.model import load_mvflow
from stages.flow.models.raft.model import load_raft
from stages.flow.models.raft.network import RAFT_SMALL
from tests.conftest import REPOSITORY
from tests.datasets.test_given_poses import cameras_json, write_colmap, write_transforms
from tests.fuzz.mutations import MUTATIONS

MUTANTS = 300  # of each form


@contextmanager
def little_memory(more_bytes: int = 1 << 30) -> Iterator[None]:
    """Let the process take so much more, and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def write_cameras(path: Path) -> None:
    path.write_text(cameras_json(t=1.5))


def write_trajectory(path: Path) -> None:
    path.write_text("# comment\n" + "".join(f"{i} 0 {i} 0 0 0 0 1\n" for i in range(9)))


@pytest.mark.parametrize("write", [write_colmap, write_transforms, write_cameras, write_trajectory])
def test_mutated_poses_are_read_or_refused(write, tmp_path):
    write(tmp_path / "poses")
    files = (
        sorted((tmp_path / "poses").iterdir()) if write is write_colmap else [tmp_path / "poses"]
    )
    whole = {path: path.read_bytes() for path in files}
    refused = 0
    with little_memory():
        for number in range(MUTANTS):
            rng = np.random.default_rng(number)
            path = files[number % len(files)]
            path.write_bytes(MUTATIONS[number % len(MUTATIONS)](whole[path], rng))
            try:
                assert read_given_poses(tmp_path / "poses")
            except MvreconError as error:
                assert error.exit_code in (2, 3)
                refused += 1
            path.write_bytes(whole[path])
    assert refused > MUTANTS / 10


@pytest.mark.parametrize("part", ["cameras", "images", "points3D"])
@pytest.mark.parametrize("count", [1, 1 << 40, (1 << 64) - 1])
def test_counts_of_a_colmap_model_are_not_believed(part, count, tmp_path):
    write_colmap(tmp_path / "model")
    head = {"cameras": b"", "images": b"\1\0\0\0" + bytes(60) + b"name\0", "points3D": bytes(43)}
    path = tmp_path / "model" / f"{part}.bin"
    path.write_bytes(struct.pack("<Q", count) + head[part] + struct.pack("<Q", count))
    with little_memory(), pytest.raises(InputError):
        read_given_poses(tmp_path / "model")


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, '{"frames":' + "[" * 200_000, '{"frames": [{"c2w": 1e999, "file": "x"}]}',
     '{"frames": [{"transform_matrix": [[1]], "w": Infinity, "h": 1, "fl_x": 1}]}', "{", "nan " * 8,
     "1 " * 7 + "1e999", '{"frames": {"0": 1}}', '{"frames": [[]]}', "\0" * 100],
)  # fmt: skip
def test_poses_of_no_sense_are_refused(text, tmp_path):
    path = tmp_path / "poses.json"
    path.write_text(text)
    with pytest.raises(InputError):
        read_given_poses(path)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -5.0, 0.0])
def test_impossible_intrinsics_are_refused(number, tmp_path):
    data = json.loads(cameras_json())
    data["frames"][1]["fx"] = number
    (tmp_path / "cameras.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="impossible intrinsics"):
        read_given_poses(tmp_path / "cameras.json")


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../secret.png"])
def test_a_data_set_names_no_file_outside_of_it(name, tmp_path):
    data = json.loads(cameras_json())
    data["frames"][0]["file"] = name
    (tmp_path / "cameras.json").write_text(json.dumps(data))
    posed = load_posed_set(tmp_path)
    with pytest.raises(InputError, match="is not inside it"):
        posed.read_image(posed.images[0])


class Bomb:
    def __reduce__(self):
        return os.system, ("touch /tmp/mvrecon-was-here",)


def test_weights_run_no_code(tmp_path):
    mark = Path("/tmp/mvrecon-was-here")
    mark.unlink(missing_ok=True)
    torch.save({"network": {}, "weights": Bomb()}, tmp_path / "new.pt")
    torch.save(Bomb(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Bomb()))
    for path in sorted(tmp_path.iterdir()):
        for load in (load_mvflow, load_network, lambda path: load_raft(path, RAFT_SMALL)):
            with pytest.raises(MvreconError):
                load(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "sizes",
    [{"hidden": 1 << 40}, {"features": 4000, "hidden": 4000}, {"widths": [4000] * 4},
     {"updates": [10**9, 1]}, {"widths": "abc"}, [], {"hidden": -3}, {"hidden": float("nan")}],
)  # fmt: skip
def test_sizes_of_weights_are_not_believed(sizes, tmp_path):
    stored = torch.load(MVFLOW_WEIGHTS, weights_only=True)
    torch.save({**stored, "network": sizes}, tmp_path / "weights.pt")
    with little_memory(), pytest.raises(MvreconError):
        load_mvflow(tmp_path / "weights.pt")


def test_weights_that_unfold_to_more_are_refused(tmp_path):
    with (
        zipfile.ZipFile(MVFLOW_WEIGHTS) as source,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in source.infolist():
            bomb.writestr(entry.filename, source.read(entry))
        bomb.writestr("archive/data/999", bytes(1 << 28))
    with pytest.raises(MvreconError):
        load_mvflow(tmp_path / "bomb.pt")


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 100_000, "x = 1", "[flow]\nmodel = {a = {b = 1}}\n", "\0"]
)
def test_presets_of_no_sense_are_refused(text, tmp_path):
    from mvrecon.config import build_configs
    from stages.pipeline import CONFIG_CLASSES

    (tmp_path / "preset.toml").write_text(text)
    with pytest.raises(MvreconError):
        build_configs(CONFIG_CLASSES, [load_preset(str(tmp_path / "preset.toml"))])


@pytest.mark.parametrize(
    "text", ["[]", '{"input": 3, "options": {}}', '{"input": "x", "options": {"flow": 3}}', "null"]
)
def test_records_of_no_sense_are_refused(text, tmp_path):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(MvreconError, match="not a run directory"):
        RunRecord.load(tmp_path)


KEY = Key({"stage": "toy"})


def store_with(tmp_path: Path, name: str) -> Store:
    """A store whose only result names a file, with a hash that is not that file's."""
    store = Store(tmp_path / "store")
    folder = store.folder("toy", KEY)
    folder.mkdir(parents=True)
    items = {name: {"sha256": "0" * 64, "size": 3, "mtime_ns": 1}}
    manifest = {"digest": "x", "key_parts": {}, "items": items, "recorded": {}}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return store


@pytest.mark.parametrize("name", ["../../../secret", "{}/secret", "a/../../../../secret", ""])
def test_a_manifest_names_no_file_outside_of_its_folder(name, tmp_path):
    (tmp_path / "secret").write_text("mine")
    store = store_with(tmp_path, name.format(tmp_path))
    assert store.find("toy", KEY) is None
    assert (tmp_path / "secret").read_text() == "mine"


def test_links_in_a_store_are_not_followed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "secret").write_text("abc")
    store = store_with(tmp_path, "linked/secret")
    folder = store.folder("toy", KEY)
    (folder / "linked").symlink_to(tmp_path / "mine")
    artifact = store.find("toy", KEY)
    store.reopen(artifact, artifact.corrupt_items(check_hashes=True))
    store.open_partial("toy", KEY).write_text("linked/other", "new")
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"secret"}


def test_the_latest_result_is_one_of_its_stage(tmp_path):
    store = store_with(tmp_path, "item")
    for name in ("../toy/" + KEY.name, str(store.folder("toy", KEY)), "..", ""):
        (store.root / "toy" / "latest").write_text(name)
        assert store.latest("toy") is None
    (store.root / "toy" / "latest").write_text(KEY.name)
    assert store.latest("toy")


def test_nothing_is_imported_from_the_folder_that_one_works_in(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the working folder')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [part for part in sys.path if part not in ("", ".")])
    assert run_isolated(os.getcwd, (), tmp_path / "log", "toy") == str(tmp_path)


def test_the_command_imports_nothing_from_there_either(tmp_path):
    (tmp_path / "cv2.py").write_text("raise SystemExit('imported from the working folder')")
    code = "import sys; sys.path.pop(0); from mvrecon.cli import main; sys.exit(main(['doctor']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "imported from" not in done.stdout + done.stderr
