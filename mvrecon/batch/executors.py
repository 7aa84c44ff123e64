"""Where the runs of a batch are made: in processes here, or on a cluster.

What travels are names and options, never arrays: the batch's folder is the only truth. Where there
are fewer runs left than workers, those without one help with the runs of the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from mvrecon.batch.jobs import Job, Outcome, help_job, run_job
from mvrecon.errors import MvreconError, UsageError

# Of a job whose worker died under it, before it is given up.
RETRIES = 3
EXTRA = 'pip install "mvrecon[cluster]"'


class Idle:
    """Chooses the runs that workers without one of their own help with.

    Args:
        jobs: all runs of the batch.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._helpers = {job.name: 0 for job in jobs}
        self._jobs = {job.name: job for job in jobs}

    def ended(self, name: str) -> None:
        """A run has its outcome; its helpers go by themselves."""
        self._helpers.pop(name, None)

    def to_help(self, workers: int) -> Iterator[tuple[Job, int]]:
        """Runs to help with, fewest helpers first, and which helper of theirs it is."""
        while self._helpers and len(self._helpers) + sum(self._helpers.values()) < workers:
            name = min(self._helpers, key=self._helpers.__getitem__)
            self._helpers[name] += 1
            yield self._jobs[name], self._helpers[name]


def run_in_processes(jobs: Sequence[Job], at_once: int, helping: bool = True) -> Iterator[Outcome]:
    """Run jobs on this machine, each in a process of its own; outcomes as they come.

    Args:
        jobs: what to run.
        at_once: so many at a time.
        helping: whether more processes work on a run where fewer runs than that are left.
    """
    idle = Idle(jobs)
    with ThreadPoolExecutor(at_once) as pool:
        try:
            running: set[Future[Outcome]] = {pool.submit(run_job, job) for job in jobs}
            while running:
                for job, number in idle.to_help(at_once) if helping else ():
                    pool.submit(help_job, job, number)
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    idle.ended(future.result().name)
                    yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_on_dask(
    jobs: Sequence[Job],
    scheduler: str | None,
    at_once: int,
    helping: bool = True,
    run: Callable[[Job], Outcome] = run_job,
) -> Iterator[Outcome]:
    """Run jobs on the workers of a Dask cluster; outcomes as they come.

    A job whose worker dies is begun again elsewhere, and goes on from what it had finished.

    Args:
        jobs: what to run; their folder has to be the same for all workers.
        scheduler: its address, or None for workers on this machine.
        at_once: so many workers on this machine.
        helping: whether workers without a run help with those of others.
        run: what a worker does with a job.

    Raises:
        UsageError: `distributed` is missing, or there is no scheduler.
        MvreconError: the scheduler was lost.
    """
    try:
        from distributed import Client, LocalCluster, fire_and_forget
        from distributed import as_completed as as_dask_completes
    except ImportError as error:
        raise UsageError("Dask is not installed", f"Install it with: {EXTRA}") from error
    try:
        if scheduler is None:
            client = Client(
                LocalCluster(at_once, threads_per_worker=1, dashboard_address="127.0.0.1:0")
            )
        else:
            client = Client(scheduler)
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {scheduler}", "Start one with: dask scheduler"
        ) from error
    # What it says of a lost connection, page after page, is told here in one line.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    idle = Idle(jobs)
    with client:

        def help_others() -> None:
            for job, number in idle.to_help(sum(client.nthreads().values())) if helping else ():
                fire_and_forget(client.submit(help_job, job, number, pure=False, priority=-1))

        futures = client.map(
            run, jobs, key=[f"mvrecon-{job.name}" for job in jobs], pure=False, retries=RETRIES
        )
        help_others()
        for future in as_dask_completes(futures):
            if future.cancelled() or future.status == "lost":
                raise MvreconError("the Dask scheduler was lost", "Run the same batch again")
            failed = future.status == "error"
            outcome = _given_up(future.key, future.exception()) if failed else future.result()
            idle.ended(outcome.name)
            help_others()
            yield outcome


def _given_up(key: str, error: BaseException | None) -> Outcome:
    name = str(key).removeprefix("mvrecon-")
    return Outcome(name, 1, f"the worker was lost: {error}", 0.0, 0.0, 0, "")
