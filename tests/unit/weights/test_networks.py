import json
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import save_file

from stylehead.errors import WeightsError
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.models.whisper import WhisperEncoder
from stylehead.motion import models as models_module
from stylehead.options import Encoder
from stylehead.pipeline import load_predictor
from stylehead.speech.encoders import WhisperSpeechEncoder
from stylehead.speech.listen import load_encoder
from stylehead.training.encoders import encoder_named
from stylehead.weights.networks import load_network
from tests.stand_ins.faces import syllables

CONFIG = MotionConfig("log-mel", features=6, hidden=12, layers=2, components=5, delay=4)
CPU = torch.device("cpu")


def tiny(seed=0):
    torch.manual_seed(seed)
    net = MotionGenerator(CONFIG).eval()
    net.components.copy_(torch.randn(5, 204))
    return net


def features(frames=30):
    return torch.rand(1, frames, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "motion.safetensors"
    save_file(tiny().state_dict(), path, metadata={"config": json.dumps(asdict(CONFIG))})
    return path


def test_the_features_of_a_frame_make_68_points():
    offsets, _ = tiny()(features(30))
    assert offsets.shape == (1, 30, 68, 3)


@pytest.mark.parametrize("cut", [1, 11, 29])
def test_a_stream_in_pieces_gives_what_the_whole_gives(cut):
    net, sound = tiny(), features(30)
    with torch.inference_mode():
        whole, _ = net(sound)
        first, state = net(sound[:, :cut])
        second, _ = net(sound[:, cut:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-5)


def test_what_comes_later_does_not_change_what_was_said():
    net, sound = tiny(), features(30)
    changed = sound.clone()
    changed[:, 20:] = 0
    with torch.inference_mode():
        before, after = net(sound)[0], net(changed)[0]
    torch.testing.assert_close(before[:, :20], after[:, :20], rtol=0, atol=1e-6)
    assert (before[:, 20:] != after[:, 20:]).any()


def test_features_are_standardised_by_what_training_heard():
    net, heard = tiny(), features(30)
    usual, _ = net(heard)
    net.mean.fill_(3)
    net.scale.fill_(0.5)
    assert not torch.allclose(net(heard)[0], usual)
    torch.testing.assert_close(net(3 + 0.5 * heard)[0], usual)


def test_offsets_lie_in_the_space_of_the_components():
    net = tiny()
    with torch.inference_mode():
        offsets = net(features(60))[0].reshape(60, 204)
    assert torch.linalg.matrix_rank(offsets.double(), atol=1e-4, rtol=0) <= 5


def test_a_saved_net_comes_back_ready_for_use(saved):
    net = load_network(MotionGenerator, saved, CPU)
    assert net.config == CONFIG
    assert not net.training
    with torch.inference_mode():
        torch.testing.assert_close(net(features())[0], tiny()(features())[0], rtol=0, atol=0)


def test_half_precision_files_become_single(tmp_path):
    state = {key: value.half() for key, value in tiny().state_dict().items()}
    path = tmp_path / "half.safetensors"
    save_file(state, path, metadata={"config": json.dumps(asdict(CONFIG))})
    net = load_network(MotionGenerator, path, CPU)
    assert {value.dtype for value in net.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_loading_is_strict(tmp_path, change):
    state = dict(tiny().state_dict())
    if change == "missing":
        del state["head.1.weight"]
    elif change == "extra":
        state["head.9.weight"] = torch.zeros(3)
    else:
        state["head.1.weight"] = torch.zeros(3, 3)
    path = tmp_path / "wrong.safetensors"
    save_file(state, path, metadata={"config": json.dumps(asdict(CONFIG))})
    with pytest.raises(RuntimeError, match="state_dict"):
        load_network(MotionGenerator, path, CPU)


# ---- all that stands between sound and motion -----------------------------------------------


class RememberingReporter:
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


@pytest.fixture
def asked(monkeypatch, saved):
    """Load tiny networks whatever the file; returns the names of the files that were asked for."""
    names = []

    def resolve(name, **_):
        names.append(name)
        return saved

    def nothing(*_):
        return None, None

    monkeypatch.setattr(models_module.weights, "resolve", resolve)
    monkeypatch.setattr(models_module, "load_whisper", lambda *_: WhisperEncoder())
    loaded = ("load_audio_encoder", "load_voice_filter", "load_pose_generator")
    for name in (*loaded, "VoiceSeparator", "ApcEncoder"):
        monkeypatch.setattr(models_module, name, nothing)
    return names


@pytest.mark.parametrize("encoder", [Encoder.DISTILLED, Encoder.APC])
def test_the_generator_is_the_one_that_learned_from_the_encoder(asked, encoder):
    models = load_predictor(encoder, CPU)
    assert models.encoder == CONFIG.encoder  # as its file says
    wanted = {f"encoder_{encoder.value}", f"motion_{encoder.value}", "voice_filter", "pose"}
    assert set(asked) == wanted


@pytest.mark.parametrize("encoder", [Encoder.AUTO, Encoder.WHISPER])
def test_whisper_is_what_listens_unless_told_otherwise(asked, encoder):
    models = load_predictor(encoder, CPU)
    assert isinstance(models.ears, WhisperSpeechEncoder)
    assert set(asked) == {"whisper_tiny_en", "motion_whisper", "voice_filter", "pose"}


@pytest.fixture
def no_whisper(asked, monkeypatch):
    resolve = models_module.weights.resolve

    def refuse(name, **how):
        if name == "whisper_tiny_en":
            raise WeightsError("Whisper could not be fetched.", remedy="Connect.")
        return resolve(name, **how)

    monkeypatch.setattr(models_module.weights, "resolve", refuse)
    return asked


def test_where_whisper_cannot_be_had_the_built_in_encoder_listens_and_it_is_said(no_whisper):
    listener = RememberingReporter()
    load_predictor(Encoder.AUTO, CPU, reporter=listener)
    assert {"encoder_distilled", "motion_distilled"} <= set(no_whisper)
    (line,) = listener.said
    assert "Whisper could not be fetched" in line
    assert "built-in" in line


@pytest.mark.usefixtures("no_whisper")
def test_whisper_that_was_asked_for_and_cannot_be_had_is_an_error():
    with pytest.raises(WeightsError, match="could not be fetched"):
        load_predictor(Encoder.WHISPER, CPU)


@pytest.mark.parametrize("name", ["distilled", "apc"])
def test_the_product_hears_as_training_did(name):
    samples = syllables(1.0)
    heard = [
        torch.cat(list(ears.encode([samples])))
        for ears in (
            load_encoder(Encoder(name)),
            encoder_named(name),
            encoder_named(f"{name}-projected"),
        )
    ]
    assert torch.equal(heard[0], heard[1])
    assert not torch.allclose(heard[0], heard[2])
