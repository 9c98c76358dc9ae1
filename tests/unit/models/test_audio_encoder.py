import json
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import save_file

from stylehead.models.audio_encoder import AudioEncoder, AudioEncoderConfig
from stylehead.weights.networks import load_network
from tests.golden.parity_cases import case, check_all, fill, hashed, published

SMALL = AudioEncoderConfig(width=6, layers=2, teacher=5)


def tiny(config=SMALL):
    torch.manual_seed(0)
    return AudioEncoder(config).eval()


def rows(count=50):
    return torch.rand(2, count, 80, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("cut", [1, 20, 49])
def test_a_stream_in_pieces_gives_what_the_whole_gives(cut):
    net, sound = tiny(), rows()
    whole, last = net(sound)
    first, state = net(sound[:, :cut])
    second, state = net(sound[:, cut:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-5)
    assert len(state) == SMALL.layers
    for one, other in zip(state, last, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_the_state_matters():
    net, sound = tiny(), rows()
    _, state = net(sound[:, :20])
    assert not torch.allclose(net(sound[:, 20:], state)[0], net(sound[:, 20:])[0], atol=1e-3)


def test_what_comes_later_does_not_change_what_was_heard():
    net, sound = tiny(), rows()
    changed = sound.clone()
    changed[:, 30:] = 0
    before, after = net(sound)[0], net(changed)[0]
    torch.testing.assert_close(before[:, :30], after[:, :30], rtol=0, atol=1e-6)
    assert (before[:, 30:] != after[:, 30:]).any()


def test_features_are_the_last_layers_hidden_states():
    net, sound = tiny(), rows()
    features, state = net(sound)
    assert features.shape == (2, 50, SMALL.width)
    assert torch.equal(features[:, -1], state[-1][0])


def test_the_papers_shape_has_the_papers_size():
    net = AudioEncoder(AudioEncoderConfig())
    assert sum(value.numel() for value in net.rnns.parameters()) == 4_064_256
    assert net.student is None
    over = {name.split(".")[0] for name, _ in net.named_parameters()} - {"rnns"}
    assert over == {"postnet"}


@torch.inference_mode()
def test_with_live_speech_portraits_weights_it_gives_what_theirs_gives():
    wanted = case("lsp_APC_encoder")
    net = fill(AudioEncoder(AudioEncoderConfig()), wanted["fill_rule"])
    shapes = {
        f"rnns.{name}": tuple(v.shape) for name, v in net.get_submodule("rnns").state_dict().items()
    }
    assert shapes == published("lsp", "APC_encoder")
    mel = torch.from_numpy(0.5 + 0.5 * hashed("input:mel", (1, 24, 80))).float()
    check_all([(net(mel)[0], "last_layer_hidden")], wanted)


# ---- files ----------------------------------------------------------------------------------


def saved(folder, state, config=SMALL):
    path = folder / "encoder.safetensors"
    save_file(state, path, metadata={"config": json.dumps(asdict(config))})
    return path


@pytest.mark.parametrize("config", [SMALL, AudioEncoderConfig(width=4, layers=1)])
def test_a_saved_net_comes_back_ready_for_use(tmp_path, config):
    net = load_network(AudioEncoder, saved(tmp_path, tiny(config).state_dict(), config))
    assert net.config == config
    assert not net.training
    assert torch.equal(net(rows())[0], tiny(config)(rows())[0])


def test_half_precision_files_become_single(tmp_path):
    state = {name: value.half() for name, value in tiny().state_dict().items()}
    net = load_network(AudioEncoder, saved(tmp_path, state))
    assert {value.dtype for value in net.parameters()} == {torch.float32}


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_loading_is_strict(tmp_path, change):
    state = dict(tiny().state_dict())
    if change == "missing":
        del state["student.weight"]
    elif change == "extra":
        state["manifold.colour"] = torch.zeros(3)
    else:
        state["postnet.weight"] = torch.zeros(3, 3)
    with pytest.raises(RuntimeError, match="state_dict"):
        load_network(AudioEncoder, saved(tmp_path, state))
