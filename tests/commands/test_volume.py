"""`mvrecon volume`: cached and explained as a run is, and silent about who was scanned."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from mvrecon.cli import main
from mvrecon.synthetic.phantoms import centered, sampled, sphere
from tests.formats.volumes.files import PATIENT, write_series

SHAPE = (12, 24, 24)
QUICK = ["--mesh.max_faces", "3000000"]


@pytest.fixture
def series(tmp_path: Path) -> Path:
    grid = centered(SHAPE, (1.0, 1.0, 2.0))
    values = sampled(sphere(8.0, 1000, -1000).density, SHAPE, grid, samples=2)
    return write_series(tmp_path / "series", values.astype(np.int16), grid)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def command(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return command


def test_no_patient_in_any_output(
    series: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    run_dir = tmp_path / "out"
    code, printed, told = run("volume", series, "-o", run_dir, "--threshold", "bone", "-v")
    assert code == 0
    files = [file for file in run_dir.rglob("*") if file.is_file()]
    assert {"mesh.ply", "mesh.glb", "report.html", "run.json", "pieces.json"} <= {
        file.name for file in files
    }
    everything = b"".join(file.read_bytes() for file in files)
    everything += "".join([printed, told, *(str(file) for file in files)]).encode()
    for word in [*PATIENT.split("^"), "QX-778812", "778812", "1.2.3.1"]:
        assert re.search(word.encode(), everything, re.IGNORECASE) is None, word
    assert b"Not for diagnosis" in (run_dir / "report.html").read_bytes()
    assert "Not for diagnosis" in told
    assert PATIENT.encode() in next(series.iterdir()).read_bytes()


def test_a_part_is_changed_without_the_rest(
    series: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    run_dir = tmp_path / "out"
    words = ["volume", series, "-o", run_dir, *QUICK]
    assert run(*words)[0] == 0
    _, _, told = run(*words, "--segment.threshold", "300")
    assert "load: cached" in told and "denoise: cached" in told and "segment: running" in told
    _, printed, _ = run(*words, "-n", "--segment.threshold", "310")
    assert "segment  stale" in printed and "threshold: 300 → 310" in printed
    run(*words, "--mesh.smooth", "0")
    _, printed, _ = run("status", run_dir)
    assert all("cached" in line for line in printed.splitlines())
    assert run("explain", run_dir, "mesh")[1].strip() == "mesh: cached, nothing of its key changed"
    assert run("explain", run_dir, "fusion")[0] == 2
    assert run("stage", "segment", run_dir, "--segment.threshold", "250")[0] == 0
    assert run("report", run_dir)[0] == run("clean", run_dir)[0] == 0


def test_an_interrupted_run_goes_on(
    series: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    words = ["volume", series, "-o", tmp_path / "out", *QUICK]
    assert run(*words, "--until", "segment")[0] == 0
    code, printed, told = run(*words)
    assert code == 0 and "segment: cached" in told
    assert [Path(line).name for line in printed.splitlines()] == [
        "mesh.ply", "mesh.glb", "parts", "pieces.json", "report.html",
    ]  # fmt: skip


def test_a_changed_slice_is_noticed(
    series: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    words = ["volume", series, "-o", tmp_path / "out", *QUICK]
    run(*words)
    file = next(series.iterdir())
    data = pydicom.dcmread(file)
    data.PixelData = bytes(len(data.PixelData))
    data.save_as(file)
    assert "load: running" in run(*words)[2]


NIBABEL_DATA = Path(nibabel.__file__).parent / "tests" / "data"
PYDICOM_DATA = Path(pydicom.__file__).parent / "data" / "test_files"
PACKAGED = [
    NIBABEL_DATA / "anatomical.nii",
    NIBABEL_DATA / "functional.nii",
    NIBABEL_DATA / "example4d.nii.gz",
    NIBABEL_DATA / "example_nifti2.nii.gz",
    NIBABEL_DATA / "reoriented_anat_moved.nii",
    NIBABEL_DATA / "test.mgz",
    PYDICOM_DATA / "CT_small.dcm",
    PYDICOM_DATA / "MR_small.dcm",
    PYDICOM_DATA / "MR_small_RLE.dcm",
    PYDICOM_DATA / "rtdose.dcm",
]


@pytest.mark.parametrize("path", PACKAGED, ids=lambda path: path.name)
def test_volumes_that_ship_with_packages_run_to_the_end(
    path: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    if not path.exists():
        pytest.skip(f"this version of the package does not ship {path.name}")
    code, _, told = run("volume", path, "-o", tmp_path / "out", *QUICK)
    assert code == 0, told
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize("name", ["SC_rgb_small_odd.dcm", "reportsi.dcm", "waveform_ecg.dcm"])
def test_dicom_that_is_no_volume_is_refused_in_one_line(
    name: str, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, told = run("volume", PYDICOM_DATA / name, "-o", tmp_path / "out", "-q")
    assert code == 3 and len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("module", "package"), [("pydicom", "pydicom"), ("skimage.measure", "scikit-image")]
)
def test_a_package_that_is_missing_is_told_before_any_work(
    module: str,
    package: str,
    series: Path,
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    code, _, told = run("volume", series, "-o", tmp_path / "out", "-q")
    assert code == 2
    assert told.splitlines() == [
        f"mvrecon: {package} is not installed, which volumes need. pip install 'mvrecon[medical]'"
    ]
