"""The run that plants faults: which tests it takes, and which faults it lets pass."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import ROOT
from tests.mutation.report import reason_of, reasons
from tests.mutation.run import MODULES, Survivor, selection_of


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_tests(module: str) -> None:
    assert (ROOT / "stylehead" / f"{module}.py").is_file()
    assert selection_of(module)


def test_reasons_are_of_functions_that_exist() -> None:
    for module, functions in reasons().items():
        tree = ast.parse((ROOT / "stylehead" / f"{module}.py").read_text(encoding="utf-8"))
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert {name.rpartition(".")[2] for name in functions} <= names


def test_a_reason_holds_when_variables_are_renamed_and_for_nothing_else(monkeypatch, tmp_path):
    page = tmp_path / "reasons.toml"
    page.write_text(
        '[["a/b".f]]\nwas = "x = part.clip(low=0) / whole"\nnow = "x = part.clip(low=1) / whole"\n'
        'why = "never below 1"\n'
    )
    monkeypatch.setattr("tests.mutation.report.REASONS", page)

    def reason(was: str, now: str, function: str = "f") -> str | None:
        return reason_of("a/b", Survivor("", function, was, now, True, ""))

    was, now = "y = piece.clip(low=0) / all_", "y = piece.clip(low=1) / all_"
    assert reason(was, now) == "never below 1"
    assert reason(was, now, "g") is None
    assert reason(was, now.replace("1", "2")) is None
    assert reason(was, was.replace("/", "*")) is None
    assert reason(was, now.replace("clip", "clamp")) is None
