"""Making items of a result that another process is to finish."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from mvrecon.engine import lock
from mvrecon.engine.claims import Claims, claims_path
from mvrecon.engine.config import StageConfig
from mvrecon.engine.context import RunContext
from mvrecon.engine.keys import Key
from mvrecon.engine.partial import PartialArtifact
from mvrecon.engine.stage import Stage
from mvrecon.engine.store import Store

C = TypeVar("C", bound=StageConfig)
T = TypeVar("T")

# Between two looks at what the other process is at.
LOOK_EVERY_S = 0.5


class NothingLeftToHelpError(Exception):
    """What comes next is for the process that holds the result's lock."""


class JoinedArtifact(PartialArtifact):
    """The folder that another process works in: items may be added, nothing else.

    Args:
        folder: which is there, and stays while it is claimed.
    """

    def __init__(self, folder: Path) -> None:
        self._open(folder)
        self.is_making_items = False

    def write(self, name: str, save: Callable[[Path], None]) -> None:
        """Store one of the items that are made side by side; others must be there."""
        if self.is_making_items:
            super().write(name, save)
        elif not self.has(name):
            raise NothingLeftToHelpError


class Helper(RunContext[C]):
    """The context of a stage of which only those items are made that are missing.

    Args:
        out: the folder in work.
        claims: of this process, which has claimed the folder.
        given: as for the other process.
    """

    out: JoinedArtifact

    def __init__(self, out: JoinedArtifact, claims: Claims, **given: Any) -> None:
        super().__init__(out=out, **given)
        self._claims = claims

    def make_items(self, names: Sequence[str], make: Callable[[str], None], unit: str) -> None:
        """Make what is missing; the end, if anything was."""
        if all(self.out.has(name) for name in names):
            return
        self.out.is_making_items = True
        self.make_missing(names, make, unit, self._claims)
        raise NothingLeftToHelpError

    def track(self, items: Iterable[T], unit: str, total: int | None = None) -> Iterator[T]:
        """Work that is not shared."""
        raise NothingLeftToHelpError

    def isolated(self, function: Callable[..., T], *arguments: Any) -> T:
        """Work that is not shared."""
        raise NothingLeftToHelpError


def help_while_locked(
    store: Store, stage: Stage[C], key: Key, run: Callable[[JoinedArtifact, Claims], None]
) -> None:
    """Make items of a result for as long as another process holds its lock.

    Args:
        store: of the run directory.
        stage: whose `shares_items` is set.
        key: of the result.
        run: runs the stage with a `Helper` of these.
    """
    helped: set[tuple[str, ...]] = set()
    folder = store.partial_folder(stage.name, key)
    while lock.is_held(store.lock_path(stage.name, key)):
        there, expected = store.partial_progress(stage.name, key) or (0, 0)
        names = store.expected_items(stage.name, key)
        if there == expected or names in helped:
            time.sleep(LOOK_EVERY_S)
            continue
        helped.add(names)
        # Who holds the result's lock does not finish it before the folder is left.
        with Claims(claims_path(folder)) as claims, claims.folder(alone=False):
            if folder.is_dir():
                with suppress(NothingLeftToHelpError):
                    run(JoinedArtifact(folder), claims)
