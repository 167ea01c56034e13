"""Where the units of work run: processes on this machine, or a Dask or Ray cluster, all through joblib."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

from UniverSegSlicerLib.errors import DependencyError, InputError

BACKENDS = ("loky", "dask", "ray")


def run_parallel(
    function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], jobs: int, backend: str
) -> Iterator[Any]:
    """Call ``function(*arguments[i])`` for every i and yield the results in order as they come.

    Raises:
        InputError: An unknown backend or a number of jobs below 1.
        DependencyError: The package of the backend is not installed.
    """
    if backend not in BACKENDS:
        raise InputError(f"backend is {backend!r}; choose one of {', '.join(BACKENDS)}.")
    if jobs < 1:
        raise InputError(f"jobs is {jobs}; give 1 or more.")
    if not arguments:
        return
    if jobs == 1 and backend == "loky":
        for args in arguments:
            yield function(*args)
        return
    import joblib

    calls = [joblib.delayed(function)(*args) for args in arguments]
    with _context(backend, jobs):
        if backend == "ray":
            # joblib's bridge to Ray returns lists alone, so the work is handed over in portions.
            portion = 8 * jobs
            for start in range(0, len(calls), portion):
                yield from joblib.Parallel(n_jobs=jobs)(calls[start : start + portion])
        else:
            yield from joblib.Parallel(n_jobs=jobs, return_as="generator", max_nbytes=None)(calls)


@contextmanager
def _context(backend: str, jobs: int) -> Iterator[None]:
    import joblib

    with ExitStack() as stack:
        if backend == "loky":
            stack.enter_context(joblib.parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1))
        elif backend == "dask":
            distributed = _import("distributed", "dask[distributed]")
            try:
                distributed.get_client()  # the cluster that the user is connected to
            except ValueError:
                stack.enter_context(distributed.Client(n_workers=jobs, threads_per_worker=1, set_as_default=True))
            stack.enter_context(joblib.parallel_config(backend="dask", n_jobs=jobs))
        else:
            _import("ray.util.joblib", "ray").register_ray()
            ray = _import("ray", "ray")
            if not ray.is_initialized():  # else the cluster that the user is connected to
                ray.init(num_cpus=jobs, include_dashboard=False)
                stack.callback(ray.shutdown)
            stack.enter_context(joblib.parallel_config(backend="ray", n_jobs=jobs))
        yield


def _import(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise DependencyError(
            f"The backend needs the package {package}, which cannot be imported here ({error}). "
            f"Install it with: pip install '{package}'"
        ) from error
