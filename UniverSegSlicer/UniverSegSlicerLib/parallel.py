"""Where units of work run: processes on this machine, or a Dask or Ray cluster, all through joblib."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

from .errors import DependencyError, InputError, UniverSegError

BACKENDS = ("loky", "dask", "ray")
# Seconds in which a scheduler must answer.
_PATIENCE = 15
# Names of what joblib and the clusters raise when a process that works is killed.
_LOST = (
    "TerminatedWorkerError",
    "BrokenProcessPool",
    "KilledWorker",
    "CommClosedError",
    "RayActorError",
    "ActorDiedError",
    "WorkerCrashedError",
    "FutureCancelledError",
)


class WorkerLost(UniverSegError):
    """A process that worked was killed, or the machine that it ran on is gone."""


def run_parallel(
    function: Callable[..., Any],
    arguments: Sequence[tuple[Any, ...]],
    jobs: int,
    backend: str,
    *,
    scheduler: str | None = None,
    ordered: bool = True,
) -> Iterator[Any]:
    """Call ``function(*arguments[i])`` for every i and yield the results as they come.

    Args:
        function: Can be pickled.
        arguments: Of each call.
        jobs: Parallel workers; 1 with "loky" is this process itself.
        backend: "loky" (processes here), "dask" or "ray" (a cluster).
        scheduler: Address of a cluster that runs already; by default the one that the program is connected to, or one
            that is started on this machine for the time of the work.
        ordered: Yield in the order of the arguments, or as soon as something is done.

    Raises:
        InputError: An unknown backend, a number of jobs below 1, an address that nothing answers at.
        DependencyError: The package of the backend is not installed.
        WorkerLost: A worker was killed; what was yielded is done.
    """
    if backend not in BACKENDS:
        raise InputError(f"backend is {backend!r}; choose one of {', '.join(BACKENDS)}.", argument="backend")
    if jobs < 1:
        raise InputError(f"jobs is {jobs}; give 1 or more.", argument="jobs")
    if scheduler is not None and backend == "loky":
        raise InputError(
            f"scheduler is {scheduler}, and the backend loky has none: give the backend dask or ray.",
            argument="scheduler",
        )
    if not arguments:
        return
    if jobs == 1 and backend == "loky":
        for args in arguments:
            yield function(*args)
        return
    joblib = _import("joblib", "joblib")
    calls = [joblib.delayed(function)(*args) for args in arguments]
    with _context(backend, jobs, scheduler), _telling_lost_workers():
        if backend == "ray":
            # joblib's bridge to Ray returns lists alone, so the work is handed over in portions.
            portion = 8 * jobs if ordered else 2 * jobs
            for start in range(0, len(calls), portion):
                yield from joblib.Parallel(n_jobs=jobs)(calls[start : start + portion])
        else:
            way = "generator" if ordered else "generator_unordered"
            yield from joblib.Parallel(n_jobs=jobs, return_as=way, max_nbytes=None)(calls)


@contextmanager
def _telling_lost_workers() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if kinds & set(_LOST):
            raise WorkerLost(f"a worker process was killed ({type(error).__name__}).") from error
        raise


@contextmanager
def _context(backend: str, jobs: int, scheduler: str | None) -> Iterator[None]:
    joblib = _import("joblib", "joblib")
    with ExitStack() as stack:
        if backend == "loky":
            stack.enter_context(joblib.parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1))
        elif backend == "dask":
            _connect_dask(stack, jobs, scheduler)
            stack.enter_context(joblib.parallel_config(backend="dask", n_jobs=jobs))
        else:
            _connect_ray(stack, jobs, scheduler)
            stack.enter_context(joblib.parallel_config(backend="ray", n_jobs=jobs))
        yield


def _connect_dask(stack: ExitStack, jobs: int, scheduler: str | None) -> None:
    distributed = _import("distributed", "dask[distributed]")
    if scheduler is not None:
        try:
            client = distributed.Client(scheduler, timeout=_PATIENCE, set_as_default=True)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"scheduler {scheduler}: no Dask scheduler answers there; start one with `dask scheduler` and give the "
                "address that it prints (tcp://HOST:8786).",
                argument="scheduler",
            ) from error
        stack.enter_context(client)
        return
    try:
        distributed.get_client()  # the cluster that the user is connected to
    except ValueError:
        stack.enter_context(distributed.Client(n_workers=jobs, threads_per_worker=1, set_as_default=True))


def _connect_ray(stack: ExitStack, jobs: int, scheduler: str | None) -> None:
    _import("ray.util.joblib", "ray").register_ray()
    ray = _import("ray", "ray")
    if ray.is_initialized():  # the cluster that the user is connected to
        return
    if scheduler is None:
        ray.init(num_cpus=jobs, include_dashboard=False)
    else:
        try:
            ray.init(address=scheduler)
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(
                f"scheduler {scheduler}: no Ray cluster answers there; start one with `ray start --head` and give the "
                "address that it prints (HOST:6379).",
                argument="scheduler",
            ) from error
    stack.callback(ray.shutdown)


def _import(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise DependencyError(
            f"The backend needs the package {package}, which cannot be imported here ({error}). "
            f"Install it with: pip install '{package}'"
        ) from error
