"""`mvrecon eval`: a run against ground truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from mvrecon.options import Commands


def add_commands(commands: Commands) -> None:
    """Declare them."""
    evaluate = commands.add("eval", _eval, "errors of a run against ground truth")
    evaluate.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    evaluate.add_argument("--dataset", type=Path, required=True, help="folder with cameras.json")
    evaluate.add_argument("--threshold", type=float, help="F-score distance, in the set's units")
    evaluate.add_argument("--json", type=Path, help="write the figures here too")


def _eval(options: argparse.Namespace) -> int:
    from mvrecon.evaluation.run import evaluate_run

    evaluation = evaluate_run(options.run_dir, options.dataset, options.threshold)
    print(evaluation.to_table())
    if options.json:
        options.json.write_text(evaluation.to_json())
    return 0
