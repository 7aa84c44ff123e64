"""Stages that only tell numbers: how good they are is written in the input and in their options."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvrecon.artifacts.mending import Changes
from mvrecon.config import build_configs, merge_options
from mvrecon.engine.runner import Runner
from mvrecon.engine.stage import Stage, StageContext, Summary
from mvrecon.errors import NoModelError
from stages.depth.config import DepthConfig
from stages.flow.config import FlowConfig
from stages.frames.config import FramesConfig
from stages.mending.config import MendConfig
from stages.mending.mend import Mended, run_and_mend
from stages.pose.config import PoseConfig

GOOD: Mapping[str, Mapping[str, Any]] = {
    "frames": {
        "frames": 100,
        "key_frames": 20,
        "kind": "sequence",
        "focal_source": "default",
        "width_px": 640,
        "height_px": 480,
    },
    "flow": {"pairs": 54, "mean_confidence": 0.6, "useless_pairs": 0},
    "pose": {
        "key_frames": 20,
        "posed_frames": 20,
        "models": 1,
        "focal_px": 520.0,
        "radial_distortion": -0.02,
        "mean_reprojection_error_px": 0.3,
        "moving_percent": 2.0,
        "still_percent": 80.0,
        "cuts": 0,
    },
    "depth": {"maps": 20, "confident_coverage": 0.9, "poor_maps": 0},
}
CONFIGS = {"frames": FramesConfig, "flow": FlowConfig, "pose": PoseConfig, "depth": DepthConfig}

ran: list[str] = []


def numbers_of(stage: str, cases: list[dict[str, Any]], options: Mapping[str, Any]) -> dict:
    """Good numbers, but for the last case of the input whose options are those given."""
    numbers = dict(GOOD[stage])
    for case in cases:
        if all(str(options.get(name)) == str(value) for name, value in case["if"].items()):
            numbers |= case.get(stage, {})
    return numbers


def _stage(name: str, needs: tuple[str, ...]) -> Stage:
    def run(context: StageContext) -> Summary:
        ran.append(name)
        # What is upstream has come in by its numbers, with the options that made them.
        options = {}
        for earlier in needs:
            options |= json.loads(context.inputs[earlier].path("options.json").read_text())
        options |= merge_options([{name: context.config.model_dump(mode="json")}])[name]
        cases = json.loads(context.raw_input.read_text())
        numbers = numbers_of(name, cases, options)
        if os.environ.get("KILL_AT") and numbers.get("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        numbers.pop("kill", None)
        if "error" in numbers:
            raise NoModelError(numbers["error"], "Film it again")
        context.out.write_text("options.json", json.dumps(options, sort_keys=True))
        return Summary(numbers)

    return Stage(name, 1, CONFIGS[name], needs, run, reads_raw_input=True)


PIPELINE = (
    _stage("frames", ()),
    _stage("flow", ("frames",)),
    _stage("pose", ("frames", "flow")),
    _stage("depth", ("frames", "flow", "pose")),
)


def mend(
    folder: Path,
    cases: list[dict[str, Any]],
    until: str = "depth",
    attempts: int = 2,
    mode: str = "auto",
    forced: tuple[str, ...] = (),
    asked: Changes | None = None,
) -> Mended:
    """Run the pipeline on the cases: `if` (options by dotted name) → numbers by stage."""
    raw_input = folder / "input.json"
    raw_input.write_text(json.dumps(cases))

    def make_runner(changes: Changes) -> Runner:
        configs = build_configs(CONFIGS, [asked or {}, changes])
        return Runner(PIPELINE, folder / "run", raw_input, configs, 1)

    return run_and_mend(make_runner, MendConfig(mode=mode, attempts=attempts), until, forced)


if __name__ == "__main__":
    mend(Path(sys.argv[1]), json.loads(sys.argv[2]))
