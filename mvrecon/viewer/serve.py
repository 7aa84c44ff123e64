"""From a run directory to an address that shows it."""

from __future__ import annotations

import time
from pathlib import Path

from mvrecon.errors import UsageError
from mvrecon.run_dir import RunRecord
from mvrecon.viewer.server import Server, start_server
from mvrecon.viewer.state import STAGES
from mvrecon.viewer.viewer import Viewer

# Looks at seven folders; a stage takes longer than this.
POLL_S = 1.0


def open_viewer(run_dir: Path, host: str, port: int) -> Viewer:
    """A viewer of what the run has made so far.

    Args:
        run_dir: of `mvrecon run` or `mvrecon volume`.
        host: name or address to listen on.
        port: 0 for any that is free.

    Raises:
        UsageError: this is not a run directory, or the address cannot be had.
    """
    command = RunRecord.load(run_dir).command
    if command not in STAGES:
        raise UsageError(f"{run_dir} is of mvrecon {command}", "View one of mvrecon run")
    viewer = Viewer(start_server(host, port), run_dir, command)
    viewer.update()
    return viewer


def address(server: Server) -> str:
    """What to open in a browser."""
    host = server.get_host()
    name = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{server.get_port()}"


def watch(viewer: Viewer) -> None:
    """Show what the run makes, until interrupted."""
    try:
        while True:
            time.sleep(POLL_S)
            viewer.update()
    finally:
        viewer.server.stop()
