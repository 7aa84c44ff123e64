"""A run directory: what it was made from and with, so that it can be continued."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mvrecon import atomic
from mvrecon.artifacts.mending import Mending
from mvrecon.errors import UsageError

RECORD = "run.json"


@dataclass(frozen=True)
class RunRecord:
    """What `mvrecon run` was last asked for.

    Attributes:
        raw_input: the user's video, folder or volume.
        more_inputs: what is to be in one model with it.
        options: stage → field → value, all layers merged.
        command: the command that it was asked with, `run` or `volume`.
        used: stages of other packages.
        mendings: what the run changed of them by itself.
        fitted: the budget that was given, and what was changed to keep to it; empty without one.
    """

    raw_input: Path
    options: Mapping[str, Mapping[str, Any]]
    command: str = "run"
    mendings: Sequence[Mending] = ()
    fitted: Mapping[str, Any] = field(default_factory=dict)
    used: Sequence[str] = ()
    more_inputs: Sequence[Path] = ()

    @property
    def inputs(self) -> tuple[Path, ...]:
        """All that the user gave."""
        return (self.raw_input, *self.more_inputs)

    def save(self, run_dir: Path) -> None:
        """Write into the run directory, creating it.

        Raises:
            UsageError: the directory cannot be written.
        """
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
            record = {
                "command": self.command,
                "input": str(self.raw_input.resolve()),
                "more_inputs": [str(path.resolve()) for path in self.more_inputs],
                "options": self.options,
                "mendings": [mending.to_json() for mending in self.mendings],
                "fitted": self.fitted,
                "used": list(self.used),
            }
            atomic.write_text(run_dir / RECORD, json.dumps(record, indent=1))
        except OSError as error:
            raise UsageError(
                f"cannot write to {run_dir} ({error.strerror})",
                "Choose another place with -o DIR",
            ) from error

    @classmethod
    def load(cls, run_dir: Path) -> RunRecord:
        """Read what `save` wrote.

        Raises:
            UsageError: this is not a run directory.
        """
        path = run_dir / RECORD
        try:
            data = json.loads(path.read_bytes())
            options = {name: dict(values) for name, values in data["options"].items()}
            mendings = tuple(Mending.from_json(one) for one in data.get("mendings", ()))
            command = str(data.get("command", "run"))
            fitted = dict(data.get("fitted", {}))
            used = tuple(map(str, data.get("used", ())))
            more = tuple(map(Path, data.get("more_inputs", ())))
            return cls(Path(data["input"]), options, command, mendings, fitted, used, more)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(
                f"{run_dir} is not a run directory ({RECORD} is missing or damaged)",
                f"Make one with: mvrecon run INPUT -o {run_dir}",
            ) from error
