"""Runs kinds and mutations, and says what must not have happened."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.folder_kinds import FOLDER_KINDS, pan, png
from tests.fuzz.kinds import FILE_KINDS, Kind
from tests.fuzz.mutations import image_seeds, mutant, video_seeds
from tests.fuzz.video_kinds import VIDEO_KINDS
from tests.fuzz.watch import Outcome, Watched

KINDS: tuple[Kind, ...] = (*FILE_KINDS, *VIDEO_KINDS, *FOLDER_KINDS)
EXPECTED_CODES = (0, 3, 4)
# That one input takes beside the libraries; inputs are small, what they claim to be is not.
BUDGET_BYTES = 1 << 30


def fault(outcome: Outcome) -> str:
    """What is wrong with how an input was treated; empty if nothing."""
    if outcome.code not in EXPECTED_CODES:
        return f"code {outcome.code}: {outcome.text}\n{outcome.trace}"
    if outcome.code and ". " not in outcome.text:
        return f"no remedy: {outcome.text}"
    if not outcome.text.isprintable():
        return f"more than a line: {outcome.text!r}"
    if outcome.memory_bytes > BUDGET_BYTES:
        return f"{outcome.memory_bytes >> 20} MiB of memory"
    return ""


def fault_of_kind(kind: Kind, outcome: Outcome) -> str:
    """The same, and whether it is what a person should be told."""
    if found := fault(outcome):
        return found
    if outcome.code != kind.code:
        return f"code {outcome.code} instead of {kind.code}: {outcome.text}"
    if kind.word not in outcome.text or (outcome.code == 0 and outcome.text and not kind.word):
        return f"{kind.word!r} expected: {outcome.text}"
    return ""


@dataclass
class Tally:
    """What came of many inputs."""

    codes: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    largest_bytes: int = 0

    def add(self, name: str, outcome: Outcome) -> str:
        """Count one; returns its fault."""
        self.codes[outcome.code] += 1
        self.largest_bytes = max(self.largest_bytes, outcome.memory_bytes)
        if found := fault(outcome):
            self.faults.append(f"{name}: {found}")
        return found


def mutants(folder: Path, count: int, start: int = 0) -> Iterator[tuple[str, Path]]:
    """Mutated videos, and folders in which every image is mutated, by turns."""
    (folder / "seeds").mkdir()
    videos, images = video_seeds(folder / "seeds"), image_seeds()
    seeds = [*videos.items(), *images.items()]
    good = [png(image) for image in pan(64, 96, 2)]
    for number in range(start, start + count):
        # All mutations of a seed come in turn, as their numbers have no factor in common.
        name, data = seeds[number // 5 % len(seeds)]
        place = folder / "now"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        if name in videos:
            path = place / name
            path.write_bytes(mutant(name, data, number))
        else:
            path = place
            for i, content in enumerate(good):
                (place / f"{i}.png").write_bytes(content)
            suffix = Path(name).suffix
            for i in (2, 3):
                (place / f"{i}{suffix}").write_bytes(mutant(name, data, number + i * 1_000_000 * 5))
        yield f"{number} of {name}", path


def look_at_mutants(folder: Path, count: int, start: int = 0, keep: Path | None = None) -> Tally:
    """Let the frames stage look at mutants; those that it stumbles over are kept."""
    tally = Tally()
    with Watched() as child:
        for name, path in mutants(folder, count, start):
            if tally.add(name, child.look(path)) and keep:
                target = keep / name.replace(" ", "_")
                shutil.rmtree(target, ignore_errors=True)
                copy = shutil.copytree if path.is_dir() else shutil.copyfile
                target.parent.mkdir(parents=True, exist_ok=True)
                copy(path, target)
    return tally
