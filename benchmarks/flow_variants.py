"""A flow network made smaller or faster, in the ways that are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.flow.models.export import write_onnx
from stages.flow.models.graph import FlowGraph
from stages.flow.models.mvflow.graph import MvflowGraph
from stages.flow.models.raft.graph import RaftGraph

# Input name → tensor, of one pair.
Inputs = Mapping[str, Tensor]
# One pair in, flow first → second (1, 2, h, w) out.
Runner = Callable[[Inputs], Tensor]


@dataclass(frozen=True)
class Variant:
    """One way to run a network.

    Attributes:
        title: in the table.
        make: from the graph, pairs to calibrate or train on, and a folder to work in.
        only_raft: whether it is defined for RAFT alone.
    """

    title: str
    make: Callable[[FlowGraph, Sequence[Inputs], Path], Runner]
    only_raft: bool = False


def torch_runner(
    graph: FlowGraph,
    dtype: torch.dtype | None = None,
    memory_format: torch.memory_format = torch.channels_last,
) -> Runner:
    """The graph itself, in 32 bits or with convolutions in `dtype`."""

    def run(inputs: Inputs) -> Tensor:
        # A copy: of one image, contiguous() takes odd strides for the format asked for.
        given = [inputs[name].clone(memory_format=memory_format) for name in graph.input_names]
        with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype is not None):
            flow: Tensor = graph(*given)
            return flow

    return run


def compiled(graph: FlowGraph, _: Sequence[Inputs], _folder: Path) -> Runner:
    """torch.compile; compiling itself happens at the first, untimed call."""
    graph.forward = torch.compile(graph.forward)
    return torch_runner(graph)


def onnx_float(graph: FlowGraph, pairs: Sequence[Inputs], folder: Path) -> Runner:
    """The exported graph with 32 bits."""
    return _session(_export(graph, pairs[0], folder), graph)


def onnx_dynamic_int8(graph: FlowGraph, pairs: Sequence[Inputs], folder: Path) -> Runner:
    """Convolutions and matrix products in 8 bits, activations scaled as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path, small = _prepared(graph, pairs[0], folder), folder / "dynamic.onnx"
    quantize_dynamic(path, small, per_channel=True, weight_type=QuantType.QInt8)
    return _session(small, graph)


def onnx_static_int8(graph: FlowGraph, pairs: Sequence[Inputs], folder: Path) -> Runner:
    """Convolutions in 8 bits, activations scaled by what calibration pairs showed."""
    from onnxruntime.quantization import QuantType, quantize_static

    path, small = _prepared(graph, pairs[0], folder), folder / "static.onnx"
    quantize_static(
        path,
        small,
        _Calibration(graph, pairs),
        op_types_to_quantize=["Conv"],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return _session(small, graph)


def torch_static_int8(
    graph: FlowGraph, pairs: Sequence[Inputs], dtype: torch.dtype | None = None
) -> Runner:
    """Convolutions in 8 bits, activations scaled by what calibration pairs showed."""
    from benchmarks.flow_int8 import with_int8_convolutions

    whole = torch_runner(graph)
    with_int8_convolutions(graph, lambda: [whole(pair) for pair in pairs])
    return torch_runner(graph, dtype)


def pruned(graph: FlowGraph, pairs: Sequence[Inputs], _: Path) -> Runner:
    """A quarter of the encoders' channels removed, then taught by the whole encoders."""
    from benchmarks.flow_pruning import pruned_mvflow, pruned_raft

    images = [pair[name] for pair in pairs for name in ("first_b3hw", "second_b3hw")]
    if isinstance(graph, RaftGraph):
        graph.network = pruned_raft(graph.network, torch.cat(images))
    elif isinstance(graph, MvflowGraph):
        graph.network = pruned_mvflow(graph.network, torch.cat(images))
    return torch_runner(graph)


class _Calibration:
    """Feeds onnxruntime's calibration."""

    def __init__(self, graph: FlowGraph, pairs: Sequence[Inputs]) -> None:
        self._feeds: Iterator[dict[str, NDArray[np.float32]]] = (
            _feed(graph, pair) for pair in pairs
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next pair; None after the last."""
        return next(self._feeds, None)


def _export(graph: FlowGraph, pair: Inputs, folder: Path) -> Path:
    path = folder / "graph.onnx"
    if not path.is_file():
        write_onnx(graph, tuple(pair[name] for name in graph.input_names), path)
    return path


def _prepared(graph: FlowGraph, pair: Inputs, folder: Path) -> Path:
    """The exported graph, simplified as quantization wants it."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    path = folder / "prepared.onnx"
    if not path.is_file():
        quant_pre_process(_export(graph, pair, folder), path, skip_symbolic_shape=True)
    return path


def _session(path: Path, graph: FlowGraph) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: torch.from_numpy(session.run(None, _feed(graph, inputs))[0])


def _feed(graph: FlowGraph, inputs: Inputs) -> dict[str, NDArray[np.float32]]:
    return {name: np.ascontiguousarray(inputs[name].numpy()) for name in graph.input_names}


VARIANTS = (
    Variant("fp32, channels last (torch)", lambda graph, *_: torch_runner(graph)),
    Variant(
        "fp32, channels first (torch)",
        lambda graph, *_: torch_runner(graph, memory_format=torch.contiguous_format),
        only_raft=True,
    ),
    Variant("bf16 (torch)", lambda graph, *_: torch_runner(graph, torch.bfloat16)),
    Variant("fp32 (onnxruntime)", onnx_float),
    Variant("int8, dynamic (onnxruntime)", onnx_dynamic_int8),
    Variant("int8 convolutions, static (onnxruntime)", onnx_static_int8),
    Variant(
        "int8 convolutions, static (torch)", lambda graph, pairs, _: torch_static_int8(graph, pairs)
    ),
    Variant(
        "int8 convolutions, static, the rest bf16 (torch)",
        lambda graph, pairs, _: torch_static_int8(graph, pairs, torch.bfloat16),
    ),
    Variant("fp32, encoders pruned by a quarter (torch)", pruned),
    Variant("fp32, torch.compile", compiled),
)
