"""Depth of training clips as the depth stage makes it, with its errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mvrecon.synthetic.training.clips.files import (
    ClipDepths,
    PosedClip,
    depths_path,
    load_clip_depths,
    save_clip_depths,
)


@dataclass(frozen=True)
class DepthsOfClips:
    """The depth stage's part in the training of fusion.

    Attributes:
        model: name of the method; what it made is kept under it.
        measure: from a clip to the depth of its frames.
    """

    model: str
    measure: Callable[[PosedClip], ClipDepths]

    def load(self, path: Path, clip: PosedClip) -> ClipDepths:
        """Depth of a clip, measured on the first call and kept beside the clip."""
        stored = depths_path(path, f"stage-{self.model}")
        if not stored.is_file():
            save_clip_depths(stored, self.measure(clip))
        return load_clip_depths(stored)
