"""Who may talk to the viewer: its own page, asked for by a name that is this machine's.

Any page that a browser shows may send requests to 127.0.0.1, and a name of somebody else's may be
made to point there; the headers Host and Origin, which pages cannot choose, tell them apart.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

Answer = Callable[[ServerConnection, Request], Response | None]


@dataclass(frozen=True)
class Guard:
    """What requests are answered.

    Attributes:
        bound_to: name or address that the server listens on.
    """

    bound_to: str

    def refuses(self, headers: Headers) -> str | None:
        """Why a request is refused; None if it is answered."""
        hosts, origins = headers.get_all("Host"), headers.get_all("Origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return "the viewer is not known by this name: open the address that it printed"
        if origins:
            is_own = [origin.lower() for origin in origins] == [f"http://{hosts[0]}".lower()]
            return None if is_own else "only the viewer's own page may talk to it"
        # Browsers send the origin with every WebSocket.
        return "a WebSocket needs an Origin" if headers.get_all("Upgrade") else None

    def before(self, answer: Answer | None) -> Answer:
        """The answer to requests that are not refused."""

        def answered(connection: ServerConnection, request: Request) -> Response | None:
            if reason := self.refuses(request.headers):
                return connection.respond(HTTPStatus.FORBIDDEN, f"{reason}\n")
            return answer(connection, request) if answer else None

        return answered

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this machine; ports may be forwarded, and are not looked at.

        An address cannot be made to point elsewhere, as a name can.
        """
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if is_loopback(self.bound_to):
            return is_loopback(name)
        names = {"localhost", self.bound_to.lower(), socket.gethostname().lower()}
        return name in names or _is_address(name)


def is_loopback(name: str) -> bool:
    """Whether only this machine reaches what listens there."""
    return name == "localhost" or (_is_address(name) and ip_address(name).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
