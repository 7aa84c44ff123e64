"""Masks that a person gives: what of each picture is to be left out.

White is kept, black is left out, as COLMAP, nerfstudio and most tools for it have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import UsageError
from mvrecon.formats.images import list_images, read_alpha, read_grey, text_name
from mvrecon.geometry.resize import resize_by_area

LEVEL = 128  # from which on a pixel of a mask, or of an alpha channel, is kept


class Masks:
    """The masks of a folder by what they are named after; without one, the images' own alpha.

    Args:
        folder: of the masks, or None.
        images: folder of the images, or None for a video.
    """

    def __init__(self, folder: Path | None, images: Path | None) -> None:
        self._folder = folder
        self._images = images
        self._files: Mapping[str, Path] = {}
        if folder is not None:
            self._files = {path.stem.casefold(): path for path in list_images(folder)}
        self._own: Mapping[str, Path] = {}
        if folder is None and images is not None:
            self._own = {text_name(path): path for path in list_images(images)}
        self._numbered = {int(name): path for name, path in self._files.items() if name.isdecimal()}

    def require_any(self, sources: Sequence[str]) -> None:
        """Check that masks belong to the frames.

        Raises:
            UsageError: none of them does.
        """
        if self._folder is not None and not any(map(self._file, sources)):
            named = "its number" if self._images is None else "the image"
            raise UsageError(
                f"--masks {self._folder} has a mask for none of the frames, the first is "
                f"{sources[0]}",
                f"Name each mask after {named}: {Path(sources[0]).stem}.png",
            )

    def kept(self, source: str, size_wh: tuple[int, int]) -> NDArray[np.bool_] | None:
        """What is kept of a frame (h, w); None if all is.

        Args:
            source: file name of the image, or number of the video's frame.
            size_wh: at which it is stored.

        Raises:
            InputError: the mask cannot be read.
        """
        if path := self._file(source):
            levels_hw = read_grey(path)
        elif self._folder is None and self._images is not None:
            alpha_hw = read_alpha(self._own[source])
            if alpha_hw is None:
                return None
            levels_hw = alpha_hw
        else:
            return None
        kept_hw = np.asarray(resize_by_area(levels_hw, size_wh) >= LEVEL)
        return None if kept_hw.all() else kept_hw

    def _file(self, source: str) -> Path | None:
        """The mask named as the image, with or without its suffix, or by the frame's number."""
        stem = Path(source).stem.casefold()
        for name in (source.casefold(), stem):
            if name in self._files:
                return self._files[name]
        return self._numbered.get(int(source)) if self._images is None else None
