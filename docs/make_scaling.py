"""Write the figures of docs/scaling.md from benchmarks/scaling.json; with --check only compare.

What stands between two comments of the same name is replaced; the rest is written by hand.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("scaling.md")
KEPT = PAGE.parents[1] / "benchmarks" / "scaling.json"
Kept = dict[str, Any]


def page() -> str:
    """Return the page with the figures that are kept now."""
    kept: Kept = json.loads(KEPT.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    for name, write in WRITERS.items():
        part = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
        if len(part.findall(text)) != 1:
            raise SystemExit(f"docs/scaling.md has no part {name}, or several")
        section = name.split("-")[0]
        shown = write(kept[section]) if section in kept else f"Not measured yet ({section}).\n"
        text = part.sub(lambda _, shown=shown: shown, text)
    return text


def table(*rows: Iterable[object]) -> str:
    """Return Markdown of rows, of which the first is the head."""
    lines = ["| " + " | ".join(map(str, row)) + " |\n" for row in rows]
    rule = "|" + " --- |" * (lines[0].count("|") - 1) + "\n"
    return "".join([lines[0], rule, *lines[1:]])


def size(count: float) -> str:
    """Return bytes as they are read easily."""
    for unit, many in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= many:
            return f"{count / many:.1f} {unit}"
    return f"{count:.0f} B"


def stages(costs: Kept) -> str:
    """Return the processor's seconds."""
    took: dict[str, float] = costs["stages, CPU s"]
    return table(
        ("Stage", "CPU s"),
        ("finding the face of the portrait, once a video", f"{took['portrait']:.2f}"),
        ("listening, and the motion", f"{took['motion']:.1f}"),
        ("preparing the portrait, once a video and process", f"{took['preparing']:.2f}"),
        ("drawing frames", f"{costs['drawing, CPU s']:.1f}"),
        ("encoding them", f"{costs['encoding, CPU s']:.1f}"),
        ("**a minute of video**", f"**{costs['CPU s']:.1f}**"),
        (
            "before the first video of a process: imports, models loaded",
            f"{costs['imports, CPU s']:.1f} + {costs['models loaded, CPU s']:.1f}",
        ),
        (
            "checking a row with a picture and a recording of its own",
            f"{costs['check a row, CPU s']:.2f}",
        ),
        *(
            (f"handing out a task and hearing of its end, {how}", f"{seconds:.5f}")
            for how, seconds in costs["hand out a task, CPU s"].items()
        ),
    )


def bytes_moved(costs: Kept) -> str:
    """Return what travels and what lies on disks."""
    back = costs["segments kept meanwhile, bytes"]
    installed: dict[str, float] = costs["installed, bytes"]
    return table(
        ("Bytes of a minute of video", ""),
        ("the video", size(costs["video, bytes"])),
        ("its segments, kept until it is whole", size(back)),
        ("the largest of them", size(costs["a segment, bytes"])),
        ("its record, kept", size(costs["run.json, bytes"])),
        ("sent to a machine that makes it whole", size(costs["sent for a video of a list, bytes"])),
        (
            "sent to each machine that makes segments of it",
            size(costs["sent for a video by segments, bytes"]),
        ),
        *((f"installed on a machine: {what}", size(count)) for what, count in installed.items()),
    )


def dollars(costs: Kept) -> str:
    """Return what a minute costs, beside published prices."""
    machine: Kept = costs["machine"]
    hours = costs["CPU s"] / machine["cores"] / 3600
    return table(
        ("A minute of video", "dollars", "source"),
        *(
            (
                f"stylehead, {machine['name']}, {kind}: {price} an hour, {machine['cores']} cores",
                f"{hours * price:.5f}",
                f"measured; [price]({machine['source']})",
            )
            for kind, price in machine["dollars an hour"].items()
        ),
        *(
            (f"{name}: {one['said']}", f"{one['dollars']:.4f}", f"[price]({one['source']})")
            for name, one in costs["prices"].items()
        ),
    )


