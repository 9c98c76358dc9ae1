"""An option as a dataclass field: its default, its help, its bounds."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def option(
    default: Any,
    help: str,
    *,
    flag: str | None = None,
    panel: str | None = None,
    low: float | None = None,
    high: float | None = None,
    metavar: str | None = None,
) -> Any:
    """Return a dataclass field that is an option.

    Args:
        default: What counts when nothing is said; its type follows the field's annotation.
        help: The sentence that `--help` shows, and the field's documentation.
        flag: The command line's flag where it is not the field's name.
        panel: Heading of the help under which the option stands.
        low: Least value allowed on the command line.
        high: Largest value allowed on the command line.
        metavar: What the help calls a value, where its type does not say enough.
    """
    metadata = {
        "help": help,
        "flag": flag,
        "panel": panel,
        "low": low,
        "high": high,
        "metavar": metavar,
    }
    return field(default=default, metadata=metadata)
