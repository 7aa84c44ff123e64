"""What adapting mvflow to a clip, without true flow, gains on that clip; write flow_adaptation.md.

    python -m benchmarks.experiments.flow_adaptation --set DATA/rgbd/livingroom_synthetic --work DIR

The set has exact depth and poses, from which the true flow of its pairs follows. `mvrecon train
flow --clip` sees the images of the first part alone; errors are told for that part, which is
what a user adapts to, and for the rest.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.flow_data import posed_samples
from mvrecon.datasets.posed import load_posed_set
from mvrecon.evaluation.bench.flow.measure import measure_part
from mvrecon.evaluation.bench.flow.rows import flow_row
from mvrecon.evaluation.bench.rows import Row, markdown_table
from mvrecon.evaluation.metrics.flow import FLOW_METRICS
from stages.flow.training.command import WEIGHTS, train_flow
from stages.flow.training.options import TrainFlowOptions
from stages.flow.variants import flow_variants

TABLE = Path(__file__).with_suffix(".md")
SEEN_SHARE = 0.6
# Frames between the images of a pair, about those of neighbours in the pipeline and beyond.
STEPS = (2, 4, 8)
PAIRS = 8
SHOWN = (
    "epe_visible_over_pixels_px",
    "over_1px_over_pixels",
    "over_3px_over_pixels",
    "epe_mean_over_pixels_px",
    "epe_surest_80_over_images_px",
)

HEADER = """# Adapting mvflow to a clip

Made by `python -m benchmarks.experiments.flow_adaptation --set DATA/rgbd/{name} --work DIR`:
{steps} steps of `mvrecon train flow --clip` on the first {seen} of {all} frames, from the shipped
weights, without true flow. Pairs {distances} frames apart; the truth follows from the set's exact
depth and poses.

"""


def main() -> None:
    """Adapt, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", type=Path, required=True, help="posed set with exact depth")
    parser.add_argument("--work", type=Path, required=True, help="where weights and results go")
    parser.add_argument("--steps", type=int, default=120, help="of training")
    parser.add_argument("--minutes", type=float, default=60.0, help="of training in this call")
    options = parser.parse_args()
    images = [image.file for image in load_posed_set(options.set).images]
    seen = round(SEEN_SHARE * len(images))
    adapted = _adapt(options, images[:seen])
    rows = _measure(
        options,
        adapted,
        {
            f"frames 0–{seen - 1}, adapted to": range(seen),
            f"frames {seen}–{len(images) - 1}": range(seen, len(images)),
        },
    )
    head = HEADER.format(
        name=options.set.name,
        steps=options.steps,
        seen=seen,
        all=len(images),
        distances=", ".join(map(str, STEPS)),
    )
    metrics = [metric for metric in FLOW_METRICS if metric.name in SHOWN]
    meanings = "".join(f"- {metric.heading}: {metric.meaning}.\n" for metric in metrics)
    table = f"{head}{markdown_table(rows, metrics)}\n{meanings}"
    TABLE.write_text(table)
    print(table)


def _adapt(options: argparse.Namespace, files: list[str]) -> Path:
    """Train on links to the images of the first part."""
    clip = options.work / "clip"
    clip.mkdir(parents=True, exist_ok=True)
    for file in files:
        link = clip / Path(file).name
        if not link.is_symlink():
            link.symlink_to((options.set / file).resolve())
    folder = options.work / "adapted"
    training = TrainFlowOptions(
        folder=folder, minutes=options.minutes, clip=clip, steps=options.steps
    )
    for figures in train_flow(training):
        print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    return folder / WEIGHTS


def _measure(options: argparse.Namespace, adapted: Path, parts: Mapping[str, range]) -> list[Row]:
    variants = flow_variants(["dis", "mvflow"], {}, {})
    (own,) = flow_variants(["mvflow"], {"mvflow": str(adapted)}, {})
    variants.append(replace(own, label="mvflow adapted"))
    return [
        flow_row(title, variant.label, measure_part(options.work, variant, title, samples))
        for title, frames in parts.items()
        for samples in [posed_samples(options.set, STEPS, PAIRS, frames)]
        for variant in variants
    ]


if __name__ == "__main__":
    main()
