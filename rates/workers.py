"""Where the cells of a sweep run: this process, joblib's worker processes or threads, or a dask cluster."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module  # dask is optional, for the type checker too
from threading import Thread
from time import sleep
from typing import Any

import joblib
from joblib._parallel_backends import SequentialBackend
from joblib.parallel import get_active_backend

BACKENDS = ("loky", "threading", "dask")
"""Worker processes; threads (for kernels that release the lock of the interpreter); the user's dask cluster."""


WATCH_SECONDS = 0.5
"""Ours: how often a worker looks whether the process that started it is alive."""

def end_with(parent: int) -> None:
    """In a worker, when it starts: end this process when the one that started it is gone.

    A sweep killed with SIGKILL cannot stop its workers; they would finish cells that nobody collects, and then wait
    for minutes for more.

    Args:
        parent: process that sweeps; nothing happens in that process itself.
    """
    if os.getpid() == parent:
        return

    def watch() -> None:
        while os.getppid() == parent:
            sleep(WATCH_SECONDS)
        os._exit(1)

    Thread(target=watch, daemon=True, name="end with the sweep").start()


def require_backend(backend: str | None) -> None:
    """Check that a backend is known and usable.

    Args:
        backend: name, or None.

    Raises:
        ValueError: unknown, dask without the package or without a client, or a surrounding backend that can only
            return all results at once.
    """
    if backend is not None and backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}; it is one of {', '.join(BACKENDS)}, or None")
    if backend == "dask":
        _dask_client()
    active = _active(backend)
    if not active.supports_return_generator and not isinstance(active, SequentialBackend):
        raise ValueError(f"the surrounding joblib backend {type(active).__name__} cannot return results as they come")


def worker_count(backend: str | None, jobs: int) -> int:
    """How many cells run at the same time.

    Args:
        backend: name, or None for that of the surrounding `joblib.parallel_config`.
        jobs: workers asked for.
    """
    with _chosen(backend):
        return max(1, int(joblib.effective_n_jobs(jobs)))


def in_workers(tasks: Iterable[tuple[Any, ...]], backend: str | None, jobs: int) -> Generator[Any, None, None]:
    """Results of tasks ``(function, *arguments)`` in the order in which they are finished.

    Leaving the loop early (an error, an interrupt) stops the workers.

    Args:
        tasks: drawn as workers become free.
        backend: name, or None.
        jobs: workers; a dask cluster uses all it has.
    """
    if isinstance(_active(backend), SequentialBackend):  # cannot stream, and need not
        for function, *arguments in tasks:
            yield function(*arguments)
        return
    with _chosen(backend):
        parallel = joblib.Parallel(
            n_jobs=jobs, return_as="generator_unordered",
            initializer=end_with, initargs=(os.getpid(),),  # of loky; other backends ignore them
        )
        # created inside the context: joblib reads it when the pool is made, not when results are drawn
        results = parallel(joblib.delayed(function)(*arguments) for function, *arguments in tasks)
    try:
        yield from results
    finally:
        results.close()


def _chosen(backend: str | None) -> AbstractContextManager[Any]:
    return nullcontext() if backend is None else joblib.parallel_config(backend=backend)


def _active(backend: str | None) -> Any:
    with _chosen(backend):
        return get_active_backend()[0]


def _dask_client() -> Any:
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise ValueError("backend is 'dask', which is not installed: pip install lemmata[dask]") from None
    try:
        return distributed.get_client()
    except ValueError:
        raise ValueError(
            "backend is 'dask' but there is no cluster: create a dask.distributed.Client first, "
            "for example Client() for this machine or Client('address:8786')"
        ) from None
