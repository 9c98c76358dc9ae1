"""The package's files as syntax trees, each parsed once for all checks."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def tree(path: Path) -> ast.Module:
    """Return a file's syntax tree, which nobody may change."""
    return ast.parse(path.read_text(encoding="utf-8"))
