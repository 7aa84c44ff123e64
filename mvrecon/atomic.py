"""Files that are either the old ones or the new ones, whoever else writes them."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY_PREFIX = ".writing-"
_HOST = "".join(character for character in platform.node() if character.isalnum())[:32] or "host"


def writer() -> str:
    """Name of this process among those of all machines that may write to a folder."""
    return f"{_HOST}-{os.getpid()}"


@contextmanager
def replacing(path: Path, sync: bool = False) -> Iterator[Path]:
    """A path to write, which replaces `path` in one step when the block ends without error.

    Its name is of this process and thread alone, so that several may write the same file,
    and it keeps the ending.

    Args:
        path: the file to make or replace, in a folder that exists.
        sync: have the content on the disk before the name.
    """
    name = f"{TEMPORARY_PREFIX}{writer()}-{threading.get_ident()}-{path.name}"
    temporary = path.with_name(name)
    try:
        yield temporary
        if sync:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, sync: bool = False) -> None:
    """Write a text file (UTF-8), replacing what is there in one step."""
    with replacing(path, sync) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_leftovers(folder: Path) -> None:
    """Delete what killed processes of this machine left half written, directly in a folder."""
    for path in folder.glob(f"{TEMPORARY_PREFIX}{_HOST}-*"):
        process = path.name.removeprefix(f"{TEMPORARY_PREFIX}{_HOST}-").partition("-")[0]
        if process.isdigit() and not _is_alive(int(process)):
            path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True
