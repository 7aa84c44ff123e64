"""Exported networks, run by another runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mvrecon.cli import main
from mvrecon.errors import UsageError
from stages.flow.config import FlowConfig, RaftOptions
from stages.flow.models.dis import DisFlow
from stages.flow.models.export import export_flow_onnx
from stages.flow.models.raft.network import RAFT_SMALL, Raft
from tests.stages.flow.scenes import shifted_pair

HEIGHT, WIDTH = 128, 160


def real_inputs(names: tuple[str, ...]) -> tuple[torch.Tensor, ...]:
    images = shifted_pair(dx=6, dy=-2)
    tensors = dict(
        zip(
            ("first_b3hw", "second_b3hw"),
            (torch.from_numpy(image).permute(2, 0, 1)[None] / 255.0 for image in images),
            strict=True,
        )
    )
    start_hw2 = DisFlow("medium").estimate(*images).forward_hw2
    tensors["start_b2hw"] = torch.from_numpy(start_hw2).permute(2, 0, 1)[None]
    return tuple(tensors[name] for name in names)


def both_runtimes(graph, path: Path) -> tuple[np.ndarray, np.ndarray]:
    runtime = pytest.importorskip("onnxruntime")
    inputs = real_inputs(graph.input_names)
    with torch.inference_mode():
        expected = graph(*inputs).numpy()
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {name: x.numpy() for name, x in zip(graph.input_names, inputs, strict=True)}
    return session.run(None, feed)[0], expected


@pytest.mark.slow
def test_mvflow_gives_the_same_flow_in_onnxruntime(tmp_path: Path):
    pytest.importorskip("onnxscript")
    path = tmp_path / "mvflow.onnx"
    graph = export_flow_onnx(FlowConfig(model="mvflow"), HEIGHT, WIDTH, path)
    found, expected = both_runtimes(graph, path)
    assert found.shape == (1, 2, HEIGHT, WIDTH)
    assert abs(np.median(expected[0, 0]) - 6.0) < 0.5
    np.testing.assert_allclose(found, expected, atol=2e-2)
    assert [p.name for p in tmp_path.iterdir()] == ["mvflow.onnx"]


def test_raft_gives_the_same_flow_in_onnxruntime(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    torch.save(Raft(RAFT_SMALL).state_dict(), tmp_path / "weights.pth")
    path = tmp_path / "raft.onnx"
    raft = RaftOptions(weights=tmp_path / "weights.pth", updates=1)
    config = FlowConfig(model="raft-small", raft=raft)
    graph = export_flow_onnx(config, HEIGHT, WIDTH, path)
    found, expected = both_runtimes(graph, path)
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--model", "dis"], "no network"),
        (["--size", "650x480"], "multiples of"),
        (["--size", "large"], "no image size"),
        (["--model", "raft-large"], "has no weights"),
    ],
)
def test_what_cannot_be_exported_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    what: str,
):
    monkeypatch.setenv("MVRECON_CACHE", str(tmp_path / "cache"))
    assert main(["export-model", "flow", *options, "-o", str(tmp_path / "x.onnx")]) == 2
    assert what in capsys.readouterr().err
    assert not (tmp_path / "x.onnx").exists()


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "stages.flow.models.export.ONNX_PACKAGES", ("onnx", "onnx_that_is_not_there")
    )
    with pytest.raises(UsageError, match=r"onnx_that_is_not_there.*mvrecon\[onnx\]"):
        export_flow_onnx(FlowConfig(model="mvflow"), HEIGHT, WIDTH, tmp_path / "x.onnx")
