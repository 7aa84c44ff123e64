"""Which videos and photo folders a batch is of, and what each one's run is called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mvrecon.errors import InputError
from mvrecon.formats.images import EXTENSIONS
from mvrecon.run_dir import RECORD

VIDEOS = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".3gp", ".gif"})
RUN_SUFFIX = ".mvrecon"
NAME_HASH_CHARACTERS = 8


@dataclass(frozen=True)
class BatchInput:
    """One input of a batch.

    Attributes:
        raw_input: a video or a folder of photos, absolute.
        name: of its run, unique in the batch's folder.
    """

    raw_input: Path
    name: str


def find_inputs(given: Sequence[Path]) -> list[Path]:
    """Videos and photo folders among what was given, each once, in order.

    A file that ends in .txt lists more of them, a line each, relative to the list. A folder with
    images in it is one input; of another, the videos and photo folders below it are.

    Raises:
        InputError: nothing is there, or nothing of it is an input.
    """
    found: dict[Path, None] = {}
    for path in given:
        here = dict.fromkeys(one.resolve() for one in _inputs_of(path))
        if not here:
            raise InputError(f"no video and no photos in {path}", "Name a folder that holds some")
        found |= here
    return list(found)


def name_runs(inputs: Iterable[Path], folder: Path) -> list[BatchInput]:
    """Give each input's run a name that stays the same when others come or go.

    Args:
        inputs: absolute.
        folder: of the batch; what earlier batches made there keeps its name.
    """
    named: dict[str, BatchInput] = {}
    for raw_input in inputs:
        name = raw_input.stem if raw_input.suffix.lower() in VIDEOS else raw_input.name
        before = _input_of_run(folder / f"{name}{RUN_SUFFIX}")
        if name in named or before not in (None, raw_input):
            digest = hashlib.sha256(str(raw_input).encode()).hexdigest()
            name = f"{name}-{digest[:NAME_HASH_CHARACTERS]}"
        named[name] = BatchInput(raw_input, name)
    return list(named.values())


def _inputs_of(path: Path) -> list[Path]:
    if path.is_file() and path.suffix.lower() == ".txt":
        lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
        listed = [path.parent / line for line in lines if line and not line.startswith("#")]
        return [one for entry in listed for one in _inputs_of(entry)]
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"no such file or folder: {path}", "Check the path")
    return _below(path)


def _below(folder: Path) -> list[Path]:
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    if any(entry.is_file() and entry.suffix.lower() in EXTENSIONS for entry in entries):
        return [folder]
    found = []
    for entry in entries:
        # Runs of an earlier batch hold images too.
        if entry.is_dir() and not entry.is_symlink() and not (entry / RECORD).is_file():
            found += _below(entry)
        elif entry.is_file() and entry.suffix.lower() in VIDEOS:
            found.append(entry)
    return found


def _input_of_run(run_dir: Path) -> Path | None:
    try:
        return Path(json.loads((run_dir / RECORD).read_bytes())["input"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
