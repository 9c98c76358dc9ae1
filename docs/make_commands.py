"""Write docs/commands.md from the command line itself; with --check only compare."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.main import get_command

from stylehead.cli.app import app

PAGE = Path(__file__).with_name("commands.md")
HEAD = """# Commands

<!-- Written by docs/make_commands.py; its text is in stylehead/options/ and stylehead/cli/. -->

Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 an error,
printed with its remedy, 2 a mistake on the command line, 130 interrupted (Ctrl-C).
"""
LEFT_OUT = {"install_completion", "show_completion"}  # worded after the shell this runs in


def page() -> str:
    """Return the whole page; it depends on the code alone, not on terminal or shell."""
    root = get_command(app)
    return HEAD + "".join(sections(root, typer.Context(root, info_name="stylehead"), 2))


def sections(command: object, context: typer.Context, level: int) -> Iterator[str]:
    """Yield one section per command, groups before what they hold."""
    usage = [context.command_path, *context.command.collect_usage_pieces(context)]
    yield f"\n{'#' * level} {context.command_path}\n\n"
    yield f"```text\n{' '.join(usage)}\n```\n\n"
    yield prose(context.command.help or "")
    yield from parameters(context)
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            below = typer.Context(child, info_name=name, parent=context)
            yield from sections(child, below, level + 1)


def prose(text: str) -> str:
    """Turn a help text into Markdown: indented lines are commands, [bold] lines introduce them."""
    plain = re.sub(r"\[bold\](.*?)\[/\]", r"\1:", text)
    blocks: list[str] = []
    code: list[str] = []
    for block in [*re.split(r"\n\s*?\n", plain.strip()), "end"]:
        if block.startswith("  "):
            code += [line.strip() for line in block.splitlines()]
            continue
        if code:
            blocks.append("\n".join(["```sh", *code, "```"]))
            code = []
        blocks.append(block.strip())
    return "\n\n".join(blocks[:-1]) + "\n"


def parameters(context: typer.Context) -> Iterator[str]:
    """Yield the arguments and options, under the panels that --help shows."""
    panels: dict[str, list[str]] = {}
    for one in context.command.params:
        if not isinstance(one, TyperArgument | TyperOption) or one.name in LEFT_OUT:
            continue
        record = one.get_help_record(context)
        if record is None:
            continue
        names, meaning = record
        usual = "Arguments" if isinstance(one, TyperArgument) else "Options"
        line = f"- `{names}`: {re.sub(r'  +', ' ', meaning)}\n"
        panels.setdefault(one.rich_help_panel or usual, []).append(line)
    for title, lines in panels.items():
        yield f"\n**{title}**\n\n" + "".join(lines)


def main() -> None:
    """Write the page, or fail when it does not agree with the code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    wanted = page()
    if parser.parse_args().check:
        if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != wanted:
            raise SystemExit("docs/commands.md is out of date: run python docs/make_commands.py")
    else:
        PAGE.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
