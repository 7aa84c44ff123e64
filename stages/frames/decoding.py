"""Decoding in a child process: a picture that ends it is found, named and left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mvrecon.engine.stage import StageContext
from mvrecon.errors import InputError, OutOfMemoryError, StageCrashError

if TYPE_CHECKING:
    from stages.frames.config import FramesConfig

T = TypeVar("T")

# So many are looked for; a folder of more holds nothing worth it.
MOST_CRASHING = 20
NOTE = "reading.txt"


def decoding(
    context: StageContext[FramesConfig], function: Callable[..., T], path: Path, *arguments: Any
) -> T:
    """Call what decodes in a child process, without the pictures that crash or hang it.

    Args:
        context: of the stage.
        function: at the top of its module; its first argument is the path.
        path: of the input.
        arguments: the others.

    Raises:
        InputError: a decoder crashes whatever is left out.
    """
    try:
        return context.isolated(function, path, *arguments)
    except OutOfMemoryError:
        raise
    except StageCrashError as error:
        crash = error
    crashing = _crashing_pictures(context, path) if path.is_dir() else []
    if crashing:
        result: T = context.isolated(_call_without, crashing, function, path, *arguments)
        return result
    raise InputError(
        f"{path.name} ends its decoder ({crash.what})",
        "Export it again with another program, or take the damaged pictures away",
    ) from crash


def _crashing_pictures(context: StageContext[FramesConfig], folder: Path) -> list[Path]:
    """Each picture is decoded until one ends the child process; then those after it."""
    from mvrecon.formats.images import list_images

    note = context.out.scratch() / NOTE
    left, crashing = list_images(folder), list[Path]()
    while left and len(crashing) < MOST_CRASHING:
        note.write_text("0")
        try:
            context.isolated(_decode_each, left, note)
            break
        except OutOfMemoryError:
            raise
        except StageCrashError:
            number = int(note.read_text())
            crashing.append(left[number])
            left = left[number + 1 :]
    return crashing


def _decode_each(paths: Sequence[Path], note: Path) -> None:
    """Decode pictures; the note tells at which one this is."""
    from mvrecon.formats.images import read_alpha, read_header, read_rgb

    for number, path in enumerate(paths):
        note.write_text(str(number))
        try:
            read_header(path)
            read_rgb(path)
            read_alpha(path)
        except InputError:
            continue


def _call_without(
    crashing: Sequence[Path], function: Callable[..., T], path: Path, *arguments: Any
) -> T:
    from mvrecon.formats import pictures

    pictures.refuse(crashing)
    return function(path, *arguments)
