"""What a run got right and wrong, in figures."""

from mvrecon.evaluate.evaluation import Evaluation
from mvrecon.evaluate.run import evaluate_run

__all__ = ["Evaluation", "evaluate_run"]
