"""Run mutmut on one module in a copy of the tree, with the tests that concern the module."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

MODULES: dict[str, tuple[str, ...]] = {
    "models/keypoints": (),
    "models/warping": ("models/test_liveportrait.py",),
    "models/manifold": (),
    "finetuning/losses": (),
    "training/mouth_losses": (),
    "training/data/region_weights": ("rendering/mouth/test_facial_map.py",),
    "style/templates": (),
    "style/references": (),
    "evaluation/metrics": (),
    "motion/stream": ("motion/test_generate.py", "motion/test_finishing.py"),
    "motion/finishing": ("motion/test_generate.py", "motion/test_file.py"),
}
"""Module -> unit tests that concern it beside those that mirror its name."""
THREADS = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
TIMEOUTS = {-24, 24, 36, 152, 255, -9}
"""Exit codes of tests that mutmut stopped."""
UNNOTICED = {0, 5, 33}
"""Exit codes of tests that passed, or that do not reach the mutant."""
SHOW = """
import sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
for name in sys.argv[2:]:
    print(get_diff_for_mutant(name, path=sys.argv[1]), end="\\0")
"""


@dataclass(frozen=True)
class Survivor:
    """A fault that no test noticed."""

    name: str
    """What mutmut calls it, as long as the module stays as it is."""
    function: str
    was: str
    now: str
    reached: bool
    """Whether any test runs the function at all."""
    diff: str


@dataclass(frozen=True)
class Result:
    """What became of the mutants of a module."""

    source_sha256: str
    """Of the module that was mutated."""
    mutants: int
    timeouts: int
    seconds: float
    survivors: list[Survivor]

    @property
    def killed(self) -> int:
        """Mutants that made a test fail."""
        return self.mutants - self.timeouts - len(self.survivors)

    @property
    def score(self) -> float:
        """Noticed mutants (a test that never ends is noticed, too), of all."""
        return 1 - len(self.survivors) / self.mutants


def selection_of(module: str) -> list[str]:
    """Return the unit test files that concern a module: test_NAME.py, test_NAME_*.py and others."""
    unit = ROOT / "tests" / "unit"
    room, _, name = module.rpartition("/")
    files = {*(unit / room).glob(f"test_{name}.py"), *(unit / room).glob(f"test_{name}_*.py")}
    files |= {unit / other for other in MODULES[module]}
    missing = [str(path) for path in files if not path.exists()]
    if missing:
        raise SystemExit(f"no longer there, see {__file__}: {', '.join(missing)}")
    return sorted(path.relative_to(ROOT).as_posix() for path in files)


def run(module: str, earlier: Result | None = None) -> Result:
    """Return what became of a module's mutants.

    With an earlier result of the same source only its survivors are tried again: tests that were
    added since cannot have let others live.
    """
    start = time.monotonic()
    source = f"stylehead/{module}.py"
    sha256 = hashlib.sha256((ROOT / source).read_bytes()).hexdigest()
    if earlier and earlier.source_sha256 != sha256:
        earlier = None
    if earlier and not earlier.survivors:
        return earlier
    names = [survivor.name for survivor in earlier.survivors] if earlier else []
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder)
        _copy_tree(copy, source, selection_of(module))
        words = ("from mutmut.__main__ import cli; cli()", "run", "--max-children", "1")
        output = _python(copy, *words, *names)
        meta = copy / "mutants" / f"{source}.meta"
        codes = json.loads(meta.read_text())["exit_code_by_key"] if meta.exists() else {}
        tried = {name: codes[name] for name in names or codes}
        if not tried or None in tried.values():
            raise SystemExit(f"mutmut did not finish {module}:\n{output[-4000:]}")
        unnoticed = [name for name, code in tried.items() if code in UNNOTICED]
        diffs = _python(copy, SHOW, source, *unnoticed).split("\0")[:-1]
    survivors = [
        _survivor(name, tried[name] == 0, diff) for name, diff in zip(unnoticed, diffs, strict=True)
    ]
    timeouts = sum(code in TIMEOUTS for code in tried.values())
    seconds = round(time.monotonic() - start, 1)
    if earlier:
        timeouts, seconds = timeouts + earlier.timeouts, seconds + earlier.seconds
    return Result(sha256, len(codes), timeouts, seconds, survivors)


def _copy_tree(copy: Path, source: str, tests: list[str]) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("stylehead", "tests", "docs", "examples"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    shutil.copy(ROOT / "weights.toml", copy)
    module = copy / source
    module.write_text(_undecorated(module.read_text(encoding="utf-8")), encoding="utf-8")
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    options = {
        "source_paths": ["stylehead"],
        "only_mutate": [source],
        "also_copy": ["weights.toml", "docs", "examples"],
        "pytest_add_cli_args": ["-n", "0", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": tests,
        "timeout_constant": 2.0,
    }
    # What JSON writes for lists of strings and numbers, TOML reads.
    lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
    text = "\n".join([pyproject, "[tool.mutmut]", *lines, ""])
    (copy / "pyproject.toml").write_text(text, encoding="utf-8")


def _undecorated(code: str) -> str:
    """Decorate functions that only forbid gradients at the end: mutmut skips decorated ones."""
    ends: list[str] = []

    def move(match: re.Match[str]) -> str:
        ends.append(f"{match['name']} = {match['decorator']}({match['name']})\n")
        return f"def {match['name']}("

    pattern = r"^@(?P<decorator>torch\.(inference_mode|no_grad)\(\))\ndef (?P<name>\w+)\("
    return re.sub(pattern, move, code, flags=re.MULTILINE) + "".join(ends)


def _python(folder: Path, *words: str) -> str:
    environment = {**os.environ, **THREADS, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)  # the copy is what gets imported
    done = subprocess.run(
        [sys.executable, "-c", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stdout[-4000:])
    return done.stdout


def _survivor(name: str, reached: bool, diff: str) -> Survivor:
    """Return a survivor from mutmut's name, such as x_lmd__mutmut_3 or xǁPairsǁdistances__..."""
    function = name.rpartition(".")[2].partition("__mutmut_")[0]
    parts = [part for part in function.split("ǁ") if part]
    function = function.removeprefix("x_") if len(parts) == 1 else ".".join(parts[1:])
    lines = diff.splitlines()[2:]  # the first two name the files
    was, now = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return Survivor(name, function, was, now, reached, diff.strip())
