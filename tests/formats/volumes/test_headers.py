"""NRRD and MetaImage whose values lie in a file beside the header, and headers that are wrong."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mvrecon.errors import InputError
from tests.formats.volumes.test_files import RAS_FROM_IJK_44, VALUES, meta_image, nrrd, opened

DATA = VALUES.astype("<i2").tobytes()


def detached(path: Path, where: str, encoding: str = "raw", **fields: str) -> None:
    """A header whose values are in another file; fields come instead of, or beside, the usual."""
    nrrd(path)
    lines = path.read_bytes().partition(b"\n\n")[0].decode().splitlines()
    usual = dict(line.split(": ", 1) for line in lines[2:] if ": " in line)
    usual |= {"encoding": encoding, "data file": where}
    usual |= {name.replace("_", " "): value for name, value in fields.items()}
    told = [f"{name}: {value}" for name, value in usual.items() if value]
    path.write_text("\n".join(["NRRD0004", *told, "", ""]))


@pytest.mark.parametrize("where", ["a.raw", "./a.raw", "below/a.raw"])
def test_values_beside_or_below_the_header(tmp_path: Path, where: str) -> None:
    detached(tmp_path / "a.nhdr", where)
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_bytes(DATA)
    source, values = opened(tmp_path / "a.nhdr")
    assert np.array_equal(values, VALUES)
    assert np.allclose(source.ras_from_ijk_44, RAS_FROM_IJK_44)


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress), ("raw", bytes)]
)
def test_values_packed_in_each_way(
    tmp_path: Path, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    detached(tmp_path / "a.nhdr", "a.bin", encoding)
    (tmp_path / "a.bin").write_bytes(pack(DATA))
    assert np.array_equal(opened(tmp_path / "a.nhdr")[1], VALUES)


def test_bytes_before_the_values_are_skipped(tmp_path: Path) -> None:
    for skip, before in (("7", b"garbage"), ("-1", b"any number of bytes")):
        detached(tmp_path / "a.nhdr", "a.raw", byte_skip=skip)
        (tmp_path / "a.raw").write_bytes(before + DATA)
        assert np.array_equal(opened(tmp_path / "a.nhdr")[1], VALUES)


def test_without_an_orientation_spacings_serve_and_a_warning_says_so(tmp_path: Path) -> None:
    detached(
        tmp_path / "a.nhdr",
        "a.raw",
        space="",
        space_directions="",
        space_origin="",
        spacings="0.5 0.6 2",
    )
    (tmp_path / "a.raw").write_bytes(DATA)
    source, _ = opened(tmp_path / "a.nhdr")
    assert np.allclose(source.ras_from_ijk_44, np.diag([0.5, 0.6, 2, 1]))
    assert any("left and right" in warning for warning in source.warnings)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"line_skip": "2"}, "asks to skip lines"),
        ({"line_skip": "two"}, "line skip should be a whole number"),
        ({"byte_skip": "0x10"}, "byte skip should be a whole number"),
        ({"space": "scanner-xyz"}, "in the space scanner-xyz, not one of a patient"),
        ({"sizes": "3 4 many"}, "sizes should be 3 numbers"),
        ({"dimension": "4"}, "no volume of three dimensions"),
    ],
)
def test_a_header_that_is_wrong_is_named(tmp_path: Path, fields: dict[str, str], said: str) -> None:
    detached(tmp_path / "a.nhdr", "a.raw", **fields)
    (tmp_path / "a.raw").write_bytes(DATA)
    with pytest.raises(InputError, match=said):
        opened(tmp_path / "a.nhdr")


def test_a_header_without_an_end_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_text("NRRD0004\n" + "type: short\n" * 2000)
    with pytest.raises(InputError, match="no complete NRRD header"):
        opened(tmp_path / "a.nrrd")


@pytest.mark.parametrize("where", ["missing.raw", "../outside.raw", "", "below", "LIST", "a\0.raw"])
@pytest.mark.parametrize("kind", ["nhdr", "mhd"])
def test_values_that_are_not_there_or_in_another_folder(
    tmp_path: Path, kind: str, where: str
) -> None:
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (tmp_path / "outside.raw").write_bytes(DATA)
    header = folder / f"a.{kind}"
    if kind == "nhdr":
        detached(header, where or ".")
    else:
        meta_image(header)
        told = header.read_text().splitlines()
        header.write_text("\n".join([*told[:-1], f"ElementDataFile = {where or '.'}", ""]))
    with pytest.raises(InputError, match="its values should be in"):
        opened(header)


def test_values_that_cannot_be_unpacked(tmp_path: Path) -> None:
    detached(tmp_path / "a.nhdr", "a.gz", "gzip")
    (tmp_path / "a.gz").write_bytes(gzip.compress(DATA)[:-9])
    with pytest.raises(InputError, match=r"a\.gz cannot be unpacked \(gzip\)"):
        opened(tmp_path / "a.nhdr")
