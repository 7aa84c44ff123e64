from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mvrecon.downloads import DownloadError, RemoteFile, fetch, fetched
from mvrecon.errors import InputError, UsageError
from tests.servers import FileServer, serving

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MVRECON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(CONTENT) as running:
        yield running


def kept(cache: Path) -> list[str]:
    return [p.name for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock"]


@pytest.mark.parametrize("digits", [64, 8])
def test_a_file_is_fetched_once(server: FileServer, cache: Path, digits: int):
    remote = RemoteFile(server.url, SHA256[:digits])
    assert fetched(remote) is None
    path = fetch(remote)
    assert path.read_bytes() == CONTENT
    assert cache in path.parents
    assert fetch(remote) == fetched(remote) == path
    assert len(server.asked) == 1
    assert kept(cache) == ["weights.pth"]


def test_a_wrong_hash_is_refused_and_nothing_stays(server: FileServer, cache: Path):
    remote = RemoteFile(server.url, "0" * 64)
    with pytest.raises(InputError, match=f"has sha256 {SHA256}, expected 0000"):
        fetch(remote)
    assert fetched(remote) is None
    assert kept(cache) == []


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_it_goes_on_where_the_server_broke_off(server: FileServer, cache: Path, knows_ranges: bool):
    server.breaks_after, server.knows_ranges = 100_000, knows_ranges
    remote = RemoteFile(server.url, SHA256)
    with pytest.raises(DownloadError, match="broke off"):
        fetch(remote)
    assert fetched(remote) is None
    assert kept(cache) == ["weights.pth.partial"]
    assert fetch(remote).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]
    assert kept(cache) == ["weights.pth"]


def test_a_complete_partial_file_is_only_verified(server: FileServer):
    remote = RemoteFile(server.url, SHA256)
    partial = remote.cache_path.with_name("weights.pth.partial")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(CONTENT)
    assert fetch(remote).read_bytes() == CONTENT


def test_a_damaged_partial_file_is_noticed_and_fetched_anew(server: FileServer):
    remote = RemoteFile(server.url, SHA256)
    partial = remote.cache_path.with_name("weights.pth.partial")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"x" * 1000)
    with pytest.raises(InputError, match="sha256"):
        fetch(remote)
    assert fetch(remote).read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["http://example.org/w.pth", "ftp://127.0.0.1/w.pth", "/etc/motd"])
def test_what_is_not_https_is_refused(url: str):
    with pytest.raises(UsageError, match="not https"):
        fetch(RemoteFile(url, SHA256))


def test_a_redirection_to_what_is_not_https_is_refused(server: FileServer):
    server.redirect = "http://example.org/weights.pth"
    with pytest.raises(UsageError, match=r"example\.org.* is not https"):
        fetch(RemoteFile(server.url, SHA256))


def test_a_server_that_is_not_there_is_one_line():
    with serving(CONTENT) as gone:
        url = gone.url
    with pytest.raises(DownloadError, match="cannot be reached"):
        fetch(RemoteFile(url, SHA256))


def test_a_hash_too_short_to_mean_anything_is_a_mistake():
    with pytest.raises(ValueError, match="sha256"):
        RemoteFile("https://example.org/w.pth", "abc")
