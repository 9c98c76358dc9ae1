"""Choice of device, and the crossing between numpy and torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylehead.errors import DeviceError
from stylehead.options.choices import Device

_user: list[int] = []
"""The process that first computed something."""


def check_process() -> None:
    """Raise DeviceError in a fork of a process that has computed: its threads are not there.

    Networks and the face tracker would wait for those threads for ever.
    """
    if not _user:
        _user.append(os.getpid())
    elif _user[0] != os.getpid():
        raise DeviceError(
            "This process was forked from one that has used stylehead already.",
            remedy='Start it with multiprocessing.get_context("spawn").',
        )


def choose_device(device: Device) -> torch.device:
    """Return the torch device; AUTO takes a CUDA GPU when one is usable.

    Raises DeviceError when CUDA is asked for and not there, or in a fork that could only hang.
    """
    check_process()
    if device is Device.CPU:
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if device is Device.CUDA:
        raise DeviceError(
            "The installed torch finds no CUDA GPU.",
            remedy="Pass --device cpu, or install a build of torch with CUDA.",
        )
    return torch.device("cpu")


def usable_cores() -> int:
    """Return how many cores this process may use: affinity and a container's limit count."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, _container_limit() or sys.maxsize))


CGROUPS = Path("/sys/fs/cgroup")
"""Where Linux says how much of the processor a container gets."""


def _container_limit() -> int | None:
    """Return the cores that a container's time share amounts to, rounded up; None without one."""
    try:
        if (CGROUPS / "cpu.max").exists():
            share, period = (CGROUPS / "cpu.max").read_text(encoding="ascii").split()
        else:
            share, period = (
                (CGROUPS / "cpu" / f"cpu.cfs_{name}_us").read_text(encoding="ascii")
                for name in ("quota", "period")
            )
        return -(-int(share) // int(period)) if int(share) > 0 else None
    except (OSError, ValueError):  # no Linux, no limit ("max"), or one that cannot be read
        return None


@contextmanager
def one_thread(wanted: bool = True) -> Generator[None]:
    """Have torch and OpenCV compute on the calling thread alone, where that is `wanted`.

    For many small steps their pools of threads cost more than they bring, the more so beside other
    work.
    """
    if not wanted:
        yield
        return
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def to_tensor(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """Copy an array to the device."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def channels_first(pictures: NDArray[np.generic], device: torch.device) -> Tensor:
    """Copy pictures (B, H, W, C) to the device as floats (B, C, H, W)."""
    return to_tensor(pictures, device).permute(0, 3, 1, 2).float()


def to_array(tensor: Tensor) -> NDArray[np.float32]:
    """Copy a tensor to a float32 array on the CPU."""
    return tensor.detach().float().cpu().numpy()
