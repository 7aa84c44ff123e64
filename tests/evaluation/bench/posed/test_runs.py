"""Runs on posed sets: what is found, run, judged and kept."""

import json
import shutil

import cv2
import numpy as np
import pytest

from mvrecon import cli
from mvrecon.cli import main
from mvrecon.commands import bench
from mvrecon.engine.keys import Key
from mvrecon.engine.store import Store
from mvrecon.errors import InputError
from mvrecon.evaluation.bench.posed.benchmark import BENCHMARKS, choose_sets, judge_given
from mvrecon.evaluation.bench.posed.rows import posed_row
from mvrecon.evaluation.bench.posed.runs import ALL_STAGES, Judged, judge, run_and_judge
from mvrecon.evaluation.bench.posed.sets import find_posed_sets
from mvrecon.evaluation.bench.posed.variants import run_variants
from mvrecon.evaluation.bench.rows import markdown
from mvrecon.evaluation.bench.selection import NothingChosenError
from mvrecon.formats.trajectory import trajectory_text
from stages.pipeline import CONFIG_CLASSES
from tests.evaluation.run.fake_run import Truth, write_run

PARTS = ("depth", "surface", "image")


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    truth = Truth(tmp_path_factory.mktemp("truth")).write()
    (truth.folder / "a.mp4").write_bytes(b"not looked at")
    photos = truth.with_depths / "photos"
    photos.mkdir()
    for number in range(len(truth.views)):
        cv2.imwrite(str(photos / f"IMG_{number}.jpg"), np.zeros((9, 9, 3), np.uint8))
    return truth


@pytest.fixture(scope="module")
def sets(truth):
    return {bench_set.title: bench_set for bench_set in find_posed_sets(truth.folder)}


@pytest.fixture
def recorded(truth, tmp_path):
    """A run directory with a store that knows what each stage cost."""
    run_dir = write_run(tmp_path / "run", truth, depth_factor=1.1)
    store = Store(run_dir / "store")
    for cost, stage in enumerate(ALL_STAGES, start=1):
        finish_stage(store, stage, "first", cost)
    return run_dir


def finish_stage(store, stage, content, cost):
    key = Key({"content": content})
    out = store.open_partial(stage, key)
    out.write_text("result.txt", content)
    recorded = {"wall_s": 2.0 * cost, "cpu_s": float(cost), "peak_bytes": cost * 2**20}
    out.finish(key, recorded, store.folder(stage, key))
    store.set_latest(store.find(stage, key))


def test_sets_with_video_and_with_images_are_found(truth, sets):
    assert sets["with_mesh"].raw_input == truth.folder / "a.mp4"
    assert sets["with_depths"].raw_input == truth.with_depths / "photos"
    assert all(bench_set.has_depth for bench_set in sets.values())
    names = {path.name for path in sets["with_mesh"].truth_files}
    assert {"cameras.json", "mesh.ply"} <= names
    assert find_posed_sets(truth.with_mesh)[0].title == "with_mesh"


def test_a_set_without_its_images_is_refused(truth, tmp_path):
    folder = tmp_path / "sets/half"
    folder.mkdir(parents=True)
    text = (truth.with_depths / "cameras.json").read_text()
    (folder / "cameras.json").write_text(text.replace("../a.mp4", "../b.mp4"))
    with pytest.raises(InputError, match="is missing"):
        find_posed_sets(tmp_path)


def test_a_set_without_true_depth_serves_poses_only(truth, tmp_path):
    shutil.copytree(truth.with_depths, tmp_path / "sets/poses")
    path = tmp_path / "sets/poses/cameras.json"
    data = json.loads(path.read_text())
    for frame in data["frames"]:
        frame.pop("depth", None)
    path.write_text(json.dumps(data))
    (kept,) = choose_sets(BENCHMARKS["trajectory"], tmp_path / "sets", only="")
    assert kept.title == "poses" and not kept.has_depth
    for name in ("depth", "surface"):
        with pytest.raises(NothingChosenError, match="has true depth"):
            choose_sets(BENCHMARKS[name], tmp_path / "sets", only="")
    write_run(tmp_path / "runs/poses", truth, photos=True)
    rows = judge_given(tmp_path / "out", BENCHMARKS["all"], [kept], tmp_path / "runs")
    assert [row.benchmark for row in rows] == ["trajectory", "pipeline"]


