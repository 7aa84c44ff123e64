"""What a running stage is given: the engine's implementation of `StageContext`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from mvrecon.engine.config import StageConfig
from mvrecon.engine.partial import PartialArtifact
from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.engine.progress import Progress
from mvrecon.engine.stage import StoredItems
from mvrecon.engine.store import Artifact
from mvrecon.engine.threads import set_single_torch_thread, single_opencv_thread

C = TypeVar("C", bound=StageConfig)
T = TypeVar("T")

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
        missing = [name for name in names if not self.out.has(name)]
        done = len(names) - len(missing)
        with Progress(self.name, len(names), unit, done) as progress, single_opencv_thread():
            self._make_in_threads(missing, make, progress)

    def _make_in_threads(
        self, names: Sequence[str], make: Callable[[str], None], progress: Progress
    ) -> None:
        waiting = iter(names)
        with ThreadPoolExecutor(self.workers, initializer=set_single_torch_thread) as pool:
            running: set[Future[None]] = set()
            try:
                for name in islice(waiting, self.workers):
                    running.add(pool.submit(make, name))
                while running:
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        future.result()
                        progress.advance()
                        if (next_name := next(waiting, None)) is not None:
                            running.add(pool.submit(make, next_name))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

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
