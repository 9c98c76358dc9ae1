"""The demo's portrait and voice.

The portrait is NASA's of Eileen Collins, public domain; the voice was made with the free
synthesiser Flite (see examples/README.md).
"""

from __future__ import annotations

from pathlib import Path

from stylehead.weights.store import asset


def demo_files() -> tuple[Path, Path]:
    """Return the paths of a portrait and of a recording to try with."""
    return asset("demo_portrait.webp"), asset("demo_voice.ogg")
