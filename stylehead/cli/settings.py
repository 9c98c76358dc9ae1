"""stylehead.toml: what the options of a command are where its command line does not say."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction
from functools import cache, partial, wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import platformdirs
import typer
from typer.core import TyperOption
from typer.main import get_command

from stylehead.cli.log import LOG
from stylehead.cli.options import keyword, loudness
from stylehead.errors import ConfigError
from stylehead.files import is_file, parse_toml
from stylehead.options import LOOKS

T = TypeVar("T")

FILE = "stylehead.toml"
COMMANDS = ("animate", "motion")
"""Commands that have a table of their own."""
OF_ONE_RUN = {
    "dry-run",
    "json",
    "json-lines",
    "log",
    "overwrite",
    "preset",
    "preview",
    "quiet",
    "verbose",
}
"""Options that a file does not have: what is asked of one run, and leave to replace what is there,
which a folder of somebody else's must not give."""
ONE_OF = ("style", "style_video", "motion")
"""Of these a command takes one: a table that says one of them puts the others away."""
FILES_INSIDE = {"style", "style_region", "sing"}
"""Options whose texts have names of files between = , and :."""
MOST = 1_000_000
"""Characters of a file that are read."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Table:
    """Options as one table of a file has them."""

    where: str
    """The file and the table, for messages."""
    options: Mapping[str, object]
    """Name of the parameter -> value; relative paths count from the file."""


@dataclass(slots=True)
class Settings:
    """What files say for one run."""

    values: dict[str, object] = field(default_factory=dict[str, object])
    """Name of the parameter -> value."""
    origin: dict[str, str] = field(default_factory=dict[str, str])
    """Name of the parameter -> file and table."""

    def add(self, table: Table, known: Iterable[str]) -> None:
        """Have a table win over what was said so far, in what a command knows."""
        said = {name: value for name, value in table.options.items() if name in known}
        if any(name in said for name in ONE_OF):
            for name in ONE_OF:
                self.drop(name)
        self.values |= said
        self.origin |= dict.fromkeys(said, table.where)

    def drop(self, name: str) -> None:
        """Forget an option."""
        self.values.pop(name, None)
        self.origin.pop(name, None)


def user_file() -> Path:
    """Return where a user's own settings are, whether or not the file is there."""
    return Path(platformdirs.user_config_dir("stylehead", False)) / FILE


def long_options(command: Any) -> dict[str, TyperOption]:
    """Return the long options of a command, without their dashes."""
    return {
        name.removeprefix("--"): one
        for one in command.params
        for name in one.opts
        if name.startswith("--")
    }


@cache
def command_of(run: Callable[..., object]) -> Any:
    """Return a function as a command by itself."""
    app = typer.Typer(add_completion=False)
    app.command()(run)
    return get_command(app)


# ---- files ----------------------------------------------------------------------------------


