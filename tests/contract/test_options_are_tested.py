"""Every option of every command is named by a test that is not about options as such."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path

from typer.core import TyperGroup

from stylehead import options
from stylehead.batch import options as batch_options
from tests.contract.test_public import ROOT_COMMAND

TESTS = Path(__file__).resolve().parents[1]
GENERAL = TESTS / "contract"
"""These tests are about all options alike, not about what one does."""
WORD = re.compile(r"--?[a-z][\w-]*")
OF_TYPER = {"--help", "--install-completion", "--show-completion"}
KINDS = {
    name
    for module in (options, batch_options)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and is_dataclass(kind)
} | {"replace"}
"""What takes options by their names in Python."""


def named(source: str) -> Iterator[str]:
    """Yield the options that a test names: as words, or as arguments of their dataclasses."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.replace("=", " ").split()
            yield from (word for word in words if WORD.fullmatch(word))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if called in KINDS:
                given = [keyword.arg for keyword in node.keywords if keyword.arg]
                yield from (f"--{name.replace('_', '-')}" for name in given)


def flags(group: TyperGroup = ROOT_COMMAND, before: str = "") -> Iterator[tuple[str, set[str]]]:
    """Yield each command's options: what they are called, in words and in Python."""
    for name, command in group.commands.items():
        for one in command.params:
            spelled = {word for word in (*one.opts, *one.secondary_opts) if WORD.fullmatch(word)}
            if spelled:
                python = f"--{(one.name or '').replace('_', '-')}"
                yield f"{before}{name} {'/'.join(sorted(spelled))}", spelled | {python}
        if isinstance(command, TyperGroup):
            yield from flags(command, f"{before}{name} ")


def test_the_check_itself_sees_words_and_arguments() -> None:
    source = "call('animate', '--fps', 3, '--pose=2'); Options(seed=1); other(crop=2)"
    assert set(named(source)) == {"--fps", "--pose", "--seed"}


def test_a_test_says_what_each_option_does() -> None:
    paths = [path for path in TESTS.rglob("*.py") if GENERAL not in path.parents]
    tested = {word for path in paths for word in named(path.read_text(encoding="utf-8"))}
    missing = sorted(name for name, spelled in flags() if not spelled & (tested | OF_TYPER))
    assert not missing, "no test names: " + ", ".join(missing)
