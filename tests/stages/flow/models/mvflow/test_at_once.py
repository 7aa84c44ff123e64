"""What a GPU does in one piece is what a CPU does in several."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stages.flow.models.mvflow import correlation, update
from stages.flow.models.mvflow.card import MVFLOW_WEIGHTS
from stages.flow.models.mvflow.model import load_mvflow
from stages.flow.training.ahead import PairMaker, Pieces
from stages.flow.training.supervision import loss_and_flow
from tests.stages.flow.scenes import texture


def test_flow_loss_and_derivatives_are_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(update, "CELLS_AT_ONCE", 100)
    monkeypatch.setattr(correlation, "PRODUCTS_AT_ONCE", 2000)
    textures = torch.from_numpy(texture(120, 160, 1))[None]
    sample = PairMaker(textures, Pieces((96, 128), 2), 1, None)(0)
    assert sample.start_b2hw is not None
    found: list[list[Tensor]] = []
    for at_once in (False, True):
        for module in (correlation, update):
            monkeypatch.setattr(module, "all_at_once", lambda x, at_once=at_once: at_once)
        network, _ = load_mvflow(MVFLOW_WEIGHTS)
        network.train()
        with torch.autocast("cpu", enabled=False):
            loss, _, flow_b2hw = loss_and_flow(network, sample.pairs, sample.start_b2hw)
        torch.autograd.backward(loss)
        gradient = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
        found.append([loss.detach(), flow_b2hw, gradient])
    in_pieces, whole = found
    assert torch.allclose(in_pieces[0], whole[0], rtol=1e-3)
    assert (in_pieces[1] - whole[1]).abs().mean() < 0.02
    assert torch.nn.functional.cosine_similarity(in_pieces[2], whole[2], dim=0) > 0.99


def test_global_matches_are_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(correlation, "PRODUCTS_AT_ONCE", 500)
    torch.manual_seed(2)
    first, second = (torch.randn(2, 8, 6, 9) for _ in range(2))
    in_pieces = correlation.best_matches(first, second)
    monkeypatch.setattr(correlation, "all_at_once", lambda x: True)
    whole = correlation.best_matches(first, second)
    assert torch.equal(in_pieces.flow_b2hw, whole.flow_b2hw)
    assert torch.allclose(in_pieces.trust_b2hw, whole.trust_b2hw)
    correlations = torch.randn(2, 8, 20, 17), torch.randn(2, 8, 20, 17)
    one = correlation.local_correlation(*correlations)
    monkeypatch.setattr(correlation, "all_at_once", lambda x: False)
    assert torch.allclose(correlation.local_correlation(*correlations), one, atol=1e-5)
