"""Files -> networks: built as the file says, strictly, ready for use."""

import json
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import save_file

from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.models.mouth_generator import MouthGenerator
from stylehead.models.pose_generator import PoseGenerator
from stylehead.models.voice_filter import VoiceFilter
from stylehead.options import Encoder, Encoding
from stylehead.pipeline.run import load_predictor
from stylehead.speech.encoders import ApcEncoder, ProjectedEncoder, WhisperSpeechEncoder
from stylehead.weights.networks import load_manifold, load_mouth_generator, load_network
from stylehead.weights.store import asset

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


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (MotionGenerator, "motion_whisper"),
        (MotionGenerator, "motion_apc"),
        (PoseGenerator, "pose"),
        (VoiceFilter, "voice_filter"),
        (MouthGenerator, "style_mapping"),
        (MouthGenerator, "style_generator"),
    ],
)
def test_every_built_in_network_loads_as_its_kind(kind, name):
    net = load_network(kind, asset(f"{name}.safetensors"))
    assert type(net) is kind
    assert not net.training


def test_a_mouth_generator_lies_channels_last():
    net = load_mouth_generator(asset("style_generator.safetensors"))
    kernels = [value for value in net.parameters() if value.dim() == 4]
    assert kernels
    assert all(value.is_contiguous(memory_format=torch.channels_last) for value in kernels)


@pytest.mark.parametrize(
    ("encoder", "kind"),
    [(Encoder.WHISPER, WhisperSpeechEncoder), (Encoder.APC, ApcEncoder)],
)
def test_the_generator_is_the_one_that_learned_from_the_encoder(encoder, kind):
    predictor = load_predictor(Encoding(encoder=encoder), CPU)
    assert isinstance(predictor.listener.encoder, kind)
    assert predictor.encoder == encoder.value
    names = {f"encoder_{encoder.value}", f"motion_{encoder.value}", "pose", "face_shapes"}
    assert set(predictor.files) == names


def test_projection_is_a_part_of_hearing():
    plain, projected = (
        load_predictor(Encoding(projection=strength), CPU) for strength in (0.0, 0.5)
    )
    assert isinstance(projected.listener.encoder, ProjectedEncoder)
    assert not isinstance(plain.listener.encoder, ProjectedEncoder)
    assert set(projected.files) - set(plain.files) == {"projection_whisper"}


def test_a_base_comes_with_its_strength():
    known = load_manifold(asset("projection_whisper.safetensors"), 0.3)
    assert known.strength == 0.3
    assert known.base.shape == (2048, 384)
    assert known.mean.shape == known.scale.shape == (384,)
