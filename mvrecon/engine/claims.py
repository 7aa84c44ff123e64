"""Which process is at which item of a result; the kernel drops a claim with its process.

One byte of one file is locked for each item (POSIX record locks, which network file systems know
too), so that thousands of items cost one open file. All threads of a process share its claims.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# The first byte tells who works in the folder; those of items follow, spread by their names.
FOLDER_BYTE = 0
OFFSET_BYTES = 6
BUSY = (errno.EACCES, errno.EAGAIN)


def claims_path(partial: Path) -> Path:
    """The file for a result in work; stays, as a lock file does."""
    return partial.with_suffix(".claims")


class Claims:
    """The claims of this process on the items of one result.

    Args:
        path: of the file that is locked.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Claims:
        self._file = self._path.open("ab+")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    @contextmanager
    def of(self, name: str) -> Iterator[bool]:
        """Claim an item while the block lasts; False if another process has it."""
        offset = _offset(name)
        try:
            self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB, offset)
        except OSError as error:
            if error.errno not in BUSY:
                raise
            yield False
            return
        try:
            yield True
        finally:
            self._lock(fcntl.LOCK_UN, offset)

    @contextmanager
    def folder(self, alone: bool) -> Iterator[None]:
        """Work in the result's folder with others, or wait until nobody else does."""
        self._lock(fcntl.LOCK_EX if alone else fcntl.LOCK_SH, FOLDER_BYTE)
        try:
            yield
        finally:
            self._lock(fcntl.LOCK_UN, FOLDER_BYTE)

    def _lock(self, how: int, offset: int) -> None:
        assert self._file is not None
        if not self._file.closed:
            fcntl.lockf(self._file, how, 1, offset)


def _offset(name: str) -> int:
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return 1 + int.from_bytes(digest[:OFFSET_BYTES], "big")
