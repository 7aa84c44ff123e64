"""Weights of mvflow side by side on held-out synthetic scenes, which decide what ships.

python -m benchmarks.tools.flow_held_out --textures DIR --weights new=FILE [--work DIR]

The shipped weights are always among them. EPE px over all pixels, hidden ones included, over
visible pixels in brackets, and the share of visible pixels that are off by more than 3 px. The
textures are those that `split_textures` holds out of DIR.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mvrecon.synthetic.training.pairs.mixture import flying_pairs
from mvrecon.synthetic.training.textures import load_textures, split_textures
from stages.flow.models.mvflow.card import MVFLOW_WEIGHTS
from stages.flow.models.mvflow.model import load_mvflow
from stages.flow.training.validation import (
    ValidationPairs,
    validate,
    validation_clips,
    validation_pairs,
)


def held_out_sets(textures: Path) -> Iterator[tuple[str, ValidationPairs]]:
    """Names and pairs, made one set after another."""
    _, held_out = split_textures(load_textures(textures))
    yield "8 clips", validation_clips(held_out)
    yield "24 pairs of 384×512", validation_pairs(held_out, 24, (384, 512))
    yield "10 pairs of 544×960", validation_pairs(held_out, 10, (544, 960))
    yield "12 flying of 384×512", validation_pairs(held_out, 12, (384, 512), flying_pairs)
    yield "6 flying of 544×960", validation_pairs(held_out, 6, (544, 960), flying_pairs)


def scores(numbers: dict[str, float]) -> str:
    """One cell of the table."""
    everywhere, visible = (numbers[f"validation_{part}epe_px"] for part in ("", "visible_"))
    kept, far = numbers["validation_kept_epe_px"], numbers["validation_far_share"]
    return f"{everywhere:.2f} ({visible:.2f}), {100 * far:.1f} % far, surest 80 %: {kept:.2f}"


def main() -> None:
    """Compare as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--textures", type=Path, required=True)
    parser.add_argument("--weights", nargs="*", default=[], help="name=FILE")
    parser.add_argument("--work", type=Path, help="for pictures of the results")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    networks = {"shipped": load_mvflow(MVFLOW_WEIGHTS)[0]}
    for text in options.weights:
        name, _, path = text.partition("=")
        networks[name] = load_mvflow(Path(path))[0]
    for number, (label, pairs) in enumerate(held_out_sets(options.textures)):
        for row, (name, network) in enumerate(networks.items()):
            found = validate(network, pairs, work / f"{name}_{number}.png")
            if row == 0:
                start, seen = (found[f"validation_start_{p}epe_px"] for p in ("", "visible_"))
                sys.stdout.write(f"| {label} | start | {start:.2f} ({seen:.2f}) |\n")
            sys.stdout.write(f"| {label} | {name} | {scores(found)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