def read_tables(
    path: Path, command: str, context: typer.Context, known: Mapping[str, TyperOption]
) -> dict[str, Table]:
    """Return the command's table of a file, and those called preset.NAME; none without a file.

    known: what a preset may have, beyond what the command takes itself. Every option is checked as
    the command line would; raises ConfigError, which names the key.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MOST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(
            f"{path} cannot be read ({why}).", remedy="Mend it, or move it away."
        ) from error
    try:
        if len(text) > MOST:
            raise ValueError("more than a million characters")
        found = parse_toml(text)
    except ValueError as error:
        raise ConfigError(
            f"{path} is not TOML ({error}).", remedy="Correct it; see docs/settings.md."
        ) from error
    if unknown := [name for name in found if name not in (*COMMANDS, "preset")]:
        raise _unknown(str(path), unknown[0], (*COMMANDS, "preset"))
    own = long_options(context.command)
    read = partial(_table, path, context=context)
    tables = {name: read(name, found[name], own) for name in found if name == command}
    for name, table in _as_table(path, "preset", found.get("preset", {})).items():
        tables[f"preset.{name}"] = read(f"preset.{name}", table, {**known, **own})
    return tables


def _table(
    path: Path, name: str, table: object, known: Mapping[str, TyperOption], context: typer.Context
) -> Table:
    where = f"{path}, [{name}]"
    options: dict[str, object] = {}
    for key, value in _as_table(path, name, table).items():
        spelled = key.removeprefix("--").replace("_", "-")
        one = known.get(spelled)
        if one is None or spelled in OF_ONE_RUN:
            raise _unknown(where, key, [each for each in known if each not in OF_ONE_RUN])
        options[one.name] = _value(where, key, value, one, path.parent, context)
    if len(named := [name for name in ONE_OF if name in options]) > 1:
        given = " and ".join(name.replace("_", "-") for name in named)
        raise ConfigError(f"{where}: {given} cannot be given together.", remedy="Keep one of them.")
    return Table(where, options)


def _as_table(path: Path, name: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ConfigError(
            f"{path}: {name} is not a table of options.",
            remedy="Options stand below [animate], [motion] or [preset.NAME].",
        )
    return cast("dict[str, object]", value)


def _unknown(where: str, name: str, known: Iterable[str]) -> ConfigError:
    """Return what is said of a name that is not known, with the nearest that is."""
    near = get_close_matches(name.replace("_", "-"), list(known), 1, 0.5)
    return ConfigError(
        f"{where}: {name} is not known.",
        remedy=f"Did you mean {near[0]}?"
        if near
        else "See docs/settings.md for what may stand there.",
    )


def _value(
    where: str, key: str, value: object, one: TyperOption, folder: Path, context: typer.Context
) -> object:
    """Return a value of a file as the command line takes it; raises ConfigError for a wrong one."""
    several = cast("list[object]", value) if isinstance(value, list) and one.multiple else [value]
    given = several if one.multiple else value
    if isinstance(value, bool) and not one.is_flag:  # which Python takes for 0 and 1
        raise ConfigError(f"{where}: {key} is no switch.", remedy="Give it a value.")
    try:
        read = one.process_value(context, given)
    except typer.BadParameter as error:
        said = re.sub(r" for <class .*?>", "", error.message).rstrip(".")
        raise ConfigError(f"{where}: {key} is wrong: {said}.", remedy="Correct it.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise _wrong_type(where, key, read=None) from error
    first = read[0] if isinstance(read, list) and read else read
    if not all(_fits(each, first) for each in several):
        raise _wrong_type(where, key, first)
    if isinstance(first, Path):
        return str(folder / first)
    if one.name in FILES_INSIDE:
        texts = [_from_folder(str(each), folder) for each in several]
        return texts if one.multiple else texts[0]
    return given


def _fits(value: object, read: object) -> bool:
    """Return whether a value is written in the type that it is read as."""
    if isinstance(read, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(read, bool)
    if isinstance(read, float):
        return isinstance(value, int | float) and value == value  # not nan
    if isinstance(read, Fraction):
        return isinstance(value, int | float | str)
    return isinstance(value, int if isinstance(read, int) else str)


def _wrong_type(where: str, key: str, read: object) -> ConfigError:
    kinds = ((bool, "true or false"), (int, "a whole number"), (float, "a number"))
    wanted = next((said for kind, said in kinds if isinstance(read, kind)), "a text")
    return ConfigError(f"{where}: {key} takes {wanted}.", remedy="Write it as such.")


def _from_folder(text: str, folder: Path) -> str:
    """Return a text in which names of files of a folder are whole paths."""

    def whole(found: re.Match[str]) -> str:
        path = folder / found[0].strip()
        return str(path) if is_file(path) else found[0]

    return re.sub(r"[^=,:]+", whole, text)


# ---- one run --------------------------------------------------------------------------------


def settings_of(
    command: str, preset: str | None, context: typer.Context, known: Mapping[str, TyperOption]
) -> Settings:
    """Return what files say: the user's, the folder's, then the preset of each.

    Raises ConfigError for a wrong file, BadParameter for a preset that neither has.
    """
    files = [read_tables(path, command, context, known) for path in (user_file(), Path(FILE))]
    names = [command]
    if preset is not None:
        every = {name for tables in files for name in tables if name.startswith("preset.")}
        there = sorted(name.removeprefix("preset.") for name in every)
        if preset not in there:
            near = get_close_matches(preset, there, 1, 0.5)
            also = f" Did you mean {near[0]}?" if near else f" Known: {', '.join(there) or 'none'}."
            raise typer.BadParameter(f"{preset} is no preset of {FILE}.{also}")
        names.append(f"preset.{preset}")
    mine = {str(one.name) for one in context.command.params}
    found = Settings()
    for name in names:
        for tables in files:
            if name in tables:
                found.add(tables[name], mine)
    return found


def with_settings(
    command: str, shares_presets: Callable[..., object] | None = None
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a command `--preset`, and have files say what its command line does not.

    A preset may also have options of `shares_presets`, another command. Options that would be
    ignored are refused where the command line has them, and left out where a file has them:
    defaults need not fit every run.
    """

    def read(context: typer.Context, preset: str | None) -> str | None:
        if not context.resilient_parsing:  # completion asks for names alone
            other = long_options(command_of(shares_presets)) if shares_presets else {}
            found = settings_of(command, preset, context, other)
            context.default_map = found.values
            context.meta[FILE] = found
        return preset

    option = typer.Option(
        "--preset",
        metavar="NAME",
        help=f"Use the options of the table [preset.NAME] in {FILE}. Default: none.",
        is_eager=True,
        callback=read,
        rich_help_panel=LOOKS,
    )

    def wrap(run: Callable[..., T]) -> Callable[..., T]:
        @wraps(run)
        def settled(*, context: typer.Context, preset: str | None, **given: Any) -> T:
            del preset  # it has been read
            loudness(quiet=given["quiet"], verbose=given["verbose"])
            if given["log"]:
                _start_log(given)
            _settle(given, context)
            return run(**given)

        added = [
            Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context),
            keyword("preset", Annotated[str | None, option], None),
        ]
        settled.__signature__ = Signature([*signature(run).parameters.values(), *added])  # pyright: ignore[reportAttributeAccessIssue] (typer reads it)
        return settled

    return wrap


def _settle(given: dict[str, Any], context: typer.Context) -> None:
    """Leave out what files say and this run cannot use; raises BadParameter for the user's own."""
    from stylehead.pipeline.unused import unused

    found: Settings = context.meta.get(FILE) or Settings()
    usual = {one.name: one.default for one in context.command.params}
    own = {name for name in given if _said(context, name)}
    while wrong := next(unused(given, own | found.values.keys()), None):
        names = [wrong.name] if wrong.name not in own else [*wrong.because]
        if not names or own.issuperset(names):
            raise typer.BadParameter(wrong.said)
        for name in found.values.keys() & names:
            _log.info("%s of %s is left out: %s", name, found.origin[name], wrong.said)
            found.drop(name)
            given[name] = usual[name]
    for name in sorted(found.values.keys() - own):
        _log.info("%s = %s (%s)", name.replace("_", "-"), found.values[name], found.origin[name])


def _start_log(given: Mapping[str, Any]) -> None:
    """Open the log; raises MediaError where that would write into anything else."""
    from stylehead.files import check_output

    if given["log"].resolve() == given["output"].resolve():
        raise typer.BadParameter("--log and --output are the same file.")
    check_output(given["log"], overwrite=True, inputs=[given.get("image"), given["audio"]])
    LOG.start(given["log"])


def _said(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
