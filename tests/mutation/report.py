"""Keep the results as JSON, and write them into benchmarks/README.md as a table."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.conftest import ROOT
from tests.mutation.run import MODULES, Result, Survivor

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RESULTS = ROOT / "benchmarks" / "mutation.json"
PAGE = ROOT / "benchmarks" / "README.md"
REASONS = Path(__file__).with_name("reasons.toml")
HEADING = "## `python -m tests.mutation`"
ABOUT = """\
Small faults, planted one at a time in the modules of the method's equations (mutmut: an operator
turned round, a number raised by one, an argument dropped, a value lost), and whether the unit tests
of the module notice. Constants of modules stay as they are. Score: noticed, of all. Explained:
survivors with a reason, nearly always that no caller could see a difference. Two busy cores.
"""
NO_REASON = "no test yet"


def load() -> dict[str, Result]:
    """Return the results of earlier runs, module by module."""
    if not RESULTS.exists():
        return {}
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    results: dict[str, Result] = {}
    for module in MODULES:
        if module in kept:
            survivors = [Survivor(**survivor) for survivor in kept[module].pop("survivors")]
            results[module] = Result(survivors=survivors, **kept[module])
    return results


def reasons() -> dict[str, dict[str, list[dict[str, str]]]]:
    """Return module -> function -> what was written down about its mutants."""
    return tomllib.loads(REASONS.read_text(encoding="utf-8"))


def reason_of(module: str, survivor: Survivor) -> str | None:
    """Return why a survivor may live, or None if nobody wrote it down."""
    for entry in reasons().get(module, {}).get(survivor.function, ()):
        if _same(entry["was"], survivor.was) and _same(entry["now"], survivor.now):
            return entry["why"]
    return None


def _same(written: str, line: str) -> bool:
    """Compare lines of code, whatever their variables are called."""
    return _nameless(written) == _nameless(line)


def _nameless(line: str) -> str:
    """Return a line with every name that may be a variable's replaced; spaces do not count."""
    attribute, call, keyword = r"(?<![.\w'\"])", r"(?!\w*\()", r"(?!\w*=[^=])"
    words = r"(?!(?:if|else|for|in|and|or|not|return|yield|None|True|False)\b)"
    return re.sub(rf"{attribute}{words}{call}{keyword}[a-z_]\w*", "_", line).replace(" ", "")


def unexplained(module: str, result: Result) -> Iterator[Survivor]:
    """Yield survivors without a reason."""
    for survivor in result.survivors:
        if reason_of(module, survivor) is None:
            yield survivor


def write(results: dict[str, Result]) -> None:
    """Keep results and write their section of the page, in the order of MODULES."""
    results = {module: results[module] for module in MODULES if module in results}
    kept = {module: asdict(result) for module, result in results.items()}
    RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(HEADING)
    _, following, after = rest.partition("\n## ")
    section = f"{HEADING}\n\n{ABOUT}\n{_scores(results)}\n{_survivors(results)}"
    text = before.rstrip() + "\n\n" + section.rstrip() + "\n" + following + after
    PAGE.write_text(text, encoding="utf-8")


def _scores(results: dict[str, Result]) -> str:
    head = ("module", "mutants", "killed", "survived", "explained", "timeouts", "score", "run, s")
    rows = [_row(*head), _row(*["---"] * len(head))]
    open_ = {module: len(list(unexplained(module, each))) for module, each in results.items()}
    for module, each in results.items():
        rows.append(_score(f"`{module}`", [each], open_[module]))
    rows.append(_score("all", list(results.values()), sum(open_.values())))
    missing = [f"`{module}`" for module in MODULES if module not in results]
    note = f"\nNot run: {', '.join(missing)}.\n" if missing else ""
    return "\n".join(rows) + "\n" + note


def _score(name: str, results: list[Result], unexplained_: int) -> str:
    mutants, killed, timeouts = (
        sum(getattr(each, what) for each in results) for what in ("mutants", "killed", "timeouts")
    )
    survived = sum(len(each.survivors) for each in results)
    score = f"{1 - survived / max(1, mutants):.1%}"
    seconds = round(sum(each.seconds for each in results))
    explained = survived - unexplained_
    return _row(name, mutants, killed, survived, explained, timeouts, score, seconds)


def _survivors(results: dict[str, Result]) -> str:
    head = ("survivor in", "was", "became", "why")
    rows = [_row(*head), _row(*["---"] * len(head))]
    for module, result in results.items():
        for survivor in result.survivors:
            why = reason_of(module, survivor) or NO_REASON
            was, now = _changed(survivor.was, survivor.now)
            rows.append(_row(f"`{module}` {survivor.function}", was, now, why))
    return "\n".join(rows) + "\n"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _changed(*lines: str) -> Iterator[str]:
    for line in lines:
        code = line.replace("|", "\\|")
        yield f"`{code}`" if code else ""
