"""The key of a stage's result: everything that decides it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvrecon.engine.config import StageConfig
from mvrecon.engine.hashing import FileHashes, canonical_json, hash_text
from mvrecon.engine.stage import Stage

KEY_CHARACTERS = 24


@dataclass(frozen=True)
class Key:
    """A key and the parts that it was made of."""

    parts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Folder name in the store."""
        return hash_text(canonical_json(self.parts))[:KEY_CHARACTERS]


def make_key(
    stage: Stage[Any],
    config: StageConfig,
    input_digests: Mapping[str, str],
    raw_input: Path | None,
    hashes: FileHashes,
    *,
    more_inputs: Sequence[Path] = (),
) -> Key:
    """Key of a stage's result.

    Args:
        stage: the declaration.
        config: its options.
        input_digests: output digest of each stage in `stage.needs`.
        raw_input: the user's video or folder; its content counts if the stage reads it.
        hashes: hashes of files.
        more_inputs: what the user gave besides; counts as `raw_input` does.
    """
    reads = stage.reads_raw_input and raw_input is not None
    more = {"more_inputs": [hashes.of(path) for path in more_inputs]} if more_inputs else {}
    provider = {"provider": stage.provider} if stage.provider else {}
    files = {**config.content_files(), **stage.files(config)}
    return Key(
        {
            "stage": stage.name,
            "version": stage.version,
            **provider,
            "config": config.key_options(),
            "inputs": {name: input_digests[name] for name in stage.needs},
            "raw_input": hashes.of(raw_input) if reads and raw_input else None,
            **(more if reads else {}),
            "files": {name: hashes.of(path) for name, path in files.items()},
        }
    )


def changed_parts(old: Mapping[str, Any], new: Mapping[str, Any], where: str = "") -> list[str]:
    """One line for each leaf in which two keys' parts differ."""
    lines: list[str] = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        label = f"{where}{name}"
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += changed_parts(before, after, f"{label}.")
        elif before != after:
            lines.append(f"{label}: {_short(before)} → {_short(after)}")
    return lines


def _short(value: Any) -> str:
    text = str(value)
    is_hash = len(text) == 64 and all(character in "0123456789abcdef" for character in text)
    return text[:12] if is_hash else text
