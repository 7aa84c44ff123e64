"""The web server: viser's, bound where it was asked to, behind the guard."""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Iterator
from typing import Any

import viser
import websockets.asyncio.server

from mvrecon.errors import MvreconError, UsageError
from mvrecon.viewer.guard import Guard


class Server(viser.ViserServer):
    """A server of viser without its way out: a client may ask for a tunnel to a public address."""

    def request_share_url(self, verbose: bool = True) -> str | None:
        """None: a run is shown on this machine only."""
        del verbose
        return None

    def stop(self) -> None:
        """Stop, and say nothing of it."""
        with contextlib.redirect_stdout(io.StringIO()):
            super().stop()


def start_server(host: str, port: int) -> Server:
    """Serve on this address, to the guard's terms.

    Args:
        host: name or address to listen on.
        port: 0 for any that is free.

    Raises:
        UsageError: the address or port cannot be had.
    """
    _require_free(host, port)
    with _guarded(Guard(host)) as guarded, contextlib.redirect_stdout(io.StringIO()):
        server = Server(host=host, port=port, verbose=False)
    if not guarded:
        server.stop()
        raise MvreconError(
            f"viser {viser.__version__} starts its server in a way that cannot be guarded",
            "Install the version that stands in constraints.txt",
        )
    server.gui.configure_theme(show_share_button=False, show_logo=False, control_width="large")
    return server


@contextlib.contextmanager
def _guarded(guard: Guard) -> Iterator[list[bool]]:
    """Within this block, servers of `websockets` are guarded: viser has no place to say so.

    Yields:
        An entry for each server that was.
    """
    serve, guarded = websockets.asyncio.server.serve, []

    def guarded_serve(*args: Any, process_request: Any = None, **settings: Any) -> Any:
        guarded.append(True)
        return serve(*args, process_request=guard.before(process_request), **settings)

    module: Any = websockets.asyncio.server
    module.serve = guarded_serve
    try:
        yield guarded
    finally:
        module.serve = serve


def _require_free(host: str, port: int) -> None:
    """Refuse an address that cannot be bound: viser would try other ports for ever."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(
            f"cannot listen on {host}, port {port} ({error})",
            "Choose another with --host and --port; --port 0 takes any that is free",
        ) from error
