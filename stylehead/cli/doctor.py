"""stylehead doctor: what this machine can do, and what to mend."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer

from stylehead.cli.options import takes
from stylehead.errors import DeviceError, MediaError, StyleheadError, missing_library
from stylehead.version import __version__
from stylehead.weights.store import PACKAGE, home, place_of, read_manifest, resolve

DISK_NEEDED = 200e6  # bytes: models and a few minutes of video
TRIAL = 2.0  # seconds of video


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check, and the remedy when it is not good."""

    name: str
    good: bool
    message: str
    remedy: str = ""


@takes()
def doctor() -> None:
    """Check this machine: libraries, device, model files, disk; and make a two-second video."""
    from stylehead.cli import console

    results = run_checks()
    console.table(
        "stylehead doctor",
        ("", "check", "result", "remedy"),
        [
            ("ok" if check.good else "FAIL", check.name, check.message, check.remedy)
            for check in results
        ],
    )
    if not all(check.good for check in results):
        raise typer.Exit(1)
    console.result("All well.")


def run_checks() -> list[Check]:
    """Run every check; one that fails does not keep the others from running."""
    checks: dict[str, Callable[[], str]] = {
        "Python": _python,
        "torch": _torch,
        "video and sound": _codecs,
        "model files": _models,
        "face tracker": _tracker,
        "signatures": _signatures,
        "disk": _disk,
        "trial video": _trial,
    }
    results = [Check("stylehead", True, f"{__version__} at {PACKAGE}")]
    for name, check in checks.items():
        try:
            results.append(Check(name, True, check()))
        except StyleheadError as failure:
            results.append(Check(name, False, str(failure), failure.remedy))
        except (ImportError, OSError) as failure:
            remedy = "Install stylehead again: pip install -c constraints.txt ."
            if ".so" in str(failure):
                remedy = missing_library(failure).remedy
            results.append(Check(name, False, str(failure), remedy))
    return results


def _python() -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _torch() -> str:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA GPU"
    return f"{torch.__version__}, {torch.get_num_threads()} threads, {gpu}"


def _codecs() -> str:
    from stylehead.media.muxer import missing_encoders

    missing = missing_encoders()
    if missing:
        raise DeviceError(
            f"PyAV lacks {', '.join(missing)}.",
            remedy="pip install --force-reinstall -c constraints.txt av",
        )
    return "H.264 and AAC encoders are there"


def _models() -> str:
    """Check what ships with the package, and whatever was downloaded."""
    parts: list[str] = []
    for name, entry in read_manifest().items():
        if entry.embedded or place_of(entry).is_file():
            path = resolve(name)
            parts.append(f"{name} {path.stat().st_size / 1e6:.1f} MB")
    return ", ".join(parts)


def _tracker() -> str:
    from stylehead.tracking.detector import landmarker

    with landmarker(video=False):
        return "starts"


def _signatures() -> str:
    from stylehead.provenance.keys import own_root
    from stylehead.provenance.sign import library

    own = "a key of your own" if own_root() else "a key is made with the first video"
    return f"C2PA {library().sdk_version()}, {own}"


def _disk() -> str:
    folder = home()
    while not folder.exists():
        folder = folder.parent
    free = {str(path): shutil.disk_usage(path).free for path in (folder, Path.cwd())}
    short = [path for path, bytes_free in free.items() if bytes_free < DISK_NEEDED]
    if short:
        raise MediaError(
            f"Less than {DISK_NEEDED / 1e6:.0f} MB free at {', '.join(short)}.",
            remedy="Free some space, or set STYLEHEAD_HOME to a folder on another disk.",
        )
    return ", ".join(f"{path}: {bytes_free / 1e9:.1f} GB free" for path, bytes_free in free.items())


def _trial() -> str:
    from stylehead.files.locks import temporary_folder
    from stylehead.options import Options
    from stylehead.pipeline import run as pipeline
    from stylehead.weights.store import demo_files

    with temporary_folder() as folder:
        image, audio = demo_files()
        start = time.perf_counter()
        options = Options(duration=TRIAL, crop=True, fps=25)
        result = pipeline.animate(image, audio, folder / "trial.mp4", options=options)
        seconds = time.perf_counter() - start
    return f"{len(result.motion)} frames in {seconds:.1f} s ({sys.executable})"
