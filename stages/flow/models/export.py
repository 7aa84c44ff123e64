"""Flow networks for other runtimes."""

from __future__ import annotations

import contextlib
import io
import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from mvrecon.atomic import replacing
from mvrecon.errors import UsageError
from stages.flow.config import FlowConfig
from stages.flow.models.graph import FlowGraph
from stages.flow.models.registry import find_card

OUTPUT_NAME = "flow_b2hw"
OPSET = 18
ONNX_PACKAGES = ("onnx", "onnxscript")


def export_flow_onnx(config: FlowConfig, height: int, width: int, path: Path) -> FlowGraph:
    """Write a model's network as an ONNX file for images of one size.

    The file's inputs are the graph's `input_names`: RGB images in 0…1, and for mvflow the flow
    to start from in pixels; its output is the flow first → second, in pixels.

    Returns:
        The graph that was exported.

    Raises:
        UsageError: the model has no network or no weights, the size does not fit it, or the
            packages that exporting needs are not installed.
    """
    card = find_card(config.model)
    if card.graph is None:
        raise UsageError(f"flow model {config.model} has no network to export", "Choose another")
    card.require_weights(config)
    if missing := [name for name in ONNX_PACKAGES if find_spec(name) is None]:
        raise UsageError(
            f"exporting needs {' and '.join(missing)}", "Install them: pip install 'mvrecon[onnx]'"
        )
    graph = card.graph(card, config)
    if height % graph.stride or width % graph.stride:
        raise UsageError(
            f"images of {width}×{height} do not fit {config.model}",
            f"Both sides must be multiples of {graph.stride} px",
        )
    write_onnx(graph, graph.example_inputs(height, width), path)
    return graph


def write_onnx(graph: FlowGraph | nn.Module, inputs: tuple[torch.Tensor, ...], path: Path) -> None:
    """Trace a graph with these inputs and write it as one file, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(path) as temporary,
        torch.inference_mode(False),
        torch.no_grad(),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),  # the exporter tells its steps
    ):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            inputs,
            temporary,
            input_names=getattr(graph, "input_names", None),
            output_names=[OUTPUT_NAME],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
        )
