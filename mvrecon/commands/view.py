"""`mvrecon view`: a run in a browser, while it is made and after."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from mvrecon.options import Commands

log = logging.getLogger(__name__)


def add_commands(commands: Commands) -> None:
    """Declare them."""
    view = commands.add("view", _view, "a run in a browser, also while it is under way")
    view.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    view.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 lets everyone who reaches this machine see the run "
        "(default: 127.0.0.1, this machine only)",
    )
    view.add_argument(
        "--port", type=_port, default=8080, help="0 takes any that is free (default: 8080)"
    )


def _view(options: argparse.Namespace) -> int:
    from mvrecon.export.source import require_package

    require_package("viser", "view", "the viewer")
    from mvrecon.viewer.guard import is_loopback
    from mvrecon.viewer.serve import address, open_viewer, watch

    viewer = open_viewer(options.run_dir, options.host, options.port)
    if not is_loopback(options.host):
        log.warning("everyone who reaches this machine can see the run")
    print(f"open {address(viewer.server)} in a browser; Ctrl+C ends it", flush=True)
    watch(viewer)
    return 0


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 65535")
    return int(text)
