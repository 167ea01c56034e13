"""Where the units of work run: processes on this machine, or a Dask or Ray cluster, all through joblib."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
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

    with _context(backend, jobs):
        yield from joblib.Parallel(n_jobs=jobs, return_as="generator", max_nbytes=None)(
            joblib.delayed(function)(*args) for args in arguments
        )


def _context(backend: str, jobs: int) -> AbstractContextManager[Any]:
    import joblib

    if backend == "loky":
        return joblib.parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1)
    if backend == "dask":
        distributed = _import("distributed", "dask[distributed]")
        try:
            distributed.get_client()
        except ValueError:
            distributed.Client(n_workers=jobs, threads_per_worker=1, set_as_default=True)
        return joblib.parallel_config(backend="dask", n_jobs=jobs)
    ray_joblib = _import("ray.util.joblib", "ray")
    ray_joblib.register_ray()
    return joblib.parallel_config(backend="ray", n_jobs=jobs)


def _import(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise DependencyError(
            f"The backend needs the package {package}, which cannot be imported here ({error}). "
            f"Install it with: pip install '{package}'"
        ) from error
