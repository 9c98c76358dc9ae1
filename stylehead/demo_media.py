"""The demo's portrait and voice.

The portrait is NASA's of Eileen Collins, public domain, which scikit-image ships; the voice was
made with the free synthesiser Flite (see examples/README.md).
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from stylehead import images, weights


@contextmanager
def files() -> Generator[tuple[Path, Path]]:
    """Yield the paths of a portrait and of a recording."""
    from skimage import data

    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "astronaut.png"
        images.write_image(image, data.astronaut())
        yield image, weights.PACKAGE / "assets" / "demo_voice.ogg"