def test_rows_of_a_run_with_known_errors(sets, recorded, tmp_path):
    judged = judge(tmp_path / "out", recorded, sets["with_mesh"], PARTS)
    trajectory = posed_row("trajectory", "a", "own", judged)
    assert trajectory.count == 8
    assert trajectory.figures["posed_share"] == 1
    assert trajectory.figures["ate_percent_of_path"] < 1e-3
    assert "ate_over_1" not in trajectory.figures  # the path is too short
    assert trajectory.figures["cpu_s_to_poses"] == 1 + 2 + 3
    depth = posed_row("depth", "a", "own", judged)
    assert depth.count == 8
    assert depth.figures["abs_rel_mean_over_images"] == pytest.approx(0.1, rel=1e-3)
    assert depth.figures["median_rel_mean_over_images"] == pytest.approx(0.1, rel=1e-3)
    assert depth.figures["abs_rel_surest_50"] == pytest.approx(0.1, rel=1e-3)
    assert depth.figures["delta_125_mean_over_images"] == 1
    assert depth.figures["scale_trend_percent"] == pytest.approx(0, abs=1e-2)
    assert depth.figures["scale_spread_percent"] < 1e-2
    assert depth.figures["cpu_s_per_map"] == pytest.approx((4 + 5) / 8)
    assert depth.figures["peak_mib_largest"] == 5
    surface = posed_row("surface", "a", "own", judged)
    assert surface.figures["f_score"] == pytest.approx(1)
    assert surface.figures["chamfer_percent"] < 1e-2
    assert "reference_accuracy" not in surface.figures  # exact
    pipeline = posed_row("pipeline", "a", "own", judged)
    assert pipeline.figures["cpu_s_all_stages"] == 21
    assert pipeline.figures["wall_s_all_stages"] == 42
    assert pipeline.figures["peak_mib_largest"] == 6


def test_rows_tell_parts_of_the_path_and_f_by_the_references_accuracy():
    figures = {
        "frames": {"posed": 9, "key_frames": 9, "compared": 9},
        "trajectory_parts": {
            "1": {"parts": 4, "ate_rmse": 0.5},
            "5": {"parts": 0, "ate_rmse": None},
        },
        "surface": {
            "diameter": 4.0,
            "errors": {"chamfer": 0.1},
            "reference_accuracy": 0.01,
            "f_score_by_accuracy": {"2": 0.3, "5": 0.6, "10": 0.8},
        },
    }
    parts = posed_row("trajectory", "a", "own", Judged(figures)).figures
    assert parts["ate_over_1"] == 0.5 and "ate_over_5" not in parts
    row = posed_row("surface", "a", "own", Judged(figures))
    assert row.figures["f_score_5_accuracies"] == 0.6
    table = markdown([row], "bench")
    assert "F at 5 ×" in table and "| 0.600 |" in table


def test_the_judgement_is_kept_until_the_run_changes(truth, sets, recorded, tmp_path):
    first = judge(tmp_path / "out", recorded, sets["with_mesh"], ("depth",))
    poses = [np.diag([1.0, 1, 1, 1]) for _ in range(8)]
    for number, pose in enumerate(poses):
        pose[:3, 3] = [number, number % 3, number % 2]
    (recorded / "trajectory.txt").write_text(trajectory_text(np.arange(8) / 10, poses))
    assert judge(tmp_path / "out", recorded, sets["with_mesh"], ("depth",)) == first
    finish_stage(Store(recorded / "store"), "pose", "second", 3)
    changed = judge(tmp_path / "out", recorded, sets["with_mesh"], ("depth",))
    assert changed.figures["trajectory"]["ate_rmse"] > first.figures["trajectory"]["ate_rmse"]


