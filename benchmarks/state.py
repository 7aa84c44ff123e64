"""What figures depend on: the program's state, and the machine that they were made on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.piece import REPOSITORY, Piece, Place
from mvrecon.engine.hashing import FileHashes, canonical_json, hash_file, hash_text
from mvrecon.engine.measure import versions
from stages.pipeline import PIPELINE
from stages.volume_pipeline import VOLUME_PIPELINE

# Of a sha256; enough to tell files apart, short enough for a page.
SHORT = 12
STAGE_VERSIONS = {stage.name: stage.version for stage in (*PIPELINE, *VOLUME_PIPELINE)}
# What changes a result or its cost; benchmarks/ and documents do not.
PROGRAM = ("mvrecon", "stages", "configs", "sample_data", ":!*.md")
INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX BF16",
    "amx_int8": "AMX INT8",
}


def program_parts(piece: Piece) -> dict[str, Any]:
    """What of this program decides a piece's figures; no data are needed to know it."""
    return {
        "version": piece.version,
        "settings": dict(piece.settings),
        "stages": {name: STAGE_VERSIONS[name] for name in piece.stages},
        "weights": {name: weights_hash(name) for name in piece.weights},
    }


def data_hash(piece: Piece, place: Place, hashes: FileHashes) -> str:
    """Of the content of all data of a piece.

    Raises:
        CannotRunError: something is missing.
    """
    found = {name: _content(place.data(name), hashes) for name in piece.data}
    return hash_text(canonical_json(found))[:SHORT]


@cache
def weights_hash(name: str) -> str:
    """Of a shipped file, named as in `flow/mvflow.pt`; `missing` if it is no longer shipped."""
    stage, file = name.split("/")
    path = REPOSITORY / "stages" / stage / "weights" / file
    return hash_file(path)[:SHORT] if path.is_file() else "missing"


def machine_state() -> dict[str, Any]:
    """Commit, processor, libraries."""
    return {
        "commit": _commit(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": _instructions(),
        "libraries": {name: v for name, v in versions().items() if name != "mvrecon"},
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of the program changed since figures were made, a few words each."""
    words = []
    for kind in ("stages", "weights"):
        for name in {**then[kind], **now[kind]}:
            old, new = then[kind].get(name, "none"), now[kind].get(name, "none")
            if old != new:
                words.append(f"{name} was {old}, is {new}")
    if (then["version"], then["settings"]) != (now["version"], now["settings"]):
        words.append("it is measured otherwise now")
    return words


def _content(path: Path, hashes: FileHashes) -> str:
    if not path.is_dir():
        return hashes.of(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return hash_text(canonical_json({str(f.relative_to(path)): hashes.of(f) for f in files}))


def _commit() -> str:
    """The last commit of the program; with `+` if files of it differ from that."""
    found = _git("log", "-1", "--format=%h", "--", *PROGRAM)
    changed = _git("status", "--porcelain", "--", *PROGRAM)
    return f"{found or 'unknown'}{'+' if changed else ''}"


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _cpu_facts() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def _processor() -> str:
    lines = (line.partition(":") for line in _cpu_facts().splitlines())
    return next((text.strip() for name, _, text in lines if name.strip() == "model name"), "?")


def _instructions() -> list[str]:
    flags = set(_cpu_facts().split())
    return [name for flag, name in INSTRUCTIONS.items() if flag in flags]
