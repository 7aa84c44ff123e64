"""What a run saw of its own evidence, which remedies it tried, and which result it kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MENDING_ITEM = "mending.json"

Changes = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Attempt:
    """One remedy that was tried.

    Attributes:
        remedies: what was done, for a sentence.
        changes: stage → option → value, beyond what was asked for.
        findings: what was still poor with it, a clause each.
        penalty: sum of what was poor, 0 for nothing; None if it ended with an error.
        error: that error, or empty.
    """

    remedies: tuple[str, ...]
    changes: Changes
    findings: tuple[str, ...]
    penalty: float | None
    error: str = ""

    @property
    def name(self) -> str:
        """The remedies in words."""
        return " and ".join(self.remedies)


@dataclass(frozen=True)
class Mending:
    """The judgement after a stage.

    Attributes:
        after: the stage.
        findings: what was poor, a clause each; empty if the evidence is good.
        penalty: sum of it; None if there was no result at all.
        attempts: the remedies that were tried, in order.
        kept: index of the attempt whose result was kept; None for that without a remedy.
    """

    after: str
    findings: tuple[str, ...] = ()
    penalty: float | None = 0.0
    attempts: tuple[Attempt, ...] = ()
    kept: int | None = None

    @property
    def changes(self) -> Changes:
        """The options that the kept result has beyond what was asked for."""
        return {} if self.kept is None else self.attempts[self.kept].changes

    @property
    def applied(self) -> tuple[str, ...]:
        """The remedies of the kept result."""
        return () if self.kept is None else self.attempts[self.kept].remedies

    def told(self) -> str:
        """One sentence; empty if there was nothing to mend."""
        if not self.findings:
            return ""
        text = f"after {self.after}: {'; '.join(self.findings)}"
        if not self.attempts:
            return f"{text}; no remedy is left to try"
        tried = "; ".join(f"tried {attempt.name}: {_outcome(attempt)}" for attempt in self.attempts)
        kept = "the first result" if self.kept is None else self.attempts[self.kept].name
        return f"{text}; {tried}; kept: {kept}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Mending:
        """What `to_json` gave."""
        attempts = tuple(
            Attempt(
                **{
                    **attempt,
                    "findings": tuple(attempt["findings"]),
                    "remedies": tuple(attempt["remedies"]),
                }
            )
            for attempt in data["attempts"]
        )
        return cls(**{**data, "findings": tuple(data["findings"]), "attempts": attempts})

    def to_text(self) -> str:
        """Canonical text form of the item."""
        return json.dumps(self.to_json(), indent=1, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Mending:
        """What `to_text` gave."""
        return cls.from_json(json.loads(text))


def merged_changes(mendings: Sequence[Mending]) -> dict[str, dict[str, Any]]:
    """The options of what was kept after each stage; later ones win."""
    merged: dict[str, dict[str, Any]] = {}
    for mending in mendings:
        for stage, options in mending.changes.items():
            merged.setdefault(stage, {}).update(options)
    return merged


def _outcome(attempt: Attempt) -> str:
    return attempt.error or "; ".join(attempt.findings) or "good"
