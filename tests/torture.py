"""The real pipeline killed, told to stop, and out of disk, again and again; `make torture`.

python -m tests.torture FOLDER [--kills N] [--stops N] [--seed S]

Prints a line of JSON for each kind of fault and fails if anything was lost. The pipeline of
`tests/engine/torture.py` is small enough to be killed at every touch of a file; this one is
killed by the clock. What needs a small file system runs in a mount namespace of its own, where
that is allowed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mvrecon.engine.partial import MANIFEST
from stages.pipeline import STAGE_NAMES
from tests.conftest import REPOSITORY

CLIP = REPOSITORY / "sample_data" / "clip.mp4"
SMALL = (
    "--frames.max_size=320",
    "--frames.end_s=1.2",
    "--depth.max_size=160",
    "--depth.sweep.max_hypotheses=48",
    "--surface.mesh.max_faces=5000",
    # Such small maps are poor, and remedies would be tried.
    "--mend=none",
)
# What users are promised, from the signal to the end of the process.
STOP_S = 2.0
MIB = 1024**2
DISK_STEPS_MIB = (0.2, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 64)


def command(run_dir: Path) -> list[str]:
    """A run of the real pipeline on a few small frames."""
    return [sys.executable, "-m", "mvrecon", "run", str(CLIP), "-o", str(run_dir), *SMALL]


def start(run_dir: Path) -> subprocess.Popen[str]:
    """The run, in a process of its own."""
    return subprocess.Popen(
        command(run_dir), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def digests(run_dir: Path) -> dict[str, str]:
    """Digest of each stage's result in use."""
    found = {}
    for stage in STAGE_NAMES:
        pointer = run_dir / "store" / stage / "latest"
        manifest = pointer.with_name(pointer.read_text()) / MANIFEST
        found[stage] = json.loads(manifest.read_text())["digest"]
    return found


def stage_at_work(run_dir: Path) -> str:
    """The first stage without a result."""
    pointers = {stage: run_dir / "store" / stage / "latest" for stage in STAGE_NAMES}
    return next((name for name, path in pointers.items() if not path.is_file()), "report")


def struck(
    run_dir: Path, number: signal.Signals, rng: random.Random, life_s: float
) -> Iterator[tuple[str, float, int, str]]:
    """Runs in one folder until one ends by itself.

    Yields, of each that was struck: the stage, seconds it then took to end, exit status, words.
    """
    while True:
        process = start(run_dir)
        try:
            process.wait(rng.uniform(0.3, life_s))
        except subprocess.TimeoutExpired:
            stage, struck_at = stage_at_work(run_dir), time.monotonic()
            process.send_signal(number)
            words = process.communicate()[1]
            yield stage, time.monotonic() - struck_at, process.returncode, words
            continue
        words = process.communicate()[1]
        if process.returncode != 0:
            raise SystemExit(f"failed instead of resuming: {words}")
        return


def strike(
    folder: Path, number: signal.Signals, times: int, rng: random.Random, wanted: dict[str, str]
) -> dict[str, object]:
    """Strike so many runs, each followed by another in the same folder, to the end."""
    struck_in: Counter[str] = Counter()
    lost, slowest_s, wrong_ends = 0, 0.0, 0
    life_s = 12.0
    while sum(struck_in.values()) < times:
        shutil.rmtree(folder, ignore_errors=True)
        for stage, seconds, status, words in struck(folder, number, rng, life_s):
            struck_in[stage] += 1
            slowest_s = max(slowest_s, seconds)
            if number is not signal.SIGKILL:
                wrong_ends += status != 130 or "go on with: mvrecon" not in words
        lost += digests(folder) != wanted
    return {
        "signal": number.name,
        "struck": dict(struck_in),
        "other results": lost,
        "slowest end [s]": round(slowest_s, 2),
        "wrong ends": wrong_ends,
    }


def out_of_disk(folder: Path, wanted: dict[str, str]) -> dict[str, object]:
    """Run in a file system that is always too small until it is large enough.

    To be called in a mount namespace of its own.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    full_in: Counter[str] = Counter()
    wrong_ends = 0
    for size_mib in DISK_STEPS_MIB:
        size = f"remount,size={round(size_mib * MIB)}"
        subprocess.run(["mount", "-o", size, str(folder)], check=True)
        stage = stage_at_work(folder / "run")
        process = start(folder / "run")
        words = process.communicate()[1]
        if process.returncode == 0:
            break
        full_in[stage] += 1
        last = words.strip().splitlines()[-1]
        if process.returncode != 2 or "Traceback" in words or "No space left" not in last:
            wrong_ends += 1
            print(f"{size_mib} MiB, exit status {process.returncode}: {words}", file=sys.stderr)
    same = digests(folder / "run") == wanted
    return {"full": dict(full_in), "other results": int(not same), "wrong ends": wrong_ends}


def in_namespace(folder: Path) -> dict[str, object]:
    """`out_of_disk` in a namespace of its own; why not, where that is forbidden."""
    arguments = [sys.executable, "-m", "tests.torture", str(folder), "--out-of-disk"]
    done = subprocess.run(
        ["unshare", "-rm", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        return {"out of disk": "not tried: no mount namespace may be made here"}
    found: dict[str, object] = json.loads(done.stdout)
    return found


def main() -> None:
    """Strike as often as asked, print what came of it, fail if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out-of-disk", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    whole = options.folder / "whole"
    if options.out_of_disk:
        print(json.dumps(out_of_disk(options.folder / "disk", digests(whole))))
        return
    subprocess.run(command(whole), check=True, stdout=subprocess.DEVNULL)
    wanted, rng = digests(whole), random.Random(options.seed)
    found = [
        in_namespace(options.folder),
        strike(options.folder / "run", signal.SIGKILL, options.kills, rng, wanted),
        strike(options.folder / "run", signal.SIGINT, options.stops // 2, rng, wanted),
        strike(options.folder / "run", signal.SIGTERM, options.stops // 2, rng, wanted),
    ]
    for row in found:
        print(json.dumps(row), flush=True)
    shutil.rmtree(options.folder)
    if any(row.get("other results") or row.get("wrong ends") for row in found):
        sys.exit("something was lost")


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    main()
