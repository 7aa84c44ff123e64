import json

import numpy as np
import pytest

from mvrecon.cli import main
from mvrecon.downloads import CACHE_VARIABLE
from mvrecon.formats.flow import read_kitti_flow
from tests.datasets import flow_trees as trees


def bench(folder, name, root, *options):
    return main(["bench", name, "--root", str(root), "-o", str(folder / "out"), *options])


def test_models_side_by_side(tmp_path, capsys):
    trees.make_middlebury(tmp_path / "data/flow/middlebury")
    trees.make_sintel(tmp_path / "data/sintel")
    root = tmp_path / "data"
    models = ["--model", "dis,dis:preset=ultrafast"]
    table = tmp_path / "table.md"
    assert bench(tmp_path, "flow", root, *models, "--markdown", str(table)) == 0
    printed = capsys.readouterr().out
    assert "Sintel final" in printed and "dis:preset=ultrafast" in printed
    results = json.loads((tmp_path / "out/bench.json").read_text())
    assert len(results["rows"]) == 3 * 2 + 2
    for row in results["rows"]:
        if row["benchmark"] == "flow":
            assert 0 < row["figures"]["epe_mean_over_pixels_px"] < 1
    html = (tmp_path / "out/bench.html").read_text()
    assert html.count("data:image/jpeg") == 2 * 2 + 2 * 2
    for text in (html, table.read_text(), json.dumps(results)):
        assert str(tmp_path) not in text
    old = tmp_path / "old.json"
    for row in results["rows"]:
        row["figures"]["epe_mean_over_pixels_px"] = 5.0
    old.write_text(json.dumps(results))
    assert bench(tmp_path, "flow", root, *models, "--compare", str(old), "--only", "clean") == 0
    printed = capsys.readouterr().out
    assert "better flow · Sintel clean · dis: EPE, pixels 5.00 →" in printed
    assert "no longer there: flow · Middlebury · dis" in printed


def test_submission(tmp_path, capsys):
    trees.make_kitti_testing(tmp_path / "data", "image_2")
    folder = tmp_path / "send"
    submission = ["--submission", str(folder)]
    assert bench(tmp_path, "kitti", tmp_path / "data", "--model", "dis", *submission) == 0
    assert not (tmp_path / "out/bench.json").exists()
    trees.make_kitti2015(tmp_path / "data")
    assert bench(tmp_path, "kitti", tmp_path / "data", "--model", "dis", *submission) == 0
    assert json.loads((tmp_path / "out/bench.json").read_text())["rows"]
    flow_hw2, valid_hw = read_kitti_flow(folder / "flow/000001_10.png")
    assert valid_hw.all()
    assert np.median(flow_hw2[..., 0]) == pytest.approx(-trees.SHIFT_PX, abs=0.3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--limit", "0"], "leaves no pairs"),
        (["--workers", "2"], "one at a time"),
        (["--submission", "x"], "unknown option --submission"),
        (["--only", "final"], "leaves nothing"),
        (["--split", "testing"], "no split 'testing'"),
        (["--model", "dis:preset"], "NAME=VALUE"),
        (["--model", "dis:preste=fast"], "did you mean"),
        (["--model", "disk"], "'disk'"),
        (["--model", "dis,raft-large-mixed"], "raft-large-mixed has no weights"),
        (["--model", "dis", "--weights", "mvflow=x.pt"], "no option names mvflow"),
        (["--model", "mvflow", "--weights", "mvflow=x.pt"], "no file"),
    ],
)
def test_wrong_options(tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    trees.make_middlebury(tmp_path / "data")
    assert bench(tmp_path, "middlebury", tmp_path / "data", *options) == 2
    assert words in capsys.readouterr().err


def test_a_wrong_root(tmp_path, capsys):
    assert bench(tmp_path, "middlebury", tmp_path) == 3
    assert "Expected ROOT/other-data" in capsys.readouterr().err
    assert bench(tmp_path, "flow", tmp_path) == 3
    assert "no flow data set" in capsys.readouterr().err


def test_all_takes_what_there_is(tmp_path, capsys):
    trees.make_middlebury(tmp_path / "data/middlebury")
    other = ["--depth.max_size", "160"]  # of a stage that flow models do not have
    assert bench(tmp_path, "all", tmp_path / "data", "--model", "dis", *other) == 0
    assert "Middlebury" in capsys.readouterr().out
    assert bench(tmp_path, "all", tmp_path / "data", "--only", "kitti", "--model", "dis") == 2
    assert "leaves nothing" in capsys.readouterr().err
