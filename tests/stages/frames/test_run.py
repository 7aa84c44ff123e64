"""What the frames stage says of a decoder that ends or starves its process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvrecon.artifacts.frames import FrameTable
from mvrecon.engine.context import RunContext
from mvrecon.engine.partial import PartialArtifact
from mvrecon.engine.runner import Runner
from mvrecon.errors import InputError, MvreconError, OutOfMemoryError, StageCrashError
from stages.frames.config import FramesConfig
from stages.frames.run import make_frames
from stages.frames.stage import STAGE
from tests.fuzz.mutations import PHONE, mutant
from tests.media import pan, write_images


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


def test_a_picture_that_crashes_its_decoder_is_named_and_left_out(tmp_path: Path) -> None:
    """The mutant ends the process of libheif 1.23; others may call it damaged."""
    folder = write_images(tmp_path / "photos", list(pan(np.arange(5) * 8.0)))
    (folder / "0001b.heic").write_bytes(mutant("phone.heic", PHONE.read_bytes(), 10_003_277))
    runner = Runner([STAGE], tmp_path / "run", folder, {"frames": FramesConfig()}, workers=1)
    artifact = runner.run("frames")["frames"]
    table = FrameTable.load(artifact.path("frames.json"))
    lost = {frame.source: frame.reason for frame in table.frames if not frame.name}
    assert list(lost) == ["0001b.heic"]
    assert lost["0001b.heic"].startswith("unreadable: cannot read image 0001b.heic")
    assert len(table.key_frames) == 5
