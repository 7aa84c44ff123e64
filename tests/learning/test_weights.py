from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mvrecon.errors import UsageError
from mvrecon.learning.weights import export_weights, load_weights


@dataclass(frozen=True)
class Sizes:
    channels: int = 3


def build(sizes: Mapping[str, Any]) -> nn.Linear:
    return nn.Linear(Sizes(**sizes).channels, 2)


def test_weights_come_back_with_their_sizes(tmp_path: Path) -> None:
    network = nn.Linear(5, 2)
    export_weights(network, Sizes(5), tmp_path / "new/weights.pt", scale=[1.5])
    loaded, stored = load_weights(tmp_path / "new/weights.pt", build, "toys")
    assert stored["scale"] == [1.5]
    assert not loaded.training
    assert loaded.weight.dtype == torch.float32
    torch.testing.assert_close(loaded.weight, network.weight, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("content", [None, b"", b"no weights", {"network": {}}, {"weights": {}}])
def test_other_files_are_refused_with_a_remedy(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UsageError, match=r"weights of toys") as error:
        load_weights(path, build, "toys")
    assert "mvrecon train toys" in str(error.value)


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    export_weights(nn.Linear(4, 2), Sizes(5), tmp_path / "weights.pt")
    with pytest.raises(UsageError):
        load_weights(tmp_path / "weights.pt", build, "toys")
