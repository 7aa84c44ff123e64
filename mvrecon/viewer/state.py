"""What a run has made so far, as its store says: results that belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mvrecon.engine.store import PARTIAL_SUFFIX, Artifact, Store

STAGES = {
    "run": ("frames", "flow", "pose", "depth", "fusion", "surface", "texture"),
    "volume": ("load", "denoise", "segment", "mesh"),
}


@dataclass(frozen=True)
class RunState:
    """The results that are there.

    Attributes:
        current: by stage, in order; each was made from the others that are here.
        in_work: stages that are at work, or were interrupted.
        missing: stages that are neither.
    """

    current: Mapping[str, Artifact]
    in_work: Sequence[str]
    missing: Sequence[str]

    def keys(self, *stages: str) -> tuple[str, ...]:
        """What distinguishes the results of these stages from others."""
        found = (self.current.get(stage) for stage in stages)
        return tuple("" if artifact is None else artifact.folder.name for artifact in found)

    def first(self, *stages: str) -> Artifact | None:
        """The result of the first of these stages that has one."""
        return next((self.current[stage] for stage in stages if stage in self.current), None)


def read_state(run_dir: Path, command: str) -> RunState:
    """Look at a run, which may be under way: nothing is locked, waited for or written.

    A result that was made from another than the newest result of a stage before it is left out, as
    it may be of another world: a run that is under way makes it anew.
    """
    store = Store(run_dir / "store")
    current: dict[str, Artifact] = {}
    in_work: list[str] = []
    missing: list[str] = []
    for stage in STAGES[command]:
        artifact = store.latest(stage)
        if artifact is not None and _is_made_from(artifact, current):
            current[stage] = artifact
        elif any((store.root / stage).glob(f"*{PARTIAL_SUFFIX}")):
            in_work.append(stage)
        else:
            missing.append(stage)
    return RunState(current, in_work, missing)


def _is_made_from(artifact: Artifact, current: Mapping[str, Artifact]) -> bool:
    parts = artifact.manifest["key_parts"]
    inputs = parts.get("inputs") if isinstance(parts, dict) else None
    return isinstance(inputs, dict) and all(
        name in current and current[name].digest == digest for name, digest in inputs.items()
    )


def marks(run_dir: Path, command: str) -> tuple[int, ...]:
    """Numbers that change when a result is begun, finished or taken into use: a look at folders."""
    found = []
    for stage in STAGES[command]:
        try:
            found.append((run_dir / "store" / stage).stat().st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)
