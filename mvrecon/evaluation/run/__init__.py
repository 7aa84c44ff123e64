"""What a run got right and wrong, in figures."""

from mvrecon.evaluation.run.evaluate import evaluate_run
from mvrecon.evaluation.run.evaluation import Evaluation

__all__ = ["Evaluation", "evaluate_run"]
