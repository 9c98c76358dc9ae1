"""Do mixed jobs in one process for a while, and say what grows.

    python -m tests.soak                  two minutes
    python -m tests.soak --minutes 120    the full form
    python -m tests.soak --sounds 10 60   besides, motions of recordings of ten minutes and an hour
    python -m tests.soak --page           through the page instead (needs the extra `ui`, and Linux)

Prints a line for each round, then the growth of memory per 100 jobs. Exits with 1 when it is
above 1 MB, or when handles, threads or temporary files grow.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from stylehead.cli.memory import keep_memory_flat
from tests.soak.page import soak_page
from tests.soak.run import Held, growing, long_sound, slope, soak

MOST = 1.0  # MB per 100 jobs


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--sounds", type=float, nargs="*", default=[], metavar="MINUTES")
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    keep_memory_flat()  # as every command does
    ends = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory(prefix="stylehead-soak-") as name:
        folder = Path(name)
        os.environ["STYLEHEAD_HOME"] = str(folder / "home")
        rounds: list[Held] = []
        way = soak_page if options.page else soak
        for one in way(folder, lambda done: done > 0 and time.monotonic() > ends):
            rounds.append(one)
            print(one, flush=True)
        found, more = slope(rounds), growing(rounds)
        print(f"{rounds[-1].jobs} jobs: {found:+.2f} MB per 100 jobs")
        for each in more:
            print(f"grows: {each}")
        for minutes in options.sounds:
            frames, peak = long_sound(folder, minutes)
            print(f"{minutes:g} minutes: {frames} frames, {peak:.0f} MB at the peak", flush=True)
    return found > MOST or bool(more)


if __name__ == "__main__":
    sys.exit(main())
