"""Plant small faults in the method's equations, one at a time, and see which ones the tests notice.

    python -m tests.mutation                    all modules, about an hour on one core
    python -m tests.mutation motion/stream      one of them
    python -m tests.mutation --survivors        only what survived before, after adding tests
    python -m tests.mutation --table            no run: write the table anew, with today's reasons

Prints a line for each module and a diff for each fault that went unnoticed; keeps the result in
benchmarks/mutation.json and writes its section of benchmarks/README.md. The tree is not touched:
mutmut works on a copy. It leaves constants of modules and default values of dataclasses alone.
"""

from __future__ import annotations

import argparse
import sys

from tests.mutation.report import load, unexplained, write
from tests.mutation.run import MODULES, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("modules", metavar="MODULE", nargs="*", help=", ".join(MODULES))
    parser.add_argument("--table", action="store_true", help="only write the table anew")
    parser.add_argument("--survivors", action="store_true", help="only what survived before")
    options = parser.parse_args()
    unknown = sorted(set(options.modules) - set(MODULES))
    if unknown:
        parser.error(f"not among the modules: {', '.join(unknown)}")
    results = load()
    for module in () if options.table else options.modules or MODULES:
        result = results[module] = run(module, results.get(module) if options.survivors else None)
        for survivor in unexplained(module, result):
            print(f"\nsurvived in {survivor.function}\n{survivor.diff}")
        print(
            f"{module}: {result.mutants} mutants, {result.killed} killed, "
            f"{len(result.survivors)} survived, {result.timeouts} timeouts, "
            f"score {result.score:.1%}, {result.seconds:.0f} s",
            flush=True,
        )
        write(results)  # after every module: a run that is interrupted keeps what it has
    if options.table:
        write(results)


if __name__ == "__main__":
    sys.exit(main())
