"""What every test gets: no network, no error logs, random state put back; and the command line."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from filelock import FileLock

from stylehead.motion.file import save_motion
from stylehead.tracking import portrait as portrait_search
from stylehead.types import Face
from tests.stand_ins import media
from tests.stand_ins.faces import performed_motion

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = dict(os.environ)
"""The environment as it was, for the few tests that need the network."""
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens there
FILTERED = ("--separate", "filter")
"""What is taken for the demo voice by itself, without a look for music: most of a short job."""
QUICK = ("--crop", "--size", "128", "--fps", "10", "--duration", "1")
"""Options of the smallest useful video."""


class Outcome(NamedTuple):
    """What a run of the command line left behind."""

    code: int
    stdout: str
    stderr: str


Command = Callable[..., Outcome]
FACES_OF = portrait_search.faces_of


# ---- every test -----------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> Iterator[None]:
    """Ctrl-C interrupts, as on a terminal: a shell starts what is in its background deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    before = os.environ.get("STYLEHEAD_HOME")
    folder = Path(before) if before else tmp_path_factory.mktemp("home")
    os.environ["STYLEHEAD_HOME"] = str(folder)
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("settings"))  # nobody's own
    yield folder
    if before is None:
        del os.environ["STYLEHEAD_HOME"]


@pytest.fixture(scope="session", autouse=True)
def _one_version_of_what_is_compiled() -> Iterator[None]:
    """Two processes that compile a second one at once spoil numba's index of them for good."""
    yield
    many = [
        f"{name}.{key}: {value.signatures}"
        for name, module in sys.modules.items()
        if name.startswith("stylehead.")
        for key, value in vars(module).items()
        if len(getattr(value, "signatures", ())) > 1
    ]
    assert not many, "\n".join(many)


class NetworkForbiddenError(AssertionError):
    """Not an OSError: the product must not be able to mistake it for a failed download."""


def _local(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _no_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del home

    def guarded(name: str) -> None:
        original = getattr(socket.socket, name)

        def check(self: socket.socket, *args: object) -> object:
            address = args[-1]
            if isinstance(address, tuple) and not _local(address[0]):
                raise NetworkForbiddenError(f"a test reached for {address[0]}")
            return original(self, *args)

        monkeypatch.setattr(socket.socket, name, check)

    for name in ("connect", "connect_ex", "sendto"):
        guarded(name)
    look_up = socket.getaddrinfo

    def local_look_up(host: object, *args: object, **options: object) -> object:
        if not _local(host):
            raise NetworkForbiddenError(f"a test looked up {host!r}")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", local_look_up)
    # Programs that a test starts obey these.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, NOWHERE)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "localhost,127.0.0.1")


@pytest.fixture(autouse=True)
def _no_error_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    logged = [
        f"{record.name}: {record.getMessage()}"
        for when in ("setup", "call")
        for record in caplog.get_records(when)
        if record.levelno >= logging.ERROR
    ]
    assert not logged, f"errors were logged: {logged}"


@pytest.fixture(autouse=True)
def _random_state_restored() -> Iterator[None]:
    torch = sys.modules.get("torch")  # not imported for the sake of tests without it
    states = random.getstate(), np.random.get_state(), torch and torch.get_rng_state()
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])
    if torch:
        torch.set_rng_state(states[2])


# ---- the command line -----------------------------------------------------------------------


def environment() -> dict[str, str]:
    """Return the environment of a child process: this checkout, no debugging."""
    child = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100"}
    child["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    child.pop("STYLEHEAD_DEBUG", None)
    return child


def command(*args: object) -> list[str]:
    """Return the words that start stylehead in a process of its own."""
    return [sys.executable, "-m", "stylehead", *map(str, args)]


def spawn(*args: object, **options: object) -> Outcome:
    """Run the command line in a process of its own and wait for it."""
    done = subprocess.run(
        command(*args),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        timeout=300,
        env=environment(),
        **options,  # pyright: ignore
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def run() -> Command:
    return spawn


FOUND: dict[tuple[object, ...], list[Face]] = {}


def faces_once(pixels: np.ndarray, name: str) -> list[Face]:
    """Return what `faces_of` does; the same pixels are not searched again in one process.

    Most tests animate one portrait, and the search for its face is a third of a short job. What
    depends on more than the pixels, as the choice among faces and their refusal, is not kept.
    """
    key = pixels.shape, hashlib.sha256(np.ascontiguousarray(pixels)).digest()
    if key not in FOUND:
        FOUND[key] = FACES_OF(pixels, name)
    return list(FOUND[key])


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command line in this process: seconds faster, for libraries are loaded once.

    File descriptors are captured, so that lines of native libraries count as well.
    """
    from stylehead.cli.app import main

    monkeypatch.delenv("STYLEHEAD_DEBUG", raising=False)
    monkeypatch.setattr(portrait_search, "faces_of", faces_once)

    def go(*args: object) -> Outcome:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["stylehead", *map(str, args)])
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        return Outcome(code, *capfd.readouterr())

    return go


# ---- media ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of media shared by all tests; nobody writes results into it."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def portrait(made: Path) -> Path:
    return media.save_picture(made / "portrait.png", media.portrait())


@pytest.fixture(scope="session")
def speech(made: Path) -> Path:
    """Two and a half seconds of the demo voice, 16 kHz."""
    return media.save_sound(made / "speech.wav", media.voice(2.5))


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that workers side by side share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def clip(portrait: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A talking head of 3 s at 25 fps; its motion and its --json lie beside it.

    Workers that run side by side share it.
    """
    del home
    path = _shared(tmp_path_factory) / "clip.mp4"
    with FileLock(path.with_suffix(".lock")):
        if not path.with_suffix(".json").exists():
            words = ("--crop", "--fps", 25, "--duration", 3, "--json", *FILTERED)
            words += ("--save-motion", path.with_suffix(".npz"))
            done = spawn("animate", "--image", portrait, "--audio", media.VOICE, "-o", path, *words)
            assert done.code == 0, done.stderr
            path.with_suffix(".json").write_text(done.stdout)
    return path


@pytest.fixture(scope="session")
def brief_clip(clip: Path, made: Path) -> Path:
    """The first second of the talking head, at 256 x 256 with its sound: quick to track."""
    frames = [media.resized(one, (256, 256)) for one in media.read_video(clip)[0][:25]]
    return media.save_video(made / "brief clip.mp4", frames, sound=media.voice(1))


@pytest.fixture(scope="session")
def glance(made: Path) -> tuple[object, ...]:
    """Words for a video of three frames from a motion file.

    For tests of pictures, files and names: to hear the voice takes longer than all the rest.
    """
    path = made / "glance.npz"
    save_motion(performed_motion(0.3, fps=10, blinks=0), path)
    return "--motion", path, "--duration", 0.3


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Path]:
    """Name of a video in an empty folder; whatever happens, no dot-file may stay there."""
    folder = tmp_path / "results"
    folder.mkdir()
    yield folder / "talk.mp4"
    left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert not left, f"left behind: {left}"


@pytest.fixture
def animate(call: Command, portrait: Path, speech: Path, output: Path) -> Command:
    """Run `animate` in this process on the smallest useful job; words given come last and win."""

    def go(*more: object, image: Path = portrait, audio: Path = speech) -> Outcome:
        heard = () if "--motion" in more else FILTERED
        words = ("--image", image, "--audio", audio, "-o", output)
        return call("animate", *words, *QUICK, *heard, *more)

    return go
