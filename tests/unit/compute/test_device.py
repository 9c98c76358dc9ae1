"""A process forked from one that has computed says so instead of waiting for ever."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from stylehead.compute import device

CODE = """
import os, sys
from stylehead.compute.device import choose_device
from stylehead.errors import DeviceError
from stylehead.options import Device
if {used}:
    choose_device(Device.CPU)
child = os.fork()
if not child:
    try:
        choose_device(Device.CPU)
    except DeviceError as failure:
        print(failure, failure.remedy)
    else:
        print("computes")
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
choose_device(Device.CPU)
"""


@pytest.mark.parametrize(("used", "said"), [(True, "spawn"), (False, "computes")])
def test_a_fork_after_use_is_refused(used, said):
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(used=used)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        check=True,
        timeout=60,
    )
    assert said in done.stdout


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_a_container_s_share_of_the_processor_limits_the_workers(
    tmp_path, monkeypatch, files, limit
):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(device, "CGROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert device.usable_cores() == (limit or 64)


def test_a_process_pinned_to_a_core_has_one(tmp_path, monkeypatch):
    monkeypatch.setattr(device, "CGROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5}, raising=False)
    assert device.usable_cores() == 1


@pytest.mark.parametrize("wanted", [True, False])
def test_one_thread_is_for_the_block_alone(wanted):
    torch.set_num_threads(2)
    try:
        with device.one_thread(wanted):
            assert torch.get_num_threads() == (1 if wanted else 2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
