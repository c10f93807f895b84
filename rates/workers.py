"""Where the cells of a sweep run: this process, joblib's worker processes or threads, or a dask cluster."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module  # dask is optional, for the type checker too
from multiprocessing import resource_tracker
from threading import Thread
from time import sleep
from typing import Any

import joblib
from joblib._parallel_backends import LokyBackend, SequentialBackend
from joblib.externals.loky.backend import resource_tracker as loky_tracker
from joblib.parallel import get_active_backend

from mdp.optional import how_to_install

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

    Leaving the loop early (an error, an interrupt) stops the workers; worker processes do not hear Ctrl-C themselves.

    Args:
        tasks: drawn as workers become free.
        backend: name, or None.
        jobs: workers; a dask cluster uses all it has.
    """
    if isinstance(_active(backend), SequentialBackend):  # cannot stream, and need not
        for function, *arguments in tasks:
            yield function(*arguments)
        return
    results: Generator[Any, None, None] | None = None
    try:
        with _chosen(backend), _unheard_by_workers(backend):
            parallel = joblib.Parallel(
                n_jobs=jobs, return_as="generator_unordered",
                initializer=end_with, initargs=(os.getpid(),),  # of loky; other backends ignore them
            )
            # created inside the context: joblib reads it when the pool is made, not when results are drawn
            results = parallel(joblib.delayed(function)(*arguments) for function, *arguments in tasks)
        yield from results
    finally:
        if results is not None:
            with warnings.catch_warnings():  # joblib advises whoever leaves early to ask for less
                warnings.filterwarnings("ignore", ".*You could benefit from adjusting the input task", UserWarning)
                results.close()


def in_order(
    tasks: Iterable[tuple[Any, ...]], jobs: int, on_done: Callable[[int], object] = lambda number: None
) -> list[Any]:
    """Results of tasks ``(function, *arguments)`` in the order of the tasks, from worker processes if there are more.

    Args:
        tasks: what to compute.
        jobs: worker processes; with one everything happens in this process.
        on_done: called with the number of finished tasks after each.
    """
    numbered = [(_numbered, k, *task) for k, task in enumerate(tasks)]
    found: dict[int, Any] = {}
    for k, result in in_workers(numbered, "loky", jobs) if jobs > 1 else (_numbered(*rest) for _, *rest in numbered):
        found[k] = result
        on_done(len(found))
    return [found[k] for k in range(len(numbered))]


def _numbered(k: int, function: Callable[..., Any], *arguments: Any) -> tuple[int, Any]:
    return k, function(*arguments)


@contextmanager
def _unheard_by_workers(backend: str | None) -> Iterator[None]:
    """Processes of loky that start in here inherit that Ctrl-C is blocked; in this process it waits until the end.

    A terminal sends Ctrl-C to workers too, and those that are still importing would print a traceback each.
    """
    if not isinstance(_active(backend), LokyBackend) or not hasattr(signal, "pthread_sigmask"):  # as on Windows
        yield
        return
    for tracker in (resource_tracker, loky_tracker):
        tracker.ensure_running()  # their own start, which pools need, would unblock the signal in here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _chosen(backend: str | None) -> AbstractContextManager[Any]:
    return nullcontext() if backend is None else joblib.parallel_config(backend=backend)


def _active(backend: str | None) -> Any:
    with _chosen(backend):
        return get_active_backend()[0]


def _dask_client() -> Any:
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise ValueError(f"backend is 'dask', which is not installed: {how_to_install('dask')}") from None
    try:
        return distributed.get_client()
    except ValueError:
        raise ValueError(
            "backend is 'dask' but there is no cluster: create a dask.distributed.Client first, "
            "for example Client() for this machine or Client('address:8786')"
        ) from None
