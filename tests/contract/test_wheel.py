"""What pip installs: the wheel, an editable install and a checkout all find their own files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import stylehead

pytestmark = pytest.mark.slow

ROOT = Path(stylehead.__file__).parent.parent
ASK = """
import json
from stylehead.style.file import find_style, list_styles
from stylehead.weights import store
entries = store.read_manifest()
print(json.dumps({
    "package": str(store.PACKAGE),
    "names": sorted(entries),
    "embedded": [str(store.resolve(n)) for n, entry in entries.items() if entry.embedded],
    "styles": sorted(name for name, _, built_in in list_styles() if built_in),
    "default": find_style("plain").name,
}))
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """Return a copy of the checkout: nothing is built inside the real one."""
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("not run from a checkout")
    copy = tmp_path_factory.mktemp("checkout") / "stylehead"
    unwanted = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", "dist", "build", "shared")
    shutil.copytree(ROOT, copy, ignore=unwanted)
    return copy


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", folder, checkout)
    (found,) = folder.glob("*.whl")
    return found


def run(*words: object, python: object = sys.executable, cwd: Path | None = None) -> str:
    """Run Python with this process's paths left out; returns what it printed."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=clean | {"PYTHONDONTWRITEBYTECODE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def new_environment(folder: Path) -> Path:
    """Return the interpreter of an empty environment that sees the libraries of this one.

    They come last on its path, so that only its own stylehead can be imported.
    """
    run("-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    paths = {"base": str(folder), "platbase": str(folder)}
    own = Path(sysconfig.get_path("purelib", scheme="venv", vars=paths))
    lent = [path for path in sys.path if path.endswith("-packages") and Path(path).is_dir()]
    (own / "zz_lent.pth").write_text("".join(f"{path}\n" for path in lent))
    return python


def names_in(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def listed(checkout: Path) -> dict[str, object]:
    from stylehead.weights.store import read_manifest

    return {
        "names": sorted(read_manifest(checkout / "weights.toml")),
        "styles": sorted(p.stem for p in (checkout / "stylehead/assets/styles").glob("*.style")),
        "default": "plain",
    }


def answers(python: Path, package: Path, wanted: dict[str, object], cwd: Path) -> None:
    """Check what an installed stylehead says about itself, from a folder that is not a checkout."""
    said = json.loads(run("-c", ASK, python=python, cwd=cwd))
    assert Path(said.pop("package")) == package
    assert all(Path(path).is_relative_to(package) for path in said.pop("embedded"))
    assert said == wanted


def test_the_wheel_holds_the_whole_package(wheel, checkout):
    there = names_in(wheel)
    package = checkout / "stylehead"
    wanted = {
        path.relative_to(checkout).as_posix() for path in package.rglob("*") if path.is_file()
    }
    wanted = {name for name in wanted if not name.endswith((".pyc", ".nbi", ".nbc"))}
    assert "stylehead/weights.toml" in there
    assert {name for name in wanted if "assets/styles/" in name} <= there
    assert not wanted - there


def test_the_wheel_holds_nothing_else(wheel):
    beside = [name for name in names_in(wheel) if not name.startswith("stylehead/")]
    about, rest = (
        [name for name in beside if (".dist-info/" in name) is of_it] for of_it in (True, False)
    )
    assert len({name.split("/")[0] for name in about}) == 1
    assert len(rest) == 1
    assert rest[0].endswith(".data/data/share/man/man1/stylehead.1")


def test_the_wheels_manifest_is_the_checkouts(wheel, checkout):
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("stylehead/weights.toml") == (checkout / "weights.toml").read_bytes()


def test_the_wheel_carries_licence_readme_and_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        read = {
            name.split("/")[-1]: archive.read(name).decode() for name in names if "info/" in name
        }
    assert "LICENSE" in read
    assert f"Version: {stylehead.__version__}" in read["METADATA"]
    assert "# stylehead" in read["METADATA"]
    assert "stylehead = stylehead.__main__:main" in read["entry_points.txt"]


def test_an_installed_wheel_finds_its_files(wheel, checkout, tmp_path):
    python = new_environment(tmp_path / "venv")
    offline = ("--no-deps", "--no-index", "--ignore-installed")  # one may be visible from outside
    run("-m", "pip", "--python", python, "install", "--quiet", *offline, wheel)
    (package,) = (tmp_path / "venv" / "lib").glob("python*/site-packages/stylehead")
    answers(python, package, listed(checkout), tmp_path)
    command = tmp_path / "venv" / "bin" / "stylehead"
    assert command.is_file()
    assert stylehead.__version__ in run("-m", "stylehead", "--version", python=python, cwd=tmp_path)


def test_an_editable_install_finds_its_files(checkout, tmp_path):
    """An editable install is a path file that names the checkout; nothing is copied."""
    python = new_environment(tmp_path / "venv")
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (packages / "_stylehead.pth").write_text(f"{checkout}\n")
    answers(python, checkout / "stylehead", listed(checkout), tmp_path)


def test_a_checkout_finds_its_files(checkout, tmp_path):
    python = new_environment(tmp_path / "venv")
    answers(python, checkout / "stylehead", listed(checkout), checkout)
