"""What ends a run in order."""

from __future__ import annotations

import atexit
import signal
import sys


def leave_in_order() -> None:
    """Have an interrupted run clean up like a failed one: it leaves by way of its contexts.

    The exit code is 128 and the signal's number. Once all is done a signal undoes nothing, also
    while Python takes its time to leave.
    """
    ending = [signal.SIGINT, signal.SIGTERM]
    # A terminal that closes, unless the run was started to outlive it (nohup).
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        ending.append(signal.SIGHUP)
    for number in ending:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
        atexit.register(signal.signal, number, signal.SIG_IGN)
