"""`train` hands data, run, recipe and output on to the stage it is called by."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from stylehead.training import loop
from stylehead.weights.store import asset
from tests.conftest import Command

RECIPES = {
    "voice-filter": "voice_filter.train_voice_filter",
    "encoder": "audio_encoder.train_encoder",
    "projection": "projection.train_projection",
    "motion": "motion_recipe.train_motion",
    "pose": "pose_generator.train_pose",
    "mapping": "mouth_generator.train_pictures",
    "generator": "mouth_generator.train_pictures",
}
"""Stages that are trained by a recipe, and their functions."""
OTHERS = {
    "face-model": "face_model.fit_face_model",
    "face-shapes": "face_shapes.fit_face_shapes",
    "appearance": "appearance.fit_appearance",
    "baselines": "baselines.fit_baselines",
}
TO_A_FILE = ("encoder", "projection", "motion", "appearance")
SEED = 77  # which no recipe has


class Stage:
    """Stands in for a stage: nothing is trained, what it was given is kept."""

    def __init__(self) -> None:
        self.given: tuple[Any, ...] = ()
        self.registered: list[str] = []

    def __call__(self, *given: object, **_: object) -> dict[str, str]:
        self.given = given
        return {"loss": "0.5"}


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage()
    for path in {*RECIPES.values(), *OTHERS.values(), "builtin_styles.make_styles"}:
        module, name = path.split(".")
        monkeypatch.setattr(importlib.import_module(f"stylehead.training.{module}"), name, made)
    monkeypatch.setattr("stylehead.training.data.clips.load_clips", lambda folder: folder)
    monkeypatch.setattr(loop, "checkout_manifest", lambda: None)
    monkeypatch.setattr(loop, "register", lambda name, _: made.registered.append(name))
    return made


@pytest.mark.parametrize("name", RECIPES)
def test_a_stage_gets_its_data_its_run_and_the_recipe_that_is_named(
    call: Command, stage: Stage, tmp_path: Path, name: str
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(f"seed = {SEED}\n", encoding="utf-8")
    words = ["train", name, "--data", tmp_path, "--config", recipe]
    run = [] if name == "projection" else [tmp_path / "run"]
    outcome = call(*words, *(["--run", *run] if run else []))
    assert outcome.code == 0, outcome.stderr
    data, *others, output, settings = stage.given
    assert (data, others, settings.seed) == (tmp_path, run, SEED)
    (registered,) = stage.registered  # without --output, as the package's own
    assert output == asset(f"{registered}.safetensors")
    assert "'loss': '0.5'" in outcome.stdout


@pytest.mark.parametrize("name", OTHERS)
def test_a_stage_without_a_recipe_gets_its_data(
    call: Command, stage: Stage, tmp_path: Path, name: str
) -> None:
    assert call("train", name, "--data", tmp_path).code == 0
    assert stage.given[0] in (tmp_path, tmp_path / "clips")
    assert stage.registered == [name.replace("-", "_")]


@pytest.mark.parametrize("name", TO_A_FILE)
def test_what_goes_to_a_file_of_its_own_is_not_the_package_s(
    call: Command, stage: Stage, tmp_path: Path, name: str
) -> None:
    mine = tmp_path / "mine.safetensors"
    run = () if name in ("projection", "appearance") else ("--run", tmp_path)
    assert call("train", name, "--data", tmp_path, *run, "--output", mine).code == 0
    assert mine in stage.given and not stage.registered


def test_styles_are_learned_from_the_clips_that_are_named(
    call: Command, stage: Stage, tmp_path: Path
) -> None:
    assert call("train", "styles", "--clips", tmp_path).code == 0
    assert stage.given == (tmp_path,)
