"""What a running stage is given: the engine's implementation of `StageContext`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Generic, TypeVar

from mvrecon.engine.config import StageConfig
from mvrecon.engine.isolate import run_isolated
from mvrecon.engine.progress import Progress
from mvrecon.engine.stage import StoredItems
from mvrecon.engine.store import PartialArtifact

C = TypeVar("C", bound=StageConfig)
T = TypeVar("T")


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
    ) -> None:
        self.name = name
        self.config = config
        self.inputs = inputs
        self.raw_input = raw_input
        self.workers = workers
        self.out = out

    def make_items(self, names: Sequence[str], make: Callable[[str], None], unit: str) -> None:
        """Call `make` for each missing item in up to `workers` threads."""
        self.out.expect(list(names))
        missing = [name for name in names if not self.out.has(name)]
        done = len(names) - len(missing)
        with Progress(self.name, len(names), unit, done) as progress:
            if self.workers == 1:
                for name in missing:
                    make(name)
                    progress.advance()
            elif missing:
                self._make_in_threads(missing, make, progress)

    def _make_in_threads(
        self, names: Sequence[str], make: Callable[[str], None], progress: Progress
    ) -> None:
        threads = min(self.workers, len(names))
        share = max(1, self.workers // threads)
        waiting = iter(names)
        with (
            native_threads(share),
            ThreadPoolExecutor(threads, initializer=set_torch_threads, initargs=(share,)) as pool,
        ):
            running: set[Future[None]] = set()
            try:
                for _ in range(threads):
                    running.add(pool.submit(make, next(waiting)))
                while running:
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        future.result()
                        progress.advance()
                        if (name := next(waiting, None)) is not None:
                            running.add(pool.submit(make, name))
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
        print(f"  {self.name}: {message}", file=sys.stderr, flush=True)

    def isolated(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a top-level function in a child process."""
        log = self.out.folder.with_suffix(".log")
        return run_isolated(function, arguments, log, f"stage {self.name}")


class native_threads:  # noqa: N801 - a context manager, used like a function
    """While it lasts, OpenCV uses this many threads in each call."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._before = count

    def __enter__(self) -> None:
        import cv2

        self._before = cv2.getNumThreads()
        cv2.setNumThreads(self._count)

    def __exit__(self, *_: object) -> None:
        import cv2

        cv2.setNumThreads(self._before)


def set_torch_threads(count: int) -> None:
    """Let torch use this many threads when called from the current thread."""
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(count)
