"""No test asserts how long anything takes: machines differ, and are busy."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
CLOCKS = {"perf_counter", "monotonic", "process_time", "time", "perf_counter_ns", "monotonic_ns"}


def clocks(tree: ast.AST) -> list[int]:
    """Return the lines of a module's asserts in which a clock is read."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        and any(
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in CLOCKS
            and isinstance(call.func.value, ast.Name)
            and call.func.value.id == "time"
            for call in ast.walk(node)
        )
    ]


def test_no_assert_reads_a_clock() -> None:
    for path in sorted(TESTS.rglob("*.py")):
        found = clocks(ast.parse(path.read_text(encoding="utf-8")))
        assert not found, f"{path} reads a clock in lines {found}"


def test_an_assert_that_reads_a_clock_is_noticed() -> None:
    assert clocks(ast.parse("assert time.perf_counter() - began < 2")) == [1]
    assert clocks(ast.parse("began = time.perf_counter()\nassert motion.time == 2")) == []
