"""Who is answered: the viewer's own page, under this machine's names, and nobody else."""

from __future__ import annotations

import http.client
import socket

import pytest
import viser
import websockets.asyncio.server
from viser import _messages
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from mvrecon.errors import MvreconError, UsageError
from mvrecon.viewer import server as server_module
from mvrecon.viewer.guard import Guard
from mvrecon.viewer.server import start_server

SOCKET = {"Upgrade": "websocket"}


@pytest.fixture(scope="module")
def server():
    started = start_server("127.0.0.1", 0)
    yield started
    started.stop()


def get(server, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.get_port(), timeout=10)
    connection.request("GET", "/", headers=headers)
    return connection.getresponse().status


def handshake(server, **settings):
    address = f"ws://127.0.0.1:{server.get_port()}"
    with connect(address, subprotocols=[f"viser-v{viser.__version__}"], **settings) as client:
        return len(client.recv(timeout=10))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.1:9", "[::1]:8080"])
def test_this_machine_is_answered_by_its_names(server, host):
    assert get(server, Host=host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.7", "localhost@evil.example", "["]
)
def test_other_names_are_refused(server, host):
    assert get(server, Host=host) == 403


def test_pages_of_others_are_refused(server):
    own = f"127.0.0.1:{server.get_port()}"
    assert get(server, Host=own, Origin=f"http://{own}") == 200
    for origin in ("http://evil.example", "http://127.0.0.1:1", f"https://{own}", "null"):
        assert get(server, Host=own, Origin=origin) == 403


def test_a_websocket_is_for_the_own_page_only(server):
    assert handshake(server, origin=f"http://127.0.0.1:{server.get_port()}") > 0
    for origin in ("http://evil.example", None):
        with pytest.raises(InvalidStatus, match="403"):
            handshake(server, origin=origin)


def test_a_request_with_two_hosts_or_none_is_refused():
    guard = Guard("127.0.0.1")
    assert guard.refuses(Headers([("Host", "localhost"), ("Host", "localhost")]))
    assert guard.refuses(Headers())
    assert guard.refuses(Headers(Host="localhost")) is None
    assert guard.refuses(Headers(Host="localhost", **SOCKET))


def test_a_server_for_others_is_known_by_addresses_and_its_own_name():
    guard = Guard("0.0.0.0")
    for host in ("192.168.0.7:8080", "localhost", socket.gethostname()):
        assert guard.refuses(Headers(Host=host)) is None, host
    assert Guard("scanner.lan").refuses(Headers(Host="Scanner.lan:8080")) is None
    assert guard.refuses(Headers(Host="evil.example"))
    own = {"Host": "192.168.0.7:8080", "Origin": "http://evil.example"}
    assert guard.refuses(Headers(own))


def test_only_this_machine_reaches_it(server):
    bound = server._websock_server._live_connections, server.get_host()
    assert bound[1] == "127.0.0.1"
    with socket.socket() as other:
        other.bind(("127.0.0.2", server.get_port()))  # free, so not every address is taken


def test_nobody_opens_a_tunnel_to_it(server, monkeypatch):
    monkeypatch.setattr(viser._viser, "ViserTunnel", lambda *_: pytest.fail("a tunnel"))
    handlers = server._websock_server._incoming_handlers[_messages.ShareUrlRequest]
    assert handlers
    assert server.request_share_url() is None


def test_an_address_that_cannot_be_had_is_told(server):
    for host, port in (("127.0.0.1", server.get_port()), ("203.0.113.9", 0), ("no.such.host.", 0)):
        with pytest.raises(UsageError, match="cannot listen on"):
            start_server(host, port)


def test_a_server_that_would_not_be_guarded_is_not_started(monkeypatch):
    plain = websockets.asyncio.server.serve

    class Other(server_module.Server):
        def __init__(self, **settings):
            module = websockets.asyncio.server
            guarded, module.serve = module.serve, plain
            super().__init__(**settings)
            module.serve = guarded

    monkeypatch.setattr(server_module, "Server", Other)
    with pytest.raises(MvreconError, match="cannot be guarded"):
        start_server("127.0.0.1", 0)
    assert websockets.asyncio.server.serve is plain
