"""What users build on: public names, defaults, and the commands that the documents show."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from dataclasses import Field, fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup, TyperOption
from typer.main import get_group
from typer.testing import CliRunner

import stylehead
from stylehead.cli.app import app
from stylehead.options import DEFAULT_STYLE, MotionOptions, Options, TuningOptions

ROOT = Path(stylehead.__file__).parent.parent
ROOT_COMMAND = get_group(app)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += [ROOT / "examples" / "README.md"]

FIELDS = [
    (command, field)
    for command, kind in (
        ("animate", Options),
        ("motion", MotionOptions),
        ("finetune-style", TuningOptions),
    )
    for field in fields(kind)
]
"""Every option of these commands, as Python declares it."""


def named(pair: tuple[str, Field[Any]]) -> str:
    return f"{pair[0]}-{pair[1].name}"


def flag_of(field: Field[Any]) -> str:
    """Return the flag that switches an option on or takes its value."""
    return (field.metadata["flag"] or f"--{field.name.replace('_', '-')}").split("/")[0]


# ---- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", stylehead.__all__)
def test_a_public_name_loads(name):
    value = getattr(stylehead, name)
    assert value is not None
    if name != "__version__":
        assert value.__doc__
        assert value.__module__.startswith("stylehead.")


def test_the_names_the_readme_promises_are_public():
    assert {"animate", "extract_style", "save_style", "load_style", "find_style"} <= set(
        stylehead.__all__
    )
    assert {"Style", "Motion", "Options", "StyleheadError"} <= set(stylehead.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'animat'"):
        stylehead.animat  # noqa: B018


def test_the_version_has_three_numbers_and_is_the_installed_one():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.?(dev|a|b|rc)\d+)?", stylehead.__version__)
    shown = CliRunner().invoke(app, ["--version"])
    assert shown.output.strip() == f"stylehead {stylehead.__version__}"


# ---- defaults -------------------------------------------------------------------------------


def option(command: str, name: str) -> TyperOption:
    (found,) = [one for one in ROOT_COMMAND.commands[command].params if name in one.opts]
    assert isinstance(found, TyperOption)
    return found


@cache
def shown_help(command: str) -> str:
    """Return a command's help, one option a line, without frames."""
    runner = CliRunner(env={"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"})
    shown = runner.invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0, shown.output
    return re.sub(r"[│╭╮╰╯─ ]+", " ", shown.output)


def help_of(command: str, name: str) -> str:
    """Return the line of help about one option."""
    (line,) = re.findall(rf"^ (?:\* )?(?:-\w )?{name} .*$", shown_help(command), re.MULTILINE)
    return line.lower()


@pytest.mark.parametrize("pair", FIELDS, ids=named)
def test_an_option_is_declared_once_and_reaches_the_command_line(pair):
    command, field = pair
    shown = option(command, flag_of(field))
    assert shown.name == field.name
    assert shown.default == field.default
    assert (shown.help or "").startswith(field.metadata["help"])
    bounds = [getattr(shown, name) for name in ("min", "max")]
    assert bounds == [field.metadata["low"], field.metadata["high"]]


@pytest.mark.parametrize("pair", FIELDS, ids=named)
def test_help_shows_the_default(pair):
    command, field = pair
    about = help_of(command, flag_of(field))
    if field.default is None:  # in words: all, the largest; or what it stands in for
        assert re.search(r"default: [a-z' ]+|instead of|in place of", about)
    elif not isinstance(field.default, bool):
        assert f"[default: {getattr(field.default, 'value', field.default)}" in about


@pytest.mark.parametrize("command", ["animate", "motion"])
def test_help_names_the_default_style(command):
    assert f"default: {DEFAULT_STYLE}" in help_of(command, "--style")


def commands(group: TyperGroup = ROOT_COMMAND, before: str = "") -> list[str]:
    found: list[str] = []
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup) and command.commands:
            found += commands(command, f"{before}{name} ")
        else:
            found.append(f"{before}{name}")
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_and_option_has_help(command):
    found = ROOT_COMMAND
    for word in command.split():
        assert isinstance(found, TyperGroup)
        found = found.commands[word]
    assert found.help
    assert all(getattr(one, "help", None) for one in found.params)
    assert found.help.splitlines()[0][:60] in shown_help(command)


# ---- documents ------------------------------------------------------------------------------


def blocks(page: Path, *languages: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    fence = re.compile(rf"^```(?:{'|'.join(languages)})\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return fence.findall(text)


def shell_lines(page: Path) -> list[list[str]]:
    """Return the stylehead commands of a page's shell blocks, as words."""
    found: list[list[str]] = []
    for block in blocks(page, "sh", "bash", "shell", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\||;|\|", line.removeprefix("$ ")):
                words = shlex.split(part, comments=True)
                while words and re.fullmatch(r"\w+=.*", words[0]):
                    words = words[1:]  # settings of the environment
                if words[:1] == ["stylehead"]:
                    found.append(words[1:])
    return found


def wrong(words: list[str]) -> str | None:
    """Return what the command line would not understand, or None."""
    command = ROOT_COMMAND
    expects_value = False
    for word in words:
        if expects_value:
            expects_value = False
        elif word.startswith("-"):
            name = word.split("=")[0]
            known = {spelled: one for one in command.params for spelled in one.opts}
            if name in ("--help", "--install-completion"):  # of every program made with typer
                continue
            if name not in known:
                return f"{name} is no option of {command.name}"
            expects_value = "=" not in word and not getattr(known[name], "is_flag", False)
        elif isinstance(command, TyperGroup):
            if word not in command.commands:
                return f"{word} is no command"
            command = command.commands[word]
        elif not any(one.param_type_name == "argument" for one in command.params):
            return f"{command.name} takes no {word}"
    return "a value is missing" if expects_value else None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("animate --image a --audio b -o c", None),
        ("extract-style clip.mp4 --sheet=x.png", None),
        ("train motion --data d --run r --encoder apc", None),
        ("-q demo", None),
        ("animate --picture a", "--picture is no option of animate"),
        ("anime", "anime is no command"),
        ("demo now", "demo takes no now"),
        ("animate --image", "a value is missing"),
    ],
)
def test_the_check_itself_tells_right_from_wrong(line, problem):
    assert wrong(line.split()) == problem


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_documents_show_only_commands_that_exist(page):
    problems = {" ".join(words): wrong(words) for words in shell_lines(page)}
    assert not {line: problem for line, problem in problems.items() if problem}


def test_the_readme_shows_how_to_start():
    page = ROOT / "README.md"
    shown = {words[0] for words in shell_lines(page)}
    assert {"demo", "animate", "extract-style"} <= shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_python_in_documents_imports_what_is_there(page):
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stylehead"):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{page.name}: {alias.name}"


def test_links_between_documents_lead_somewhere():
    for page in PAGES:
        if not page.is_file():
            continue
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\((?!\w+:)([^)#\s]+)", text):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
