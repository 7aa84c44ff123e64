"""Fitting mvflow's confidence to held-out pairs, whenever weights are exported."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.flow.models.mvflow.confidence import RIGHT_PX, Calibration, confidence_features
from stages.flow.models.mvflow.network import Mvflow
from stages.flow.models.warp import stays_inside
from stages.flow.training.losses import endpoint_error
from stages.flow.training.validation import ValidationPairs

FIT_STEPS = 60


def fit_calibration(network: Mvflow, pairs: ValidationPairs) -> Calibration:
    """Fit to the pixels of held-out pairs whose flow stays in the image."""
    batch = pairs.batch
    features, right = [], []
    with torch.inference_mode(), torch.autocast(batch.flow_b2hw.device.type, torch.bfloat16):
        for one in range(len(pairs.start_b2hw)):
            part = slice(one, one + 1)
            first, second = batch.first_b3hw[part], batch.second_b3hw[part]
            output = network(first, second, pairs.start_b2hw[part])
            back = network(second, first, pairs.back_start_b2hw[part])
            inside = stays_inside(output.flow_b2hw)
            error = endpoint_error(output.flow_b2hw, batch.flow_b2hw[part])
            features.append(confidence_features(output, back.flow_b2hw)[:, inside])
            right.append((error < RIGHT_PX)[inside].float())
    return regress(torch.cat(features, 1).clone(), torch.cat(right).clone())


def regress(features_3n: Tensor, right_n: Tensor) -> Calibration:
    """Logistic regression of what was right (0 or 1) on the features."""
    coefficients = torch.tensor(Calibration(), requires_grad=True)
    optimizer = torch.optim.LBFGS([coefficients], max_iter=FIT_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(coefficients @ features_3n, right_n)
        torch.autograd.backward(value)
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return Calibration(*coefficients.tolist())
