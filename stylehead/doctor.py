"""What this machine can do, and what to mend."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stylehead import weights
from stylehead.errors import StyleheadError, missing_library
from stylehead.version import __version__

DISK_NEEDED = 200e6  # bytes: models and a few minutes of video
TRIAL = 2.0  # seconds of video


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and the remedy when it is not good."""

    name: str
    good: bool
    found: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Run every check; one that fails does not keep the others from running."""
    checks: dict[str, Callable[[], str]] = {
        "Python": _python,
        "torch": _torch,
        "video and sound": _codecs,
        "model files": _models,
        "face tracker": _tracker,
        "disk": _disk,
        "two-second trial": _trial,
    }
    findings = [Finding("stylehead", True, f"{__version__} at {weights.PACKAGE}")]
    for name, check in checks.items():
        try:
            findings.append(Finding(name, True, check()))
        except StyleheadError as failure:
            findings.append(Finding(name, False, str(failure), failure.remedy))
        except (ImportError, OSError) as failure:
            remedy = "Install stylehead again: pip install -c constraints.txt ."
            if ".so" in str(failure):
                remedy = missing_library(failure).remedy
            findings.append(Finding(name, False, str(failure), remedy))
    return findings


def _python() -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _torch() -> str:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA GPU"
    return f"{torch.__version__}, {torch.get_num_threads()} threads, {gpu}"


def _codecs() -> str:
    from stylehead import media

    missing = media.missing_encoders()
    if missing:
        raise StyleheadError(
            f"PyAV lacks {', '.join(missing)}.", remedy="pip install --force-reinstall av"
        )
    return "H.264 and AAC encoders are there"


def _models() -> str:
    """Check what every video needs, fetching it at need, and whatever else was fetched."""
    parts: list[str] = []
    for name, entry in weights.read_manifest().items():
        if entry.profile in weights.USUAL or weights.place_of(entry).is_file():
            path = weights.resolve(name)
            parts.append(f"{name} {path.stat().st_size / 1e6:.1f} MB")
    return ", ".join(parts)


def _tracker() -> str:
    from stylehead import tracking

    with tracking.landmarker(video=False):
        return "starts"


def _disk() -> str:
    folder = weights.home()
    while not folder.exists():
        folder = folder.parent
    free = {str(place): shutil.disk_usage(place).free for place in (folder, Path.cwd())}
    short = [place for place, bytes_free in free.items() if bytes_free < DISK_NEEDED]
    if short:
        raise StyleheadError(
            f"Less than {DISK_NEEDED / 1e6:.0f} MB free at {', '.join(short)}.",
            remedy="Make room, or set STYLEHEAD_HOME to another disk.",
        )
    return ", ".join(
        f"{place}: {bytes_free / 1e9:.1f} GB free" for place, bytes_free in free.items()
    )


def _trial() -> str:
    from stylehead import demo_media, pipeline
    from stylehead.options import Options

    with tempfile.TemporaryDirectory() as folder, demo_media.files() as (image, audio):
        began = time.perf_counter()
        options = Options(duration=TRIAL, crop=True, fps=25)
        done = pipeline.animate(image, audio, Path(folder) / "trial.mp4", options=options)
        took = time.perf_counter() - began
    return f"{done.frames} frames in {took:.1f} s ({sys.executable})"
