"""`mvrecon plan`: frames, time, memory and disk of a run, before anything runs."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from mvrecon.commands.run import add_run_options
from mvrecon.commands.running import cores
from mvrecon.config import load_preset, merge_options
from mvrecon.options import Commands, overrides
from mvrecon.run_dir import RunRecord

if TYPE_CHECKING:
    from stages.planning.plan import Plan

MIB, GIB = 1024**2, 1024**3


def add_commands(commands: Commands) -> None:
    """Declare it."""
    plan = commands.add("plan", _plan, "frames, time, memory and disk of a run, before it runs")
    add_run_options(plan)
    plan.add_argument("--json", action="store_true", help="for programs")


def _plan(options: argparse.Namespace) -> int:
    from mvrecon.commands.planning import Planner

    first, *more = options.input
    merged = merge_options([load_preset(options.preset), overrides(options)])
    record = RunRecord(first, merged, used=tuple(options.use), more_inputs=tuple(more))
    plan = Planner(record, options.until).plan({}, options.workers or cores())
    print(json.dumps(_data(plan), indent=1) if options.json else _text(plan))
    return 0


def _data(plan: Plan) -> dict[str, object]:
    return {
        "expected": asdict(plan.expected),
        "workers": plan.workers,
        "cpu_s": round(plan.cpu_s, 1),
        "wall_s": round(plan.wall_s, 1),
        "peak_bytes": round(plan.peak_bytes),
        "disk_bytes": round(plan.disk_bytes),
        "stages": [asdict(stage) for stage in plan.stages],
    }


def _text(plan: Plan) -> str:
    seen = plan.expected
    lines = [
        f"{'sequence' if seen.kind == 'sequence' else 'photos'} of {seen.frames} frames, "
        f"{seen.size[0]}×{seen.size[1]} px; about {seen.key_frames} key frames",
        f"{'stage':10}{'CPU':>9}{'memory':>12}{'disk':>12}",
    ]
    lines += [
        f"{stage.name:10}{stage.cpu_s:7.0f} s{stage.peak_bytes / GIB:8.1f} GiB"
        f"{stage.disk_bytes / MIB:8.0f} MiB"
        for stage in plan.stages
    ]
    lines.append(
        f"{'all':10}{plan.cpu_s:7.0f} s{plan.peak_bytes / GIB:8.1f} GiB"
        f"{plan.disk_bytes / MIB:8.0f} MiB"
    )
    lines.append(f"about {_duration(plan.wall_s)} on {plan.workers} cores that are free")
    lines.append(f"poor evidence adds about {_duration(plan.remedy_s)} for each remedy (--mend)")
    if plan.unknown:
        lines.append(f"not measured, counted as the default: {', '.join(plan.unknown)}")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
