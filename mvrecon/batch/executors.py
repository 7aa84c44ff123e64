"""Where the runs of a batch are made: one after the other, in processes here, on a cluster.

What travels are names and options, never arrays: the batch's folder is the only truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from mvrecon.batch.jobs import Job, Outcome, run_job
from mvrecon.errors import MvreconError, UsageError

# Of a job whose worker died under it, before it is given up.
RETRIES = 3
EXTRA = 'pip install "mvrecon[cluster]"'


def run_in_processes(jobs: Sequence[Job], at_once: int) -> Iterator[Outcome]:
    """Run jobs on this machine, each in a process of its own; outcomes as they come.

    Args:
        jobs: what to run.
        at_once: so many at a time.
    """
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for future in as_completed([pool.submit(run_job, job) for job in jobs]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_on_dask(
    jobs: Sequence[Job],
    scheduler: str | None,
    at_once: int,
    run: Callable[[Job], Outcome] = run_job,
) -> Iterator[Outcome]:
    """Run jobs on the workers of a Dask cluster; outcomes as they come.

    A job whose worker dies is begun again elsewhere, and goes on from what it had finished.

    Args:
        jobs: what to run; their folder has to be the same for all workers.
        scheduler: its address, or None for workers on this machine.
        at_once: so many workers on this machine.
        run: what a worker does with a job.

    Raises:
        UsageError: `distributed` is missing, or there is no scheduler.
        MvreconError: the scheduler was lost.
    """
    try:
        from distributed import Client, LocalCluster
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
    with client:
        futures = client.map(
            run, jobs, key=[f"mvrecon-{job.name}" for job in jobs], pure=False, retries=RETRIES
        )
        for future in as_dask_completes(futures):
            if future.cancelled() or future.status == "lost":
                raise MvreconError("the Dask scheduler was lost", "Run the same batch again")
            if future.status == "error":
                yield _given_up(future.key, future.exception())
            else:
                yield future.result()


def _given_up(key: str, error: BaseException | None) -> Outcome:
    name = str(key).removeprefix("mvrecon-")
    return Outcome(name, 1, f"the worker was lost: {error}", 0.0, 0.0, 0, "")
