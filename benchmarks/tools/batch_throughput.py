"""What a batch costs beside plain runs of the same videos, with 1, 2 and 4 runs at once.

python -m benchmarks.tools.batch_throughput --runs DIR [--videos N] [--until STAGE]
    [--markdown FILE]

Processor seconds are of all processes, as the kernel counts them; elapsed ones depend on what else
the machine does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.piece import REPOSITORY, markdown
from stages.pipeline import STAGE_NAMES

CLIP = REPOSITORY / "sample_data" / "clip.mp4"
SMALL = ("--frames.max_size=256", "--frames.end_s=1", "--depth.max_size=128", "--workers=1")
SMALL += ("--surface.mesh.max_faces=3000",)
AT_ONCE = (1, 2, 4)


@dataclass(frozen=True)
class Cost:
    """What some commands took together."""

    wall_s: float
    cpu_s: float


def cost(commands: Sequence[Sequence[str]]) -> Cost:
    """Run commands of mvrecon one after the other."""
    started, cpu_s = time.monotonic(), 0.0
    for command in commands:
        process = subprocess.Popen(
            [sys.executable, "-m", "mvrecon", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"failed: mvrecon {' '.join(command)}")
        cpu_s += usage.ru_utime + usage.ru_stime
    return Cost(time.monotonic() - started, cpu_s)


def row(name: str, found: Cost, plain: Cost, videos: int) -> list[str]:
    """A line of the table."""
    more_percent = 100 * (found.cpu_s / plain.cpu_s - 1)
    return [
        name,
        f"{found.cpu_s / videos:.2f}",
        f"{more_percent:+.1f} %",
        f"{3600 * videos / found.wall_s:.0f}",
    ]


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--until", choices=STAGE_NAMES, default=STAGE_NAMES[-1])
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    shutil.rmtree(options.runs, ignore_errors=True)
    inputs = options.runs / "videos"
    inputs.mkdir(parents=True)
    for number in range(options.videos):
        shutil.copyfile(CLIP, inputs / f"{number:02}.mp4")
    more = ["--until", options.until, *SMALL]
    plain = cost(
        [
            ["run", str(path), "-o", str(options.runs / "plain" / path.stem), "--mend=none", *more]
            for path in sorted(inputs.iterdir())
        ]
    )
    rows = [row("plain runs, one after the other", plain, plain, options.videos)]
    for at_once in AT_ONCE:
        out = options.runs / f"at_once_{at_once}"
        command = ["batch", str(inputs), "-o", str(out), "--alone", f"--jobs={at_once}"]
        found = cost([[*command, "--mend.mode=none", *more]])
        rows.append(row(f"batch, {at_once} at once", found, plain, options.videos))
        print(rows[-1], flush=True)
    head = (
        "# A batch beside plain runs\n\n"
        f"`python -m benchmarks.tools.batch_throughput --runs DIR --videos {options.videos} "
        f"--until {options.until}`: {options.videos}\nvideos of a second at 256 px on "
        f"{os.cpu_count()} cores.\n\n"
    )
    headings = ("", "processor seconds a video", "more than plain", "videos an hour")
    text = head + markdown(headings, rows)
    print(text)
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
