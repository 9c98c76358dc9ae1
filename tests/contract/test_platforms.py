"""Every platform that the README names finds a wheel for all that stylehead depends on."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import OUTSIDE

ROOT = Path(__file__).resolve().parents[2]
PLATFORMS = {
    "Linux": ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28"),
    "Windows": ("x86_64-pc-windows-msvc",),
    "macOS": ("aarch64-apple-darwin",),
}
OLDEST_MACOS = "14.0"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("uv"), reason="uv resolves for other platforms"),
]


def resolved(platform: str, python: str) -> str:
    """Return what is installed there, one `name==version` a line; skips without a connection."""
    command = ["uv", "pip", "compile", "pyproject.toml", "--constraint", "constraints.txt"]
    command += ["--python-platform", platform, "--python-version", python, "--quiet"]
    command += ["--only-binary", ":all:", "--no-annotate", "--no-header"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env=OUTSIDE | {"MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS},
    )
    if re.search(r"error sending request|[Cc]onnect|dns error|timed out", done.stderr):
        pytest.skip("needs a connection to a package index")
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.mark.parametrize("python", ["3.10", "3.14"])
@pytest.mark.parametrize("platform", [one for each in PLATFORMS.values() for one in each])
def test_all_wheels_are_there(platform: str, python: str) -> None:
    lines = resolved(platform, python).splitlines()
    names = {line.split("==")[0] for line in lines if "==" in line}
    assert {"torch", "mediapipe", "av", "numba", "c2pa-python", "cryptography"} <= names


def test_the_readme_names_them() -> None:
    said = (ROOT / "README.md").read_text("utf-8")
    for name in PLATFORMS:
        assert name in said
    assert f"macOS {OLDEST_MACOS.removesuffix('.0')}" in said
