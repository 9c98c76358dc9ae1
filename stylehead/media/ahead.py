"""Decoding ahead: the next frames are read while somebody looks at this one."""

from __future__ import annotations

from collections.abc import Generator
from queue import SimpleQueue
from typing import TypeVar

from stylehead.compute.threads import at_work

Item = TypeVar("Item")
AHEAD = 2
"""Items that wait to be asked for: one frame of 4K has 25 MB."""


def ahead(items: Generator[Item], count: int = AHEAD) -> Generator[Item]:
    """Yield what a thread of its own takes from a generator, up to `count` items ahead.

    What the generator raises is raised here. It is closed in that thread when this one is.
    """
    # Queues alone: an interrupt in this thread could leave a condition half locked.
    wanted: SimpleQueue[bool] = SimpleQueue()
    made: SimpleQueue[tuple[Item] | BaseException | None] = SimpleQueue()

    def read() -> None:
        try:
            while wanted.get():
                made.put((next(items),))
        except StopIteration:
            made.put(None)
        except BaseException as failure:  # noqa: BLE001 (raised again where the item is awaited)
            made.put(failure)
        finally:
            items.close()

    for _ in range(count):
        wanted.put(True)
    with at_work([read], stop=lambda: wanted.put(False)):
        while item := made.get():
            if isinstance(item, BaseException):
                raise item
            wanted.put(True)
            yield item[0]
