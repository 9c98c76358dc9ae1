"""Feed broken files to everything that reads one.

    python -m tests.fuzz                          300 cases, as the default tests do
    python -m tests.fuzz --cases 20000 --jobs 2   the nightly form
    python -m tests.fuzz --target png --seed 7    one way in, other cases
    python -m tests.fuzz --guided 100000          besides, inputs led by coverage (needs atheris)

A finding is whatever a file may not do: a traceback, a crash or a hang of the process, more than
2 GB of memory, something left behind. Prints the totals and every finding; exits with 1 if there
is one. `--keep` writes the files that led to them into a folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.guided import guided
from tests.fuzz.run import jobs, run
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="child processes")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this way in")
    parser.add_argument("--keep", type=Path, help="folder for the files of findings")
    parser.add_argument("--guided", type=int, default=0, metavar="RUNS", help="of each text reader")
    options = parser.parse_args()
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    work = jobs(options.cases, options.seed, options.target or list(TARGETS))
    totals = run(work, workers=options.jobs, keep=options.keep)
    for name, cases in totals.cases.items():
        print(f"{name}: {cases} cases")
    findings = totals.findings + guided(options.guided, options.seed)
    print(f"{sum(totals.cases.values())} cases, {totals.refused} refused, {len(findings)} findings")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