def fleets(fleet: Kept) -> str:
    """Return what the simulation found."""
    return table(
        (
            *("Fleet", "busy", "wait, s", "95 %", "ready after, s", "95 %", "lost"),
            *("tasks/s", "MB/s", "dollars a minute"),
        ),
        *(
            (
                name,
                f"{row['busy']:.0%}",
                f"{row['wait']:.1f}",
                f"{row['wait, 95 %']:.1f}",
                f"{row['ready']:.0f}",
                f"{row['ready, 95 %']:.0f}",
                f"{row['lost']:.2%}",
                f"{row['tasks a second']:.0f}",
                f"{row['MB a second']:.0f}",
                f"{row['dollars a minute']:.5f}",
            )
            for name, row in fleet["fleets"].items()
        ),
    )


def limits(fleet: Kept) -> str:
    """Return how busy one process would be, the busiest first."""
    loads: dict[str, float] = dict(fleet["one process"])
    hours = loads.pop("hours until all machines have their packages")
    ordered = sorted(loads.items(), key=lambda one: -one[1])
    rows = table(
        ("One process at the busiest hour", "of what one core or connection can do"),
        *((name, f"{load:.0%}") for name, load in ordered),
    )
    machines = fleet["asked"]["machines"]
    return (
        rows
        + f"\nAll {machines} machines at once have their packages after {60 * hours:.0f} minutes.\n"
    )


def hundred(found: Kept) -> str:
    """Return what became of a list with broken rows."""
    return table(
        ("A list with broken rows", ""),
        *((name, value) for name, value in found.items() if name != "wrong"),
        ("findings", len(found["wrong"])),
    )


def kills(found: Kept) -> str:
    """Return what became of runs that were killed."""
    runs: list[Kept] = [run for run in found["runs"] if run["in time"]]
    again = [run["segments drawn again"] for run in runs]
    by_chance = [run for run in runs if run["killed"].startswith("after")]
    return table(
        ("Runs that were killed", ""),
        ("at random moments", len(by_chance)),
        ("when a video appeared", len(runs) - len(by_chance)),
        (
            "of them with the same videos in the end, byte for byte",
            sum(r["same bytes"] for r in runs),
        ),
        ("of them that left something behind", sum(bool(r["left behind"]) for r in runs)),
        (
            f"segments drawn again by {found['workers']} workers, mean",
            f"{sum(again) / len(again):.2f}",
        ),
        ("at most", f"{max(again):.2f}"),
    )


def ways(found: Kept) -> str:
    """Return the digests of one video made in many ways."""
    rows = ((name, f"`{digest}`") for name, digest in found["sha256"].items())
    return table(
        (f"One video of {found['seconds']:.0f} s, by", "sha256 before it was signed"), *rows
    )


def scale(found: Kept) -> str:
    """Return what more workers bring."""
    runs: dict[str, Kept] = found["runs"]
    rows = table(
        ("Run", "wall s", "CPU s", "the command, MB", "largest worker, MB", "same bytes"),
        *(
            (
                name,
                f"{row['wall']:.1f}",
                f"{row['cpu']:.1f}",
                row["main_mb"],
                row["worker_mb"] or "",
                "yes" if row["same"] else "NO",
            )
            for name, row in runs.items()
        ),
    )
    again = [row["again"] for row in runs.values() if row["again"] is not None]
    lines = [f"- {name}: {value:.2f}\n" for name, value in found["ratios"].items()]
    lines += [f"- what a killed node was making was begun again after {s:.1f} s\n" for s in again]
    return rows + "\n" + "".join(lines)


WRITERS: dict[str, Callable[[Kept], str]] = {
    "hundred": hundred,
    "kills": kills,
    "ways": ways,
    "scale": scale,
    "costs-stages": stages,
    "costs-bytes": bytes_moved,
    "costs-dollars": dollars,
    "fleet-table": fleets,
    "fleet-limits": limits,
}


def main() -> None:
    """Write the page, or fail when it does not agree with the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    wanted = page()
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") != wanted:
            raise SystemExit("docs/scaling.md is out of date: run python docs/make_scaling.py")
    else:
        PAGE.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
