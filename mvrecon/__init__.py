"""Video or photos in; cameras, dense depth, a coloured mesh and a report out."""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mvrecon.api import Run, open_run, run

__all__ = ["Run", "__version__", "open_run", "run"]

__version__ = "0.1.0"

# Silent in other people's programs, until they ask for it; the command line shows it.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    """`run`, `open_run` and `Run`, imported when they are asked for: `import mvrecon` is cheap."""
    if name in ("Run", "open_run", "run"):
        return getattr(import_module("mvrecon.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
