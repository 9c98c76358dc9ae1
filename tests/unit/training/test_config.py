from dataclasses import dataclass
from pathlib import Path

import pytest

from stylehead.errors import ConfigError
from stylehead.options import Encoder
from stylehead.training.audio_encoder import EncoderTraining
from stylehead.training.config import RECIPES, read_config
from stylehead.training.encoders import NAMES
from stylehead.training.motion_generator import MotionTraining
from stylehead.training.mouth_generator import PictureTraining
from stylehead.training.pose_generator import PoseTraining
from stylehead.training.projection import ProjectionTraining
from stylehead.training.voice_filter import VoiceFilterTraining

STAGES = {
    "encoder": EncoderTraining,
    "motion": MotionTraining,
    "pose": PoseTraining,
    "projection": ProjectionTraining,
    "style": PictureTraining,
    "voice": VoiceFilterTraining,
}
SHIPPED = sorted(RECIPES.glob("*.toml"))
COMPARED = sorted((Path(__file__).parents[3] / "benchmarks/recipes").glob("*.toml"))


@dataclass(frozen=True)
class Settings:
    steps: int = 10
    rate: float = 0.5
    deep: bool = True
    people: tuple[str, ...] = ("Ann",)
    name: str = "one"


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "own.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


@pytest.mark.parametrize("path", [*SHIPPED, *COMPARED], ids=lambda path: path.stem)
def test_every_recipe_is_understood(path):
    kind = STAGES[path.stem.split("_")[0]]
    assert isinstance(read_config(str(path), kind), kind)


def test_there_is_a_recipe_for_every_stage_and_every_encoder():
    names = {path.stem for path in SHIPPED}
    assert {name.split("_")[0] for name in names} == set(STAGES)
    assert {f"motion_{encoder.value}" for encoder in Encoder} <= names


def test_every_encoder_that_was_compared_has_a_recipe():
    names = {path.stem for path in [*SHIPPED, *COMPARED]}
    assert {f"motion_{name}" for name in NAMES} <= names


def test_a_recipe_with_the_keys_of_the_first_version_is_read(written):
    old = written("imagined = 0.3\nspoken = 0.5\npieces = 7")
    new = MotionTraining(pseudo_labels=0.3, synthetic_speech=0.5, pseudo_label_pieces=7)
    assert read_config(old, MotionTraining) == new


def test_what_a_file_leaves_out_stays_at_its_default(written):
    assert read_config(written("steps = 3"), Settings) == Settings(steps=3)
    assert read_config(written(""), Settings) == Settings()


def test_every_kind_of_value_is_read(written):
    text = 'steps = 2\nrate = 1.5\ndeep = false\npeople = ["Bea", "Cem"]\nname = "two"'
    assert read_config(written(text), Settings) == Settings(2, 1.5, False, ("Bea", "Cem"), "two")


def test_a_list_becomes_a_tuple(written):
    people = read_config(written("people = []"), Settings).people
    assert people == ()
    assert isinstance(people, tuple)


def test_a_whole_number_may_stand_for_a_fraction(written):
    rate = read_config(written("rate = 2"), Settings).rate
    assert rate == 2
    assert isinstance(rate, float)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 3", "colour"),
        ("steps = 2.5", "steps"),
        ('steps = "2"', "steps"),
        ("steps = true", "steps"),
        ("deep = 1", "deep"),
        ("rate = true", "rate"),
        ('people = "Ann"', "people"),
        ("name = 1", "name"),
        ("[steps]\nmany = 1", "steps"),
        ("steps = ", "TOML"),
        (b"\xff\xfe", "TOML"),
    ],
)
def test_what_does_not_fit_is_said_with_a_remedy(written, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        read_config(written(text), Settings)
    assert caught.value.remedy


def test_an_unknown_key_is_answered_with_the_known_ones(written):
    with pytest.raises(ConfigError) as caught:
        read_config(written("step = 3"), Settings)
    assert "steps" in caught.value.remedy


@pytest.mark.parametrize("name", ["nothing", "nowhere/own.toml", "../recipes/"])
def test_a_recipe_that_is_not_there_is_answered_with_those_that_are(name):
    with pytest.raises(ConfigError, match="no training recipe") as caught:
        read_config(name, Settings)
    assert all(path.stem in caught.value.remedy for path in SHIPPED)


@pytest.mark.parametrize("text", ["steps = " + "9" * 5000, "steps = " + "[" * 3000])
def test_a_recipe_by_somebody_who_means_harm_is_no_toml(written, text):
    with pytest.raises(ConfigError, match="is not TOML"):
        read_config(written(text), Settings)
