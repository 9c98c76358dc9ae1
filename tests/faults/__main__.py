"""Break the machine under the commands, and look at what is left.

    python -m tests.faults                 a handful of each fault
    python -m tests.faults --kills 60      the full form
    python -m tests.faults --only kills    one kind

Faults: signals at random moments of animate, extract-style, finetune-style, evaluate and weights
get; a disk that fills up at each write; reads that fail; inputs that go away; clocks that jump; two
runs at once; a home that nobody may write to; too little memory. After each: nothing half, nothing
lost that was there, and the next run works. Prints every finding and the totals; exits with 1 if
there is a finding.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.faults import machine
from tests.faults.kills import kills
from tests.faults.scene import Scene

FULL = 60  # kills of the full form


def kinds(count: int, seed: int) -> dict[str, Callable[[Scene], None]]:
    """Return what injects each kind of fault."""
    full = count >= FULL
    return {
        "kills": lambda scene: kills(scene, count, seed),
        "disks": lambda scene: machine.full_disks(scene, 24 if full else 6),
        "reads": machine.reads_fail,
        "inputs": machine.inputs_go,
        "clock": machine.clock_jumps,
        "home": machine.read_only_home,
        "memory": lambda scene: machine.no_memory(
            scene, (1500, 2000, 2500, 3000, 4000, 6000) if full else (2500,)
        ),
        "two": machine.two_at_once,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=kinds(0, 0), action="append")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stylehead-faults-") as name:
        scene = Scene.made(Path(name))
        for kind, inject in kinds(options.kills, options.seed).items():
            if not options.only or kind in options.only:
                inject(scene)
                print(f"{kind}: done, {len(scene.findings)} findings so far", flush=True)
    for fault, times in sorted(scene.injected.items()):
        print(f"{fault}: {times}")
    print(f"{sum(scene.injected.values())} faults, {len(scene.findings)} findings")
    return bool(scene.findings)


if __name__ == "__main__":
    sys.exit(main())
