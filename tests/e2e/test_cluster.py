"""Lists on a Ray cluster of two nodes, which are processes of this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from stylehead.motion.file import save_motion
from tests import conftest
from tests.conftest import Command
from tests.e2e.test_batch import folder, videos, write_list  # noqa: F401 (a fixture)
from tests.e2e.test_long import FPS, assert_together, clicking_motion, write_clicks
from tests.stand_ins import media

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    both = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    both.add_node(num_cpus=1)
    # Ray names nodes by this machine's address in its network, which is no way out of it.
    own = both.address.rpartition(":")[0]
    usual = conftest._local
    monkeypatch.setattr(conftest, "_local", lambda host: host == own or usual(host))
    yield both
    both.shutdown()


def test_a_video_is_filmed_by_two_nodes_and_comes_back_the_same(
    call: Command,
    folder: Path,  # noqa: F811
    cluster: Any,
) -> None:
    media.save_sound(folder / "voice.wav", media.voice(8))
    jobs = write_list(folder)
    jobs.write_text(jobs.read_text() + "face.png,voice.wav,1,yes,128,60,8,filter\n")
    words = ("batch", jobs, "--name", "{number}", "-o")
    assert call(*words, folder / "alone").code == 0
    outcome = call(*words, folder / "both", "--engine", "ray", "--address", cluster.address)
    assert outcome.code == 0, outcome
    assert videos(folder / "both") == videos(folder / "alone")


def test_ten_minutes_on_two_nodes_are_in_step(
    call: Command,
    tmp_path: Path,
    cluster: Any,
) -> None:
    seconds, every = 600, 60
    media.save_picture(tmp_path / "face.png", media.portrait())
    write_clicks(tmp_path / "clicks.flac", seconds, every)
    save_motion(clicking_motion(seconds, every), tmp_path / "clicks.npz")
    jobs = tmp_path / "jobs.csv"
    columns = "image,audio,motion,output,crop,size,fps"
    jobs.write_text(f"{columns}\nface.png,clicks.flac,clicks.npz,long.mp4,yes,192,{FPS}\n")
    address = ("--engine", "ray", "--address", cluster.address)
    outcome = call("batch", jobs, "-o", tmp_path / "out", *address)
    assert outcome.code == 0, outcome
    with av.open(str(tmp_path / "out" / "long.mp4")) as container:
        assert container.streams.video[0].frames == seconds * FPS
    assert_together(tmp_path / "out" / "long.mp4", seconds, every)


def test_a_lost_node_costs_no_job(
    call: Command,
    folder: Path,  # noqa: F811
    cluster: Any,
) -> None:
    styles = ("lively", "gentle", "plain", "lively", "gentle")
    rows = [f"face.png,voice.wav,{seed}" for seed, _ in enumerate(styles)]
    jobs = write_list(folder, *rows)
    words = ("batch", jobs, "--name", "{number}", "-o")
    assert call(*words, folder / "alone").code == 0

    def lose() -> None:
        while not list((folder / "both").glob("*.mp4")):
            if ended.wait(0.05):
                return
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        lost.set()

    ended, lost = threading.Event(), threading.Event()
    threading.Thread(target=lose, daemon=True).start()
    address = ("--engine", "ray", "--address", cluster.address)
    outcome = call(*words, folder / "both", *address, "--json-lines")
    ended.set()
    assert outcome.code == 0, outcome
    assert lost.is_set(), "all was done before the node was lost"
    assert all(json.loads(line)["event"] for line in outcome.stdout.splitlines())
    assert videos(folder / "both") == videos(folder / "alone")


def test_an_address_where_nobody_is_is_named(
    call: Command,
    folder: Path,  # noqa: F811
) -> None:
    pytest.importorskip("ray")
    jobs = write_list(folder, "face.png,voice.wav,1")
    outcome = call("batch", jobs, "-o", folder / "out", "--engine=ray", "--address=127.0.0.1:9")
    assert outcome.code == 1
    assert "No Ray cluster answers at 127.0.0.1:9" in outcome.stderr


def test_what_would_be_lost_on_another_machine_is_refused(
    call: Command,
    folder: Path,  # noqa: F811
) -> None:
    pytest.importorskip("ray")
    jobs = write_list(folder, "face.png,voice.wav,1")
    words = ("batch", jobs, "-o", folder / "out", "--set", "save-motion=m.npz")
    outcome = call(*words, "--engine", "ray")
    assert outcome.code == 1
    assert "A cluster sends back the video alone." in outcome.stderr
