"""Write docs/stylehead.1, the man page, from the command line itself; with --check only compare."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.main import get_command

from stylehead.cli.app import app

PAGE = Path(__file__).with_name("stylehead.1")
HEAD = r""".\" Written by docs/make_manual.py; its text is in stylehead/cli/ and options.
.TH STYLEHEAD 1 "" "" "User commands"
.SH NAME
stylehead \- make a portrait speak or sing a recording, in the style of a clip
.SH SYNOPSIS
.B stylehead
.RI [ -q | -v ]
.I command
.RI [ options ]
"""
FOOT = r""".SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
A failure, told in one line with its remedy.
.TP
.B 2
A mistake on the command line.
.TP
.B 3
.B verify
has found neither a signature nor the mark.
.TP
.B 130
Interrupted.
.SH FILES
.TP
.I stylehead.toml
Defaults and presets of
.B animate
and
.BR motion ,
in the working folder.
.TP
.I ~/.config/stylehead/stylehead.toml
The same for all folders.
.SH ENVIRONMENT
.TP
.B STYLEHEAD_HOME
Folder for fetched models, the user's styles, and the key that signs videos.
.TP
.B STYLEHEAD_DEBUG
If set to 1, failures show a traceback.
"""
LEFT_OUT = {"install_completion", "show_completion"}  # worded after the shell this runs in


def manual() -> str:
    """Return the whole page; it depends on the code alone, not on terminal or shell."""
    root = get_command(app)
    context = typer.Context(root, info_name="stylehead")
    return HEAD + "".join(sections(root, context)) + FOOT


def sections(command: object, context: typer.Context) -> Iterator[str]:
    """Yield one section per command, groups before what they hold."""
    usage = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
    title = "DESCRIPTION" if context.parent is None else context.command_path
    yield f'.SH "{roff(title.upper())}"\n.nf\n.B {roff(usage)}\n.fi\n'
    yield from prose(context.command.help or "")
    for one in context.command.params:
        if isinstance(one, TyperArgument | TyperOption) and one.name not in LEFT_OUT:
            record = one.get_help_record(context)
            if record is not None:
                names, meaning = record
                yield f".TP\n.B {roff(names)}\n{roff(re.sub(r'  +', ' ', meaning))}\n"
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from sections(child, typer.Context(child, info_name=name, parent=context))


def prose(text: str) -> Iterator[str]:
    """Yield a help text; indented lines are commands, [bold] lines introduce them."""
    for block in re.split(r"\n\s*?\n", re.sub(r"\[bold\](.*?)\[/\]", r"\1:", text).strip()):
        body = "\n".join(roff(line.strip()) for line in block.strip().splitlines())
        yield f".RS\n.nf\n{body}\n.fi\n.RE\n" if block.startswith("  ") else f".PP\n{body}\n"


def roff(text: str) -> str:
    """Return a text in which nothing is taken for a command of the typesetter."""
    plain = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


def main() -> None:
    """Write the page, or fail when it does not agree with the code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    wanted = manual()
    if parser.parse_args().check:
        if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != wanted:
            raise SystemExit("docs/stylehead.1 is out of date: run python docs/make_manual.py")
    else:
        PAGE.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
