"""Ray: the same jobs on the machines of a cluster, or on the cores of this one."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from stylehead.batch.events import (
    Event,
    EventReporter,
    Failed,
    Finished,
    Started,
    Told,
    Waits,
    Work,
    outcome,
)
from stylehead.errors import ConfigError

SPARE = 2  # jobs that are sent ahead, so that no core waits for the next
RETRIES = 3  # times that what was lost with a machine is done again
PATIENCE = 10.0  # seconds in which a cluster has to answer, and a task to clean up
POLL = 0.2  # seconds between two looks at what happens
AGAIN = "The machine that worked on it was lost: it is begun again on another."


@contextmanager
def connected(address: str | None, most: int | None = None) -> Generator[Cluster]:
    """Connect to a cluster, or start one of this machine's cores; raises ConfigError.

    No more than `most` of its cores are used. Nothing is sent to Ray's makers, and what Ray prints
    of lost machines goes to stderr.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise ConfigError(
            "--engine ray needs Ray, which is not installed.",
            remedy='Run pip install "stylehead[ray]".',
        ) from error
    if address not in (None, "auto"):
        _check_answers(address)
    with contextlib.redirect_stdout(sys.stderr), _initialized(ray, address):
        yield Cluster(ray, most)


@contextmanager
def _initialized(ray: Any, address: str | None) -> Generator[None]:
    already = ray.is_initialized()
    try:
        if not already:
            ray.init(
                address=address,
                include_dashboard=False if address is None else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _nobody(address, error) from error
    try:
        yield
    finally:
        if not already:
            ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise ConfigError unless somebody listens there: Ray itself waits long, and then exits."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except (OSError, ValueError) as error:
        raise _nobody(address, error) from error


def _nobody(address: str | None, error: Exception) -> ConfigError:
    return ConfigError(
        f"No Ray cluster answers at {address} ({str(error).splitlines()[0]}).",
        remedy="Start one with ray start --head, and give its address and port.",
    )


class Cluster:
    """Does jobs, or films segments, where there are free cores."""

    def __init__(self, ray: Any, most: int | None = None) -> None:
        self._ray, self._most = ray, most

    @property
    def cores(self) -> int:
        """Cores that may be used, of the machines that are there now."""
        return self._as_allowed(self._there())

    def _there(self) -> int:
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def _as_allowed(self, count: int) -> int:
        return min(count, self._most or count)

    def _sent(self) -> int:
        """Return how many tasks are sent before one has come back."""
        return self._as_allowed(self._there() + SPARE)

    @property
    def address(self) -> str:
        """Where another process connects to the same cluster."""
        return self._ray.get_runtime_context().gcs_address

    def run_jobs(
        self, tasks: Sequence[Any], work: Work, pack: Callable[[Any], Any]
    ) -> Generator[Event]:
        """Do tasks, and yield what happens, as the pool's run_jobs does.

        `pack` makes of a task what is sent. What is lost with a machine is done again on another.
        Leaving the iterator ends what is being done.
        """
        ray = self._ray
        post = self._post()
        do = ray.remote(num_cpus=1, max_retries=RETRIES)(_do)
        left, running = deque(enumerate(tasks)), dict[Any, int]()
        try:
            while left or running:
                while left and len(running) < self._sent():
                    job, task = left.popleft()
                    running[do.remote(job, work, pack(task), post)] = job
                    yield Started(job)
                done, _ = ray.wait(list(running), timeout=POLL)
                with contextlib.suppress(ray.exceptions.RayError):  # lost with its machine
                    told = ray.get(post.collect.remote())
                    yield from [event for event in told if event.job in running.values()]
                for ended in done:
                    yield self._ended(ended, running.pop(ended))
        finally:
            self._end(running)
            ray.kill(post)

    def _post(self) -> Any:
        """Return a post on the machine that asks: it is lost with no other."""
        here = self._ray.get_runtime_context().get_node_id()
        strategies: Any = import_module("ray.util.scheduling_strategies")
        place = strategies.NodeAffinitySchedulingStrategy(here, soft=False)
        return self._ray.remote(num_cpus=0, scheduling_strategy=place)(Post).remote()

    def _ended(self, ended: Any, job: int) -> Finished | Waits | Failed:
        try:
            return self._ray.get(ended)
        except self._ray.exceptions.RayError as error:
            return Failed(
                job,
                f"It was lost {RETRIES + 1} times ({type(error).__name__}).",
                "Look at the machines of the cluster: memory, disk and network.",
                str(error),
            )

    def ordered(self, work: Callable[..., Any], shared: Any, each: Sequence[Any]) -> Generator[Any]:
        """Yield `work(shared, one)` for one after the other, done where there are free cores.

        `shared` is sent once to each machine. A few results at most are waited for at a time.
        """
        ray = self._ray
        do = ray.remote(num_cpus=1, max_retries=RETRIES)(work)
        sent = ray.put(shared)
        left, running = deque(each), deque[Any]()
        try:
            while left or running:
                while left and len(running) < self._sent():
                    running.append(do.remote(sent, left.popleft()))
                yield ray.get(running.popleft())
        finally:
            self._end(running)

    def _end(self, running: Iterable[Any]) -> None:
        """End tasks: they are interrupted, and have a while to clean up; then they are killed."""
        ray, left = self._ray, list(running)
        for force in (False, True):
            for each in left:
                ray.cancel(each, force=force)
            if left and not force:
                _, left = ray.wait(left, num_returns=len(left), timeout=PATIENCE, fetch_local=False)


class Post:
    """Where jobs leave word of how far they are."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._begun = set[int]()

    def begin(self, job: int) -> None:
        """Leave word that a job is begun; when it was before, that is told."""
        if job in self._begun:
            self._events.append(Told(job, AGAIN))
        self._begun.add(job)

    def put(self, event: Event) -> None:
        """Leave word."""
        self._events.append(event)

    def collect(self) -> list[Event]:
        """Return what was left since the last time."""
        events, self._events = self._events, []
        return events


def _do(job: int, work: Work, packed: Any, post: Any) -> Finished | Waits | Failed:
    def tell(event: Event) -> None:
        with contextlib.suppress(Exception):  # the post may be gone; the job is worth more
            post.put.remote(event)

    with contextlib.suppress(Exception):
        post.begin.remote(job)
    return outcome(job, work, packed, EventReporter(tell, job))
