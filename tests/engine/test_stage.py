"""What the engine promises to a stage."""

from __future__ import annotations

import dataclasses

import pytest

from mvrecon.engine.context import RunContext
from mvrecon.engine.partial import PartialArtifact
from mvrecon.engine.stage import StageContext, StageOutput, StoredItems, Summary
from mvrecon.engine.store import Artifact
from tests.engine.toy import LINES, LinesConfig


@pytest.mark.parametrize(
    ("protocol", "implementation"),
    [(StoredItems, Artifact), (StageOutput, PartialArtifact)],
)
def test_the_store_gives_what_is_promised(protocol: type, implementation: type) -> None:
    promised = {name for name in vars(protocol) if not name.startswith("_")}
    assert promised
    assert promised <= set(dir(implementation))


def test_the_context_gives_what_is_promised(tmp_path) -> None:
    out = PartialArtifact(tmp_path / "out")
    context = RunContext(
        name="toy", config=LinesConfig(), inputs={}, raw_input=tmp_path, workers=1, out=out
    )
    promised = {name for name in vars(StageContext) if not name.startswith("_")}
    assert {"config", "out", "earlier", "make_items", "isolated"} <= promised
    assert all(hasattr(context, name) for name in promised)


def test_a_declaration_is_fixed_and_reads_no_files_unless_it_says_so() -> None:
    assert LINES.files(LINES.config()) == {}
    assert LINES.publishes == {}
    with pytest.raises(dataclasses.FrozenInstanceError):
        LINES.version = 2
    assert Summary() == Summary({}, ())
