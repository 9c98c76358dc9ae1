"""TOML -> config of a training stage: its defaults, and what a recipe says otherwise."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from stylehead.errors import ConfigError
from stylehead.files import parse_toml

T = TypeVar("T")
RECIPES = Path(__file__).parent / "recipes"
RENAMED = {
    "spoken": "synthetic_speech",
    "imagined": "pseudo_labels",
    "pieces": "pseudo_label_pieces",
}
"""Keys of recipes and checkpoints of version 0.1, and their names now."""


def with_new_names(table: dict[str, Any]) -> dict[str, Any]:
    """Return a config's table with the keys of today."""
    return {RENAMED.get(key, key): value for key, value in table.items()}


def read_config(name: str, kind: type[T]) -> T:
    """Read a built-in recipe, by name, or a TOML file into a frozen dataclass.

    Keys are the fields of `kind`; a field that the file leaves out keeps its default.

    Raises ConfigError when there is no such recipe, and for text that is not TOML, unknown keys
    and values of another type.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(recipe.stem for recipe in RECIPES.glob("*.toml")))
        raise ConfigError(
            f"There is no training recipe {name}.", remedy=f"Give a TOML file, or one of: {known}."
        )
    try:
        table = with_new_names(parse_toml(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ConfigError(f"{path} is not TOML ({error}).", remedy="Correct that line.") from error
    keys = [field.name for field in fields(kind)]  # pyright: ignore[reportArgumentType] (a T)
    for key in table.keys() - set(keys):
        raise ConfigError(
            f"{path} sets {key}, which this stage does not know.",
            remedy=f"Use: {', '.join(keys)}.",
        )
    try:
        # As JSON, for there a list may fill a tuple and a whole number a float; else strictly.
        return TypeAdapter(kind).validate_json(to_json(table), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = first["loc"][0]
        raise ConfigError(
            f"{path} sets {key} to {table[str(key)]!r}.",
            remedy=f"{first['msg']}. The default is {getattr(kind(), str(key))!r}.",
        ) from error