def test_a_run_without_a_store_has_no_costs(truth, sets, tmp_path):
    run_dir = write_run(tmp_path / "run", truth)
    judged = judge(tmp_path / "out", run_dir, sets["with_mesh"], ())
    row = posed_row("trajectory", "a", "given", judged)
    assert row.count == 8 and "cpu_s_to_poses" not in row.figures
    assert posed_row("depth", "a", "given", judged).note


def test_what_cannot_be_judged_is_a_note(sets, tmp_path):
    (tmp_path / "empty").mkdir()
    judged = judge(tmp_path / "out", tmp_path / "empty", sets["with_mesh"], PARTS)
    row = posed_row("trajectory", "a", "own", judged)
    assert "has no frames.csv" in row.note
    assert (row.count, row.figures) == (0, {"posed_share": 0.0})
    assert posed_row("surface", "a", "own", Judged(note="why")).note == "why"


def test_a_run_that_fails_is_a_row_with_the_reason(sets, tmp_path):
    (variant,) = variants()
    judged = run_and_judge(tmp_path / "out", sets["with_depths"], variant, "pose", ())
    assert judged.note.startswith("exit code ")
    assert posed_row("trajectory", "a", "own", judged).figures["posed_share"] == 0


def variants(poses=("own",), **choices):
    return run_variants(CONFIG_CLASSES, poses=poses, **choices)


def test_variants_are_all_combinations():
    found = variants(
        ("own", "true"),
        varied=[("flow.refine", ["0", "5"]), ("fusion.model", ["none", "geometric"])],
        given={"fusion": {"tolerance": "0.05"}},
        workers=2,
    )
    assert len(found) == 8
    assert found[0].label == "own poses, flow.refine 0, fusion none"
    assert found[-1].label == "true poses, flow.refine 5, fusion geometric"
    assert found[-1].true_poses and not found[0].true_poses
    assert "--fusion.model=geometric" in found[-1].options
    assert "--fusion.tolerance=0.05" in found[-1].options
    assert found[-1].options[-4:-2] == ("--workers", "2")
    assert len({(variant.true_poses, variant.options) for variant in found}) == 8


def test_a_varied_flow_model_gets_its_weights():
    words = ["--vary", "flow.model=dis,raft-small", "--weights", "raft-small=a.pth"]
    parsed = cli.make_parser().parse_args(["bench", "depth", "--root", "x", "--poses=own", *words])
    dis, raft = bench._run_variants(parsed)
    assert "--flow.raft.weights=a.pth" in raft.options
    assert not any("weights" in option for option in dis.options)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--weights", "raft-small=a.pth"], "names raft-small"),
        (["--fusion", "nothing"], "'nothing'"),
        (["--vary", "fusion.modl=none"], "did you mean"),
        (["--vary", "fusion.model"], "NAME=VALUE"),
        (["--poses", "mine"], "own, true"),
    ],
)
def test_wrong_variants_are_refused_before_anything_runs(truth, tmp_path, capsys, wrong, words):
    out = tmp_path / "out"
    assert main(["bench", "depth", "--root", str(truth.folder), "-o", str(out), *wrong]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_given_runs_from_the_command_line(truth, tmp_path, capsys):
    write_run(tmp_path / "runs/with_mesh", truth, depth_factor=1.1)
    root = ["--root", str(truth.folder), "-o", str(tmp_path / "out")]
    command = ["bench", "depth", *root, "--runs", str(tmp_path / "runs")]
    assert main(command) == 0
    assert "AbsRel surest 80 %" in capsys.readouterr().out
    results = json.loads((tmp_path / "out/bench.json").read_text())
    poses, row = results["rows"]
    assert poses["benchmark"] == "trajectory"
    assert row["data_set"] == "with_mesh"
    assert row["figures"]["abs_rel_mean_over_images"] == pytest.approx(0.1, rel=1e-3)
    assert main([*command, "--only", "with_depths"]) == 2
    assert "has no run of with_depths" in capsys.readouterr().err
    assert main(["bench", "all", "--root", str(tmp_path / "runs"), "-o", str(tmp_path)]) == 2
    assert "no flow data set" in capsys.readouterr().err
