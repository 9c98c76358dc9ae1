"""The C library's memory, for every process that makes videos."""

from __future__ import annotations

import contextlib
import ctypes
import sys

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # glibc's names of settings
LARGE, ARENAS = 1 << 20, 2  # bytes of a block that is given back when freed; heaps of all threads


def keep_memory_flat() -> None:
    """Have glibc give large freed blocks back at once, and keep few heaps.

    Left alone it raises its threshold, and each worker's heap keeps holes: memory creeps up by a
    few percent over the first minutes of a long video.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library: nothing to set
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(M_MMAP_THRESHOLD, LARGE)
            libc.mallopt(M_ARENA_MAX, ARENAS)
