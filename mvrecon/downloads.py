"""Files fetched from elsewhere, only when asked for: verified, resumable, kept in the cache."""

from __future__ import annotations

import http.client
import logging
import os
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from mvrecon.engine import lock
from mvrecon.engine.hashing import hash_file
from mvrecon.engine.progress import Progress
from mvrecon.errors import InputError, MvreconError, UsageError

# Overrides the folder of the user's cache.
CACHE_VARIABLE = "MVRECON_CACHE"
LEAST_HASH_DIGITS = 8
TIMEOUT_S = 30.0
CHUNK_BYTES = 1 << 18
# Plain http cannot be tampered with on the way within one machine.
THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
PARTIAL_CONTENT = 206
RANGE_NOT_SATISFIABLE = 416

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be fetched.

    Attributes:
        url: https, or http on this machine.
        sha256: hex, in full or its first digits where no more is published.
    """

    url: str
    sha256: str

    def __post_init__(self) -> None:
        if len(self.sha256) < LEAST_HASH_DIGITS:
            raise ValueError(
                f"{self.url}: a sha256 of {LEAST_HASH_DIGITS} digits or more is needed"
            )

    @property
    def cache_path(self) -> Path:
        """Where it is kept once it is fetched."""
        name = PurePosixPath(urlsplit(self.url).path).name
        return user_cache() / "downloads" / self.sha256[:LEAST_HASH_DIGITS] / name


class DownloadError(MvreconError):
    """A server that cannot be reached or that breaks off."""


def user_cache() -> Path:
    """The folder of the user's cache, by the custom of the operating system."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mvrecon"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mvrecon"


def fetched(remote: RemoteFile) -> Path | None:
    """The file, if it was fetched before."""
    return remote.cache_path if remote.cache_path.is_file() else None


def fetch(remote: RemoteFile) -> Path:
    """Fetch the file, unless it is there; goes on where an earlier try broke off.

    It appears under its name at once, when it is complete and its hash is right.

    Raises:
        UsageError: the address is neither https nor on this machine.
        DownloadError: the server cannot be reached or breaks off; what came is kept.
        InputError: the content is not what was promised; it is deleted.
    """
    target = remote.cache_path
    partial = target.with_name(f"{target.name}.partial")
    lock_path = target.with_name(f"{target.name}.lock")

    def on_wait() -> None:
        log.info("another process fetches %s; waiting", target.name)

    with lock.exclusive(lock_path, on_wait):
        if target.is_file():
            return target
        _download(remote.url, partial)
        sha256 = hash_file(partial)
        if not sha256.startswith(remote.sha256.lower()):
            partial.unlink()
            raise InputError(
                f"{remote.url} has sha256 {sha256}, expected {remote.sha256}",
                "It was deleted. Try again; if this stays so, the file was replaced: do not use it",
            )
        partial.replace(target)
    return target


def _download(url: str, partial: Path) -> None:
    """Append what is missing to `partial`."""
    _require_safe(url)
    have = partial.stat().st_size if partial.exists() else 0
    try:
        with _open(url, have) as response:
            if response.status != PARTIAL_CONTENT:
                have = 0  # the server sends all of it
            _receive(response, partial, have)
    except urllib.error.HTTPError as error:
        if error.code != RANGE_NOT_SATISFIABLE or not have:
            raise DownloadError(f"{url}: {error}", "Check the address, or try later") from error
        # All of it was there, or more than that: then the hash tells.
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(
            f"{url} broke off or cannot be reached ({error})",
            "Go on with the same command: what came is kept",
        ) from error


def _open(url: str, offset: int) -> http.client.HTTPResponse:
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(_SafeRedirects)
    response: http.client.HTTPResponse = opener.open(request, timeout=TIMEOUT_S)
    return response


def _receive(response: http.client.HTTPResponse, partial: Path, offset: int) -> None:
    left = response.headers.get("Content-Length")
    total = offset + int(left) if left else None
    with (
        partial.open("ab" if offset else "wb") as file,
        Progress(partial.stem, total, "byte", offset) as progress,
    ):
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            progress.advance(len(chunk))
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    if total is not None and size < total:
        raise ConnectionError(f"{size} of {total} bytes came")


def _require_safe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in THIS_MACHINE):
        raise UsageError(f"{url} is not https", "Files are fetched over https only")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirection to where the content could be tampered with."""

    def redirect_request(  # noqa: PLR0917 (the signature is the library's)
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Refuse, or do what is usual."""
        _require_safe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
