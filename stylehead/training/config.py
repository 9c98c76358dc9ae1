"""TOML -> settings of a training stage: the code's defaults, and what a recipe says otherwise."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from stylehead.errors import WeightsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")
RECIPES = Path(__file__).parent / "recipes"


def read_config(name: str, kind: type[T]) -> T:
    """Return the settings of a recipe that comes along, by name, or of a TOML file.

    Keys are the fields of `kind`; what a file leaves out stays at its default. Raises WeightsError
    for a file that is not there, unknown keys and values of another type.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in RECIPES.glob("*.toml")))
        raise WeightsError(
            f"There is no training recipe {name}.", remedy=f"Give a TOML file, or one of: {known}."
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} is not TOML ({error}).", remedy="Mend that line.") from error
    defaults: dict[str, Any] = {one.name: getattr(kind(), one.name) for one in fields(kind)}  # pyright: ignore
    for key, value in table.items():
        if key not in defaults:
            raise WeightsError(
                f"{path} sets {key}, which this stage does not know.",
                remedy=f"Use: {', '.join(defaults)}.",
            )
        default = defaults[key]
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value)
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if type(value) is not type(default):
            raise WeightsError(
                f"{path} sets {key} to {value!r}.",
                remedy=f"Give a value like the default, {default!r}.",
            )
        defaults[key] = value
    return kind(**defaults)
