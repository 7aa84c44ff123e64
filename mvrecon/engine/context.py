"""What a running stage is given: the engine's implementation of `StageContext`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from mvrecon.engine.claims import Claims, claims_path
from mvrecon.engine.config import StageConfig
from mvrecon.engine.partial import PartialArtifact
from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.engine.progress import Progress
from mvrecon.engine.stage import StoredItems
from mvrecon.engine.store import Artifact
from mvrecon.engine.threads import set_single_torch_thread, single_opencv_thread

C = TypeVar("C", bound=StageConfig)
T = TypeVar("T")

# Until items that another process is at are looked for again.
BUSY_S = 0.1

log = logging.getLogger(__name__)


class RunContext(Generic[C]):
    """Implements `mvrecon.engine.stage.StageContext`, where the members are described."""

    def __init__(
        self,
        *,
        name: str,
        config: C,
        inputs: Mapping[str, StoredItems],
        raw_input: Path,
        workers: int,
        out: PartialArtifact,
        earlier: Artifact | None = None,
        more_inputs: Sequence[Path] = (),
    ) -> None:
        self.name = name
        self.config = config
        self.inputs = inputs
        self.raw_input = raw_input
        self.more_inputs = more_inputs
        self.workers = workers
        self.out = out
        self.earlier = earlier

    @property
    def raw_inputs(self) -> Sequence[Path]:
        """All that the user gave."""
        return (self.raw_input, *self.more_inputs)

    def make_items(self, names: Sequence[str], make: Callable[[str], None], unit: str) -> None:
        """Call `make` for each missing item in up to `workers` threads."""
        self.out.expect(list(names))
        with Claims(claims_path(self.out.folder)) as claims:
            self.make_missing(names, make, unit, claims)

    def make_missing(
        self, names: Sequence[str], make: Callable[[str], None], unit: str, claims: Claims
    ) -> None:
        """Make the items that are not there and that no other process makes; wait for those."""

        def make_one(name: str) -> bool:
            with claims.of(name) as is_ours:
                if is_ours and not self.out.has(name):
                    make(name)
            return is_ours

        missing = [name for name in names if not self.out.has(name)]
        done = len(names) - len(missing)
        with Progress(self.name, len(names), unit, done) as progress, single_opencv_thread():
            while missing := self._make_in_threads(missing, make_one, progress):
                time.sleep(BUSY_S)

    def _make_in_threads(
        self, names: Sequence[str], make: Callable[[str], bool], progress: Progress
    ) -> list[str]:
        """Make items; those that another process is at."""
        waiting, elsewhere = iter(names), []
        with ThreadPoolExecutor(self.workers, initializer=set_single_torch_thread) as pool:
            running: dict[Future[bool], str] = {}
            try:
                for name in islice(waiting, self.workers):
                    running[pool.submit(make, name)] = name
                while running:
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        name = running.pop(future)
                        if future.result():
                            progress.advance()
                        else:
                            elsewhere.append(name)
                        if (next_name := next(waiting, None)) is not None:
                            running[pool.submit(make, next_name)] = next_name
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return elsewhere

    def track(self, items: Iterable[T], unit: str, total: int | None = None) -> Iterator[T]:
        """Iterate with a progress bar."""
        if total is None and isinstance(items, Sequence):
            total = len(items)
        with Progress(self.name, total, unit) as progress:
            for item in items:
                yield item
                progress.advance()

    def say(self, message: str) -> None:
        """One line for the person who watches."""
        log.info("  %s: %s", self.name, message)

    def isolated(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a top-level function in a child process."""
        log = self.out.folder.with_suffix(".log")
        return run_isolated(function, arguments, log, self.name)
