"""`stylehead weights` on a small list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stylehead.weights import manage
from stylehead.weights.manifest import WebFile, WeightsEntry
from stylehead.weights.profiles import PROFILES
from stylehead.weights.store import is_there, read_manifest
from tests.conftest import Command
from tests.stand_ins.server import FileServer, drop_after, serving, status

CONTENT = b"numbers " * 300_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(CONTENT) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights"


@pytest.fixture(autouse=True)
def entries(
    server: FileServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, WeightsEntry]:
    """A list of three: free, not for commercial use, and without a published hash."""
    free = WeightsEntry(
        name="free",
        file="free.bin",
        role="comes free",
        licence="MIT",
        commercial="yes",
        origin="somebody",
        format="pth",
        profile="liveportrait",
        bytes=len(CONTENT),
        sha256=SHA256,
        sources=(WebFile(server.url),),
    )
    listed = [
        free,
        replace(
            free,
            name="bound",
            file="bound.bin",
            licence="CC BY-NC 4.0",
            commercial="no",
            profile="vid2vid",
        ),
        replace(free, name="odd", file="odd.bin", sha256=None, bytes=None, profile="training"),
        read_manifest()["pose"],
    ]
    found = {entry.name: entry for entry in listed}
    monkeypatch.setattr(manage, "read_manifest", lambda: found)
    return found


def refused(outcome, *words: object) -> None:
    assert outcome.code == 1, outcome
    assert outcome.stdout == ""
    lines = outcome.stderr.splitlines()
    assert lines[-1].startswith("Error: ")
    assert "Traceback" not in outcome.stderr
    for word in words:
        assert str(word) in lines[-1]


# ---- list -----------------------------------------------------------------------------------


def test_the_list_is_one_tabbed_line_a_file_where_no_terminal_is(call: Command) -> None:
    outcome = call("weights", "list")
    assert outcome.code == 0
    rows = [line.split("\t") for line in outcome.stdout.splitlines()]
    assert [row[0] for row in rows] == ["free", "bound", "odd", "pose"]
    assert rows[0] == ["free", "liveportrait", "2.4", "no", "MIT", "yes", "comes free"]
    assert rows[2][2:4] == ["?", "no, unverified"]
    assert rows[3][3] == "yes"


def test_the_list_as_json_says_everything(call: Command, folder: Path) -> None:
    call("weights", "get", "free")
    found = json.loads(call("weights", "list", "--profile", "liveportrait", "--json").stdout)
    assert found == [
        {
            "name": "free",
            "profile": "liveportrait",
            "file": "free.bin",
            "path": str(folder / "free.bin"),
            "bytes": len(CONTENT),
            "here": True,
            "verifiable": True,
            "licence": "MIT",
            "commercial": "yes",
            "origin": "somebody",
            "role": "comes free",
        }
    ]


def test_the_real_list_is_drawn(monkeypatch: pytest.MonkeyPatch, call: Command) -> None:
    monkeypatch.undo()
    outcome = call("weights", "list", *(w for p in PROFILES for w in ("--profile", p)))
    assert outcome.stdout.count("\n") == len(read_manifest())


# ---- get ------------------------------------------------------------------------------------


def test_get_prints_where_the_files_are_and_says_the_licence(call: Command, folder: Path) -> None:
    outcome = call("weights", "get", "bound", "free")
    assert outcome.code == 0
    assert outcome.stdout.splitlines() == [str(folder / "free.bin"), str(folder / "bound.bin")]
    assert "Licence: CC BY-NC 4.0, not for commercial use." in outcome.stderr
    assert (folder / "bound.bin").read_bytes() == CONTENT


def test_get_takes_a_profile_and_a_second_time_asks_nobody(
    call: Command, folder: Path, server: FileServer
) -> None:
    for _ in range(2):
        outcome = call("weights", "get", "--profile", "liveportrait")
        assert outcome.stdout == f"{folder / 'free.bin'}\n"
    assert len(server.asked) == 1


def test_get_alone_says_what_there_is_and_that_videos_need_nothing(
    call: Command, server: FileServer
) -> None:
    outcome = call("weights", "get")
    assert outcome.code == 0
    names = [line.split(":")[0] for line in outcome.stdout.splitlines()]
    assert names == [name for name in PROFILES if name != "embedded"]
    assert "inside the package" in outcome.stderr
    assert server.asked == []


def test_commercial_only_refuses_others_before_anything_comes(
    call: Command, server: FileServer, folder: Path
) -> None:
    refused(call("weights", "get", "free", "bound", "--commercial-only"), "bound", "CC BY-NC 4.0")
    assert server.asked == []
    assert call("weights", "get", "free", "--commercial-only").code == 0


def test_a_file_without_a_published_hash_needs_the_users_word(
    call: Command, server: FileServer, folder: Path
) -> None:
    refused(call("weights", "get", "odd"), "odd.bin", "--allow-unverified")
    assert server.asked == []
    assert call("weights", "get", "odd", "--allow-unverified").code == 0
    assert call("weights", "path", "odd").stdout == f"{folder / 'odd.bin'}\n"


def test_a_broken_download_is_resumed_by_the_next_run(
    call: Command, server: FileServer, folder: Path
) -> None:
    server.steps.extend([drop_after(1_500_000), status(404)])
    refused(call("weights", "get", "free"), "404", SHA256)
    assert call("weights", "get", "free").code == 0
    assert server.ranges_asked[-1] == "bytes=1500000-"


def test_wrong_names_and_profiles_list_the_right_ones(call: Command) -> None:
    refused(call("weights", "get", "fre"), "'fre'", "free")
    refused(call("weights", "get", "--profile", "liveportrai"), "'liveportrai'", "vid2vid")


def test_a_home_that_cannot_be_made_is_refused(
    call: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "file"))
    refused(
        call("weights", "get", "free"), tmp_path / "file", "cannot be created", "STYLEHEAD_HOME"
    )


# ---- verify, path, remove -------------------------------------------------------------------


def test_verify_sets_a_damaged_file_aside(call: Command, folder: Path) -> None:
    call("weights", "get", "free", "bound")
    assert call("weights", "verify").stdout.count(": intact") == 3
    content = bytearray((folder / "free.bin").read_bytes())
    content[7] ^= 1
    (folder / "free.bin").write_bytes(content)
    refused(call("weights", "verify"), folder / "free.bin", "set aside", "weights get")
    assert not (folder / "free.bin").exists()
    assert len(list(folder.glob("free.bin.wrong-*"))) == 1
    assert call("weights", "verify").code == 0
    refused(call("weights", "verify", "free"), folder / "free.bin", "missing")


def test_verify_leaves_alone_what_it_cannot_check(call: Command, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "odd.bin").write_bytes(CONTENT)
    refused(call("weights", "verify"), folder / "odd.bin", "cannot be checked")
    assert (folder / "odd.bin").is_file()
    assert call("weights", "get", "odd", "--allow-unverified").code == 0
    assert call("weights", "verify", "odd").code == 0


def test_path_tells_the_folder_and_the_files_that_are_there(call: Command, folder: Path) -> None:
    assert call("weights", "path").stdout == f"{folder}\n"
    refused(call("weights", "path", "free"), folder / "free.bin", "weights get free")
    call("weights", "get", "free")
    assert call("weights", "path", "free").stdout == f"{folder / 'free.bin'}\n"


def test_remove_leaves_nothing_of_a_file(call: Command, folder: Path, server: FileServer) -> None:
    server.steps.extend([drop_after(100_000), status(404)])
    call("weights", "get", "free")
    call("weights", "get", "bound", "free")
    (folder / "free.bin").write_bytes(b"broken")
    call("weights", "verify")
    call("weights", "get", "odd", "--allow-unverified")
    outcome = call("weights", "remove", "free", "odd")
    assert outcome.code == 0
    assert "odd.bin.sha256" in outcome.stdout
    left = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert [name for name in left if not name.endswith(".lock")] == ["bound.bin"]


def test_remove_spares_the_package_and_asks_for_a_name(call: Command) -> None:
    refused(call("weights", "remove", "pose"), "part of the package")
    assert is_there(read_manifest()["pose"])
    assert call("weights", "remove").code == 2


# ---- export, import -------------------------------------------------------------------------


def test_a_bundle_carries_everything_to_a_machine_without_a_connection(
    call: Command,
    folder: Path,
    tmp_path: Path,
    server: FileServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call("weights", "get", "free", "bound")
    bundle = tmp_path / "models.zip"
    assert call("weights", "export", bundle).stdout == f"{bundle}\n"
    server.steps.extend([status(404)] * 5)
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "other"))
    outcome = call("weights", "import", bundle)
    there = tmp_path / "other" / "weights"
    assert outcome.stdout.splitlines() == [str(there / "free.bin"), str(there / "bound.bin")]
    assert call("weights", "get", "free", "bound").code == 0
    assert len(server.asked) == 2


def test_export_wants_files_that_are_there(call: Command, tmp_path: Path) -> None:
    bundle = tmp_path / "models.zip"
    refused(call("weights", "export", bundle), "nothing to put", "weights get")
    refused(call("weights", "export", bundle, "free"), "free.bin", "weights get free")
    refused(call("weights", "export", tmp_path / "models.tar", "free"), ".zip")
    assert not bundle.exists()


def test_export_replaces_a_file_only_when_told(call: Command, tmp_path: Path) -> None:
    call("weights", "get", "free")
    bundle = tmp_path / "models.zip"
    bundle.write_text("precious")
    refused(call("weights", "export", bundle), bundle, "exists already")
    assert call("weights", "export", bundle, "--overwrite").code == 0


def test_import_refuses_what_is_no_bundle(call: Command, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("no zip")
    refused(call("weights", "import", tmp_path / "x.zip"), tmp_path / "x.zip", "not a bundle")
    refused(call("weights", "import", tmp_path / "y.zip"), tmp_path / "y.zip", "does not exist")
