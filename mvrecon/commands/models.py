"""`mvrecon models`, `export-model`: the model zoo, its checkpoints, networks for elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mvrecon.errors import UsageError
from mvrecon.options import Commands

if TYPE_CHECKING:
    from stages.flow.models.base import ModelCard

COST_SIZE = (480, 640)


def add_commands(commands: Commands) -> None:
    """Declare them."""
    models = commands.add("models", _list, "the flow models: size, work, licence, weights")
    actions = models.add_subparsers(metavar="get")
    get = actions.add_parser("get", help="fetch the public checkpoint of a model")
    get.add_argument("name", metavar="NAME")
    get.set_defaults(command=_get)

    export = commands.group("export-model", "write a network for another runtime")
    flow = export.add("flow", _export_flow, "a flow network, one way, for images of one size")
    flow.add_argument("--format", choices=["onnx"], default="onnx")
    flow.add_argument("--model", default="mvflow", help="see mvrecon models (default: mvflow)")
    flow.add_argument("--weights", type=Path, help="checkpoint, instead of the one that is there")
    flow.add_argument("--updates", type=int, help="recurrent updates of RAFT (default: 12)")
    flow.add_argument("--size", default="640x480", metavar="WIDTHxHEIGHT", help="[px]")
    flow.add_argument("-o", "--output", type=Path, metavar="FILE", help="(default: MODEL.onnx)")


def _list(_: argparse.Namespace) -> int:
    from stages.flow.config import model_names

    height, width = COST_SIZE
    rows: list[tuple[str, ...]] = [
        ("model", "parameters", f"GFLOP {width}×{height}", "weights", "licence", "what")
    ]
    rows += [_row(name) for name in model_names()]
    sizes = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(size) for text, size in zip(row, sizes, strict=True)).rstrip())
    print(
        "\nWeights that are not here: mvrecon models get NAME, or --flow.raft.weights FILE.\n"
        "GFLOP of one pair, one way, with the default number of updates; two for each "
        "multiplication and addition of convolutions and matrix products."
    )
    return 0


def _row(name: str) -> tuple[str, ...]:
    from stages.flow.config import FlowConfig
    from stages.flow.models.graph import network_cost
    from stages.flow.models.registry import find_card

    try:
        card, config = find_card(name), FlowConfig.model_validate({"model": name})
        if card.graph is None:
            parameters = gflop = "–"
        else:
            cost = network_cost(card.graph(card, config), *COST_SIZE)
            parameters, gflop = f"{cost.parameters:,}", f"{cost.flop / 1e9:.1f}"
    except UsageError as error:
        return name, "–", "–", "–", "–", str(error)
    return name, parameters, gflop, _weights(card), card.licence, card.summary


def _weights(card: ModelCard) -> str:
    from mvrecon.downloads import fetched

    if card.shipped is not None:
        return "shipped"
    if card.checkpoint is None:
        return "none needed" if card.graph is None else "--flow.plugin.weights FILE"
    return "fetched" if fetched(card.checkpoint) else "not here"


def _get(options: argparse.Namespace) -> int:
    from mvrecon.downloads import fetch
    from mvrecon.engine.hashing import hash_file
    from stages.flow.models.registry import find_card

    checkpoint = find_card(options.name).checkpoint
    if checkpoint is None:
        raise UsageError(
            f"there is nothing to fetch for flow model {options.name}", "See mvrecon models"
        )
    path: Path = fetch(checkpoint)
    print(path)
    known = checkpoint.sha256
    extent = "" if len(known) == len(hash_file(path)) else f" (published: its start, {known})"
    print(f"sha256 {hash_file(path)}{extent}")
    return 0


def _export_flow(options: argparse.Namespace) -> int:
    from mvrecon.config import build_configs
    from stages.flow.config import FlowConfig
    from stages.flow.models.export import export_flow_onnx

    width, height = _size(options.size)
    chosen = {"model": options.model}
    for name in ("weights", "updates"):
        if (value := getattr(options, name)) is not None:
            chosen[FlowConfig.full_name(options.model, name)] = value
    config = build_configs({"flow": FlowConfig}, [{"flow": chosen}])["flow"]
    assert isinstance(config, FlowConfig)
    path = options.output or Path(f"{config.model}.onnx")
    graph = export_flow_onnx(config, height, width, path)
    print(f"{path}: {', '.join(graph.input_names)} → flow, {width}×{height}")
    return 0


def _size(text: str) -> tuple[int, int]:
    numbers = text.split("x")
    if len(numbers) != 2 or not all(number.isdigit() and int(number) for number in numbers):
        raise UsageError(f"{text!r} is no image size", "Give width and height: --size 640x480")
    return int(numbers[0]), int(numbers[1])
