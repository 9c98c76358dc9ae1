"""A process forked from one that has computed says so instead of waiting for ever."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import os, sys
from stylehead.device import choose_device
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
