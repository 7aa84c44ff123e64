"""Options with which a run keeps to a budget of time and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mvrecon.artifacts.mending import Changes
from mvrecon.errors import UsageError
from stages.planning.plan import Plan

# A plan is right within a factor; so much of the time is planned for.
PLANNED_SHARE = 0.75
# Steps by which depth and flow become coarser: longest sides [px], and views matched with each.
STEPS = (
    {"depth": {"max_size": 512}},
    {"depth": {"max_size": 448, "neighbors": 5}, "flow": {"max_size": 448}},
    {"depth": {"max_size": 384, "neighbors": 4}, "flow": {"max_size": 448}},
    {"depth": {"max_size": 320, "neighbors": 4}, "flow": {"max_size": 384}},
    {"depth": {"max_size": 256, "neighbors": 3}, "flow": {"max_size": 320}},
)
# After these, fewer key frames, as parts of those expected; not below what a model needs.
FEWER = (0.8, 0.65, 0.5, 0.4, 0.3, 0.2)
LEAST_KEY_FRAMES = 12

Options = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Budget:
    """What a run may take.

    Attributes:
        time_s: elapsed; None: as long as it takes.
        memory_bytes: of one process; None: what there is.
    """

    time_s: float | None = None
    memory_bytes: int | None = None

    def holds(self, plan: Plan) -> bool:
        """Whether the plan keeps to it."""
        return self.holds_memory(plan) and (
            self.time_s is None or plan.wall_s <= PLANNED_SHARE * self.time_s
        )

    def holds_memory(self, plan: Plan) -> bool:
        """Whether the plan keeps to its memory."""
        return self.memory_bytes is None or plan.peak_bytes <= self.memory_bytes


@dataclass(frozen=True)
class Fitted:
    """Attributes: `changes` are options that differ from what was asked for; `plan` has them."""

    changes: Changes
    plan: Plan


def fit(
    plan_with: Callable[[Changes, int], Plan], asked: Options, workers: int, budget: Budget
) -> Fitted:
    """The finest options that keep to a budget.

    Args:
        plan_with: the plan with changed options and so many threads.
        asked: stage → dotted option → value.
        workers: threads at most; fewer take less memory.
        budget: to keep to.

    Raises:
        UsageError: nothing keeps to it.
    """
    plan = plan_with({}, workers)
    for changes in _steps(asked, plan.expected.key_frames):
        for threads in range(workers, 0, -1):
            plan = plan_with(changes, threads)
            if budget.holds_memory(plan):
                break
        if budget.holds(plan):
            return Fitted(_with_mending(changes, asked, plan, budget), plan)
    lack = (
        f"{plan.peak_bytes / 2**30:.1f} GiB of memory"
        if not budget.holds_memory(plan)
        else f"about {plan.wall_s / PLANNED_SHARE:.0f} s on this machine"
    )
    raise UsageError(
        f"even at its coarsest the run needs {lack}",
        "Allow more with --max-time or --max-ram, or give less of the input (--frames.end_s)",
    )


def _steps(asked: Options, key_frames: int) -> Iterator[Changes]:
    """Ever coarser changes; none makes anything finer than was asked for."""
    yield {}
    changes: Changes = {}
    for step in STEPS:
        changes = {
            stage: lower
            for stage, values in step.items()
            if (lower := {k: v for k, v in values.items() if v < asked[stage][k]})
        }
        yield changes
    for share in FEWER:
        most = round(share * key_frames)
        if most >= LEAST_KEY_FRAMES and not asked["frames"].get("every_frame"):
            yield {**changes, "frames": {"max": most}}


def _with_mending(changes: Changes, asked: Options, plan: Plan, budget: Budget) -> Changes:
    """So many remedies as there is time for, after pose and after depth each."""
    if budget.time_s is None or "mend" not in asked:
        return changes
    left_s = PLANNED_SHARE * budget.time_s - plan.wall_s
    attempts = int(left_s / max(2 * plan.remedy_s, 1e-9))
    if attempts >= asked["mend"]["attempts"]:
        return changes
    return {**changes, "mend": {"attempts": attempts}}
