"""Who may import whom: read from the syntax, so that nothing has to be installed or run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import stylehead
from tests.contract.trees import tree

PACKAGE = Path(stylehead.__file__).parent
ROOT = Path(__file__).parents[2]
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def imported(path: Path) -> frozenset[str]:
    """Return every dotted name that a file imports, anywhere in it; `from a import b` gives a.b."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return frozenset(found)


PATHS = {name_of(path): path for path in FILES}
MODULES = {name for name in PATHS if name}


def own(module: str) -> set[str]:
    """Return the modules of the package that a module imports."""
    found = {name.removeprefix("stylehead.") for name in imported(PATHS[module])}
    return found & (MODULES - {module})


def test_imports_have_no_cycle():
    waiting = {module: own(module) for module in MODULES}
    while waiting:
        free = {module for module, needs in waiting.items() if not needs & set(waiting)}
        assert free, f"these import each other: {sorted(waiting)}"
        waiting = {module: needs for module, needs in waiting.items() if module not in free}


def test_nobody_prints_and_nobody_starts_a_shell():
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "os.system", "exec", "eval"), path
                shells = [word for word in node.keywords if word.arg == "shell"]
                assert not shells, path


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after running code."""
    shown = f"import sys\n{code}\nprint(*sorted({{n.split('.')[0] for n in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", shown],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *sys.path])},
    )
    return set(done.stdout.split())


HEAVY = {"torch", "numpy", "mediapipe", "av", "cv2", "scipy", "numba", "PIL", "librosa"}
SIGNING = {"c2pa", "cryptography"}


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_by("import stylehead") & (HEAVY | {"rich", "typer", "safetensors"})


def test_importing_the_command_line_loads_nothing_heavy():
    assert not loaded_by("import stylehead.cli") & (HEAVY | {"huggingface_hub", "httpx2"})


def test_signals_are_answered_before_anything_large_is_loaded():
    loaded = loaded_by("from stylehead.__main__ import main")
    assert not loaded & (HEAVY | {"typer", "rich", "safetensors"})


def test_what_signs_is_loaded_when_a_video_is_finished():
    assert not loaded_by("import stylehead.pipeline.run, stylehead.provenance.verify") & SIGNING


def test_a_public_name_loads_when_it_is_used():
    loaded = loaded_by("import stylehead\nstylehead.Options, stylehead.StyleheadError")
    assert not loaded & HEAVY
    assert "numpy" in loaded_by("import stylehead\nstylehead.Motion")


def test_librosa_is_loaded_under_its_lock_only():
    """Two processes that compile it at the same time break it for good (motion/beat.py)."""
    loads = re.compile(r"^\s*(import|from) librosa|importorskip\(.librosa", re.MULTILINE)
    found = [
        path.relative_to(ROOT).as_posix()
        for top in ("stylehead", "tests", "benchmarks", "examples", "docs")
        for path in (ROOT / top).rglob("*.py")
        if loads.search(path.read_text())
    ]
    assert found == ["stylehead/motion/beat.py"]
