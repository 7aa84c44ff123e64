"""Imported by every Python process that finds it: refuses the network and writes down who asked.

For tests; `tests/network.py` puts it on the path of children.
"""

import os
import socket
import sys

LOG = "MVRECON_TEST_NETWORK_LOG"
ASKING = {"socket.connect", "socket.sendto", "socket.sendmsg"}
NAMING = {"socket.getaddrinfo", "socket.gethostbyname", "urllib.Request", "http.client.connect"}


def refuse(event: str, arguments: tuple) -> None:
    """An audit hook; it cannot be removed, so it heeds the log's name only while there is one."""
    log = os.environ.get(LOG)
    if not log or event not in ASKING | NAMING:
        return
    if event in ASKING and arguments[0].family == socket.AF_UNIX:
        return
    with open(log, "a") as file:  # noqa: PTH123 - pathlib may not be loaded yet
        file.write(f"{event} {arguments[1:]}\n")
    raise OSError(f"a test forbids the network: {event}")


if os.environ.get(LOG):
    sys.addaudithook(refuse)
