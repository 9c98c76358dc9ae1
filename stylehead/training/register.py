"""Enter a freshly trained file into weights.toml."""

from __future__ import annotations

import re
from pathlib import Path

from stylehead import weights
from stylehead.errors import WeightsError


def checkout_manifest() -> Path:
    """Return the checkout's weights.toml; an installed package has none that may be written."""
    manifest = weights.PACKAGE.parent / "weights.toml"
    if not manifest.is_file():
        raise WeightsError(
            f"{manifest} is not there.",
            remedy="Train from a checkout, installed with pip install -e .",
        )
    return manifest


def register(name: str, path: Path) -> None:
    """Write the file's size and sha256 into the checkout's weights.toml."""
    manifest = checkout_manifest()
    text = manifest.read_text(encoding="utf-8")
    entry = re.search(rf"^\[{re.escape(name)}\]\n(?:.+\n)*", text, re.MULTILINE)
    if entry is None:
        raise WeightsError(f"weights.toml has no entry {name!r}.", remedy="Add the entry first.")
    block = re.sub(r"(?m)^bytes = .*$", f"bytes = {path.stat().st_size}", entry[0])
    block = re.sub(r"(?m)^sha256 = .*$", f'sha256 = "{weights.digest(path)}"', block)
    manifest.write_text(text[: entry.start()] + block + text[entry.end() :], encoding="utf-8")
