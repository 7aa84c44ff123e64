"""What the frames stage says of a decoder that ends or starves its process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mvrecon.engine.context import RunContext
from mvrecon.engine.partial import PartialArtifact
from mvrecon.errors import InputError, MvreconError, OutOfMemoryError, StageCrashError
from stages.frames.config import FramesConfig
from stages.frames.run import make_frames


class Crashing(RunContext[FramesConfig]):
    error: MvreconError

    def isolated(self, *_: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StageCrashError("stage frames was ended (SIGSEGV)", "Look"), InputError),
        (OutOfMemoryError("frames"), OutOfMemoryError),
    ],
)
def test_a_picture_that_crashes_its_decoder_is_bad_input(
    tmp_path: Path, error: MvreconError, expected: type[MvreconError]
) -> None:
    context = Crashing(
        name="frames",
        config=FramesConfig(),
        inputs={},
        raw_input=tmp_path / "photos",
        workers=1,
        out=PartialArtifact(tmp_path / "key.partial"),
    )
    context.error = error
    with pytest.raises(expected) as raised:
        make_frames(context)
    assert raised.value.exit_code == (3 if expected is InputError else 1)
