"""`animate --renderer`: the command with stand-ins, and the networks with made-up weights."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from torch import Tensor

from stylehead.errors import WeightsError
from stylehead.models.keypoints import Source
from stylehead.rendering import neural_renderer
from stylehead.rendering import renderer as renderer_module
from stylehead.weights import store
from stylehead.weights.store import read_manifest
from tests.conftest import Command
from tests.stand_ins import media
from tests.stand_ins.networks import CASES, Mirror, publish

NETWORKS = {"liveportrait": "load_portrait_animator", "vid2vid": "load_style_mapper"}


@pytest.fixture(params=NETWORKS)
def renderer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a neural renderer whose network is a stand-in."""
    monkeypatch.setattr(renderer_module, NETWORKS[request.param], lambda *_, **__: Mirror())
    return request.param


def tags(video: Path) -> dict[str, str]:
    with av.open(str(video)) as container:
        return dict(container.metadata)


def test_the_video_says_which_renderer_and_weights_made_it(
    animate: Command, output: Path, renderer: str, glance: tuple[object, ...]
) -> None:
    outcome = animate("--renderer", renderer, "--json", *glance)
    assert outcome.code == 0, outcome
    assert json.loads(outcome.stdout)["renderer"] == renderer
    assert tags(output)["stylehead_renderer"] == renderer
    used = json.loads(tags(output)["stylehead_weights"])
    wanted = {name for name in read_manifest() if name in dict(CASES) and renderer in name}
    assert wanted <= set(used)
    assert len(media.read_video(output)[0]) == 3


def test_the_embedded_renderer_needs_no_weights_of_others(
    animate: Command, output: Path, glance: tuple[object, ...]
) -> None:
    assert animate(*glance).code == 0
    assert tags(output)["stylehead_renderer"] == "embedded"
    assert not set(json.loads(tags(output)["stylehead_weights"])) & set(dict(CASES))


def test_a_network_that_shows_its_driver_gives_what_the_driver_showed(
    animate: Command, output: Path, renderer: str, glance: tuple[object, ...]
) -> None:
    assert animate("--size", 256, "--renderer", renderer, *glance).code == 0
    shown, _ = media.read_video(output)
    assert animate("--size", 256, "--overwrite", *glance).code == 0
    driver, _ = media.read_video(output)
    assert shown.shape == driver.shape == (3, 256, 256, 3)
    assert np.abs(shown.astype(int) - driver).mean() < 2


def test_the_whole_picture_comes_at_its_own_size(
    call: Command,
    portrait: Path,
    speech: Path,
    output: Path,
    renderer: str,
    glance: tuple[object, ...],
) -> None:
    words = ("--fps", 10, *glance, "--renderer", renderer)
    outcome = call("animate", "--image", portrait, "--audio", speech, "-o", output, *words)
    assert outcome.code == 0, outcome
    frames, _ = media.read_video(output)
    assert frames.shape == (3, 512, 512, 3)
    corner = np.abs(frames[:, :40, :40].astype(int) - media.portrait()[:40, :40])
    assert corner.mean() < 4  # outside the crop the picture stays


def test_time_is_told_before_the_start(
    animate: Command, renderer: str, glance: tuple[object, ...]
) -> None:
    said = animate("--renderer", renderer, *glance).stderr
    assert said.index("3 frames of 128 x 128") < said.index("Rendering")
    assert " s on c" in said


def test_missing_weights_name_the_command_that_gets_them(
    animate: Command, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(name: str, section: str | None = None, **_: object) -> dict[str, Tensor]:
        raise WeightsError(f"{name} could not be downloaded (offline).", remedy="Check the cable.")

    monkeypatch.setattr(neural_renderer, "load_state", nothing)
    for name in NETWORKS:
        outcome = animate("--renderer", name)
        assert outcome.code == 1
        assert "could not be downloaded" in outcome.stderr
        flat = " ".join(outcome.stderr.split())
        assert f"stylehead weights get --profile {name}" in flat
        assert "Check the cable." in flat
        assert not output.exists()


def test_an_interrupted_network_leaves_nothing_behind(
    animate: Command, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Mirror):
        def drive(self, source: Source, driving: Tensor) -> Tensor:
            if len(self.batches) == 5:
                raise SystemExit(130)  # what the handler of Ctrl-C raises
            return super().drive(source, driving)

    monkeypatch.setattr(renderer_module, "load_portrait_animator", lambda *_, **__: Interrupted())
    assert animate("--renderer", "liveportrait").code == 130
    assert list(output.parent.iterdir()) == []


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home whose files of the networks hold made-up tensors, and the manifest that says so."""
    folder = tmp_path / "home" / "weights"
    folder.mkdir(parents=True)
    entries = read_manifest()
    names = {name for name, _ in CASES}
    entries |= {name: publish(entries[name], folder) for name in names}
    monkeypatch.setattr(store, "read_manifest", lambda: entries)
    monkeypatch.setenv("STYLEHEAD_HOME", str(folder.parent))


@pytest.mark.slow
@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", NETWORKS)
def test_made_up_weights_go_the_whole_way_and_always_the_same(
    animate: Command, output: Path, name: str
) -> None:
    """The picture is noise; files, path, shapes and repeatability are real."""
    words = ("--renderer", name, "--size", 512, "--start", 0.5, "--duration", 0.1)
    made = []
    for _ in range(2):
        outcome = animate(*words, "--overwrite")
        assert outcome.code == 0, outcome
        made.append(media.read_video(output)[0])
    assert made[0].shape == (1, 512, 512, 3)
    assert made[0].std() > 5
    np.testing.assert_array_equal(made[0], made[1])
