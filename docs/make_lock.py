"""Write requirements.lock: what stylehead needs, at the versions of constraints.txt, with hashes.

    python docs/make_lock.py           needs uv (`pip install uv`) and a connection
    python docs/make_lock.py --audit   besides, asks pip-audit for known holes

One file for Linux, macOS and Windows; `pip install --require-hashes -r requirements.lock` takes it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
PYTHON = "3.11"
"""Of the lock; constraints.txt serves others, too."""


def main() -> None:
    """Resolve, and write."""
    command = ["uv", "pip", "compile", "pyproject.toml", "--constraint", "constraints.txt"]
    command += ["--generate-hashes", "--universal", "--python-version", PYTHON, "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--quiet"]
    command += ["--custom-compile-command", "python docs/make_lock.py"]
    subprocess.run([*command, "--output-file", LOCK.name], cwd=ROOT, check=True)
    if "--audit" in sys.argv[1:]:
        subprocess.run(["pip-audit", "--requirement", LOCK.name, "--disable-pip"], cwd=ROOT)


if __name__ == "__main__":
    main()
