"""Readers of texts and of our own files, fed by atheris: inputs are led by the code they reach.

Each reader gets a process of its own, since libFuzzer ends the one that it runs in.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from stylehead.errors import StyleheadError
from tests.fuzz.targets import TARGETS

READERS = ("made-up lrc", "made-up srt", "made-up recipe", "made-up manifest")
READERS += ("made-up motion", "made-up style")
LONGEST = 4096  # bytes of an input
SECONDS = 20  # that one input may take
MEGABYTES = 2000  # of memory


def guided(runs: int, seed: int) -> list[str]:
    """Return what was found in so many runs of each reader."""
    if not runs:
        return []
    if importlib.util.find_spec("atheris") is None:
        return ["--guided needs atheris: pip install atheris (Linux and macOS)"]
    findings: list[str] = []
    for name in READERS:
        with tempfile.TemporaryDirectory(prefix="stylehead-fuzz-") as folder:
            words = ["-m", "tests.fuzz.guided", name, f"-runs={runs}", f"-seed={seed + 1}"]
            words += [f"-max_len={LONGEST}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}"]
            words += [f"-artifact_prefix={folder}/"]
            done = subprocess.run(
                [sys.executable, *words],
                capture_output=True,
                text=True,
                errors="replace",
                env={**os.environ, "TMPDIR": folder},  # libFuzzer ends without tidying up
            )
            print(f"{name}: {runs} runs led by coverage")
            if done.returncode:
                findings.append(f"{name}, led by coverage: {done.stderr[-3000:]}")
                print(findings[-1])
    return findings


def _feed(name: str, words: list[str]) -> None:
    atheris: Any = importlib.import_module("atheris")  # of the extra `fuzz`, where it has wheels
    with atheris.instrument_imports(include=["stylehead"]):
        import stylehead.media.cues
        import stylehead.motion.file
        import stylehead.style.file
        import stylehead.training.config
        import stylehead.weights.manifest  # noqa: F401
    target = TARGETS[name]
    path = Path(tempfile.mkdtemp()) / f"case.{target.suffix}"

    def once(content: bytes) -> None:
        path.write_bytes(content)
        try:
            target.use(path)
        except StyleheadError:
            return

    atheris.Setup([sys.argv[0], *words], once)
    atheris.Fuzz()


if __name__ == "__main__":
    _feed(sys.argv[1], sys.argv[2:])
