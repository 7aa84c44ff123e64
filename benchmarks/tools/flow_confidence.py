"""Fit the flow confidence to pairs with true flow, and check it on data it was not fitted to.

    python -m benchmarks.tools.flow_confidence --root DIR [--weights raft-small.pth]

DIR as for `mvrecon bench flow`, and `rgbd/*` posed sets with depth. Prints the intercept and
weights for stages/flow/confidence.py, and for each data set, left out of the fit, the share of
right pixels next to the mean confidence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.tools.flow_data import posed_samples
from mvrecon.datasets.flow_pairs import FlowSample
from mvrecon.datasets.flow_sets import read_flow_sets
from mvrecon.evaluation.metrics.flow import end_point_error
from mvrecon.formats.images import read_rgb
from stages.flow.confidence import FEATURES, confidence_features, stays_inside
from stages.flow.config import FlowConfig, RaftOptions
from stages.flow.models.base import FlowModel
from stages.flow.models.registry import load_flow_model

PIXELS_PER_PAIR = 20_000
RIGHT_PX = 1.0
POSED_STEPS = (1, 2, 4)
POSED_PAIRS = 9
NEWTON_STEPS = 20

Rows = tuple[NDArray[np.float64], NDArray[np.bool_]]


def main() -> None:
    """Fit, print, check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    arguments = parser.parse_args()
    configs = [FlowConfig(model="dis")]
    if arguments.weights:
        configs.append(FlowConfig(model="raft-small", raft=RaftOptions(weights=arguments.weights)))
    groups = read_flow_sets(arguments.root)
    # The flow of such a set is only as true as its depth, so sensor depth does not serve.
    rendered = arguments.root / "rgbd" / "livingroom_synthetic"
    if rendered.is_dir():
        groups[rendered.name] = posed_samples(rendered, POSED_STEPS, POSED_PAIRS)
    rows = {
        (config.model, title): _rows(load_flow_model(config), samples)
        for config in configs
        for title, samples in groups.items()
    }
    parameters = fit(list(rows.values()))
    print(f"INTERCEPT = {parameters[0]:.2f}")
    for name, weight in zip(FEATURES, parameters[1:], strict=True):
        print(f"  {name}: {weight:.2f}")
    print("model, data set: right, mean confidence when left out, lower and upper half of it")
    for key, (features_nf, right_n) in rows.items():
        others = [value for other, value in rows.items() if other[1] != key[1]]
        probability_n = _probability(fit(others), features_nf)
        low_n = probability_n < np.median(probability_n)
        halves = ", ".join(
            f"{probability_n[half].mean():.2f} for {right_n[half].mean():.2f}"
            for half in (low_n, ~low_n)
        )
        print(f"{key}: {right_n.mean():.3f}, {probability_n.mean():.3f}; {halves}")


def fit(groups: list[Rows]) -> NDArray[np.float64]:
    """Logistic regression by Newton's method; each group weighs the same."""
    features_nf = _with_one(np.concatenate([features for features, _ in groups]))
    right_n = np.concatenate([right for _, right in groups])
    weight_n = np.concatenate([np.full(len(right), 1 / len(right)) for _, right in groups])
    parameters = np.zeros(features_nf.shape[1])
    for _ in range(NEWTON_STEPS):
        probability_n = 1 / (1 + np.exp(-features_nf @ parameters))
        gradient = features_nf.T @ (weight_n * (right_n - probability_n))
        curvature_n = weight_n * probability_n * (1 - probability_n)
        parameters += np.linalg.solve((features_nf.T * curvature_n) @ features_nf, gradient)
    return parameters


def _rows(model: FlowModel, samples: list[FlowSample]) -> Rows:
    """Features and whether the flow is right, for random pixels of each pair."""
    generator = np.random.default_rng(0)
    features, right = [], []
    for sample in samples:
        first, second = read_rgb(sample.first), read_rgb(sample.second)
        truth_hw2, valid_hw = sample.read_truth()
        estimate = model.estimate(first, second)
        features_fhw = confidence_features(
            first, second, estimate.forward_hw2, estimate.backward_hw2
        )
        error_hw = end_point_error(estimate.forward_hw2, truth_hw2)
        usable = np.flatnonzero(valid_hw & stays_inside(estimate.forward_hw2))
        chosen = generator.choice(usable, min(PIXELS_PER_PAIR, usable.size), replace=False)
        features.append(features_fhw.reshape(len(FEATURES), -1)[:, chosen].T)
        right.append(error_hw.ravel()[chosen] <= RIGHT_PX)
    return np.concatenate(features).astype(np.float64), np.concatenate(right)


def _probability(
    parameters: NDArray[np.float64], features_nf: NDArray[np.float64]
) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-_with_one(features_nf) @ parameters))


def _with_one(features_nf: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([np.ones((len(features_nf), 1)), features_nf], axis=1)


if __name__ == "__main__":
    main()
