import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stylehead.models.whisper import (
    LAYERS,
    LOUDEST,
    MELS,
    WIDTH,
    WhisperEncoder,
    positions,
    whisper_mel,
)
from stylehead.motion.beat import librosa_alone
from stylehead.speech.mel import mel_filters
from stylehead.weights.networks import load_whisper
from stylehead.weights.store import asset


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return WhisperEncoder().eval()


# ---- the file -------------------------------------------------------------------------------


def test_the_built_in_file_is_the_whole_encoder_in_single_precision(net):
    loaded = load_whisper(asset("encoder_whisper.safetensors"))
    assert not loaded.training
    assert loaded.state_dict().keys() == net.state_dict().keys()
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}


def test_positions_are_a_formula_and_not_in_the_file(tmp_path, net):
    state = {name: value.half() for name, value in net.state_dict().items()}
    del state["embed_positions.weight"]
    path = tmp_path / "encoder.safetensors"
    save_file(state, path, metadata={"config": "{}"})
    loaded = load_whisper(path)
    assert torch.equal(loaded.embed_positions.weight, positions())
    for name, value in state.items():
        assert torch.equal(loaded.state_dict()[name], value.float()), name
    # Sines of growing wavelengths, then cosines: the first row is zeros and ones.
    assert positions()[0].tolist() == [0.0] * (WIDTH // 2) + [1.0] * (WIDTH // 2)
    np.testing.assert_allclose(positions()[:4, 0], np.sin(np.arange(4)), atol=1e-3)


def test_a_file_without_a_layer_is_refused(tmp_path, net):
    state = dict(net.state_dict())
    del state["embed_positions.weight"], state["layers.3.fc2.bias"]
    path = tmp_path / "encoder.safetensors"
    save_file(state, path, metadata={"config": "{}"})
    with pytest.raises(RuntimeError, match=r"layers\.3\.fc2\.bias"):
        load_whisper(path)


# ---- the net --------------------------------------------------------------------------------


def test_the_encoder_is_the_tiny_one(net):
    conv = 3 * WIDTH * (MELS + WIDTH) + 2 * WIDTH
    layer = 4 * WIDTH**2 + 3 * WIDTH + 2 * 4 * WIDTH**2 + 5 * WIDTH + 2 * 2 * WIDTH
    assert (LAYERS, WIDTH) == (4, 384)
    count = sum(value.numel() for value in net.parameters())
    assert count == conv + 1500 * WIDTH + 4 * layer + 2 * WIDTH


@torch.inference_mode()
def test_attention_is_the_softmax_of_its_heads(net):
    attention = net.layers[0].self_attn
    hidden = torch.randn(2, 9, WIDTH)
    result = attention(hidden)
    q, k, v = (part(hidden) for part in (attention.q_proj, attention.k_proj, attention.v_proj))
    mixed = torch.zeros(2, 9, WIDTH)
    for head in range(6):
        own = slice(64 * head, 64 * head + 64)
        for moment in range(9):
            score = torch.exp((k[:, :, own] * q[:, moment : moment + 1, own]).sum(-1) / 8)
            weight = score / score.sum(1, keepdim=True)
            mixed[:, moment, own] = (weight[..., None] * v[:, :, own]).sum(1)
    torch.testing.assert_close(result, attention.out_proj(mixed), rtol=0, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("rows", [20, 21, 300])
def test_two_rows_make_a_feature(net, rows):
    features = net(torch.randn(2, MELS, rows))
    assert features.shape == (2, (rows + 1) // 2, WIDTH)
    torch.testing.assert_close(
        features.mean(-1), torch.zeros(2, (rows + 1) // 2), atol=1e-5, rtol=0
    )


@torch.inference_mode()
def test_a_feature_knows_its_place(net):
    features = net(torch.zeros(1, MELS, 40))[0]
    assert (features[5] - features[10]).abs().max() > 0.1


# ---- log-mel --------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [1e-4, 0.05, 30.0])
def test_mel_rows_are_librosas(gain):
    noise = gain * np.random.default_rng(1).normal(size=8000).astype(np.float32)
    filters = torch.from_numpy(mel_filters(400, MELS, (0.0, 8000.0)))
    found = whisper_mel(torch.from_numpy(noise), filters, torch.hann_window(400))
    with librosa_alone() as librosa:
        power = librosa.feature.melspectrogram(
            y=noise, sr=16_000, n_fft=400, hop_length=160, center=False, n_mels=80, power=2.0
        )
    level = np.log10(np.maximum(power, 1e-10)).clip(LOUDEST - 8, LOUDEST)
    assert found.shape == (80, (8000 - 400) // 160 + 1)
    np.testing.assert_allclose(found, (level + 4) / 4, atol=1e-4)


def test_silence_and_the_loudest_sound_are_fixed_levels():
    filters = torch.from_numpy(mel_filters(400, MELS, (0.0, 8000.0)))
    window = torch.hann_window(400)
    quiet = whisper_mel(torch.zeros(1600), filters, window)
    loud = whisper_mel(1000 * torch.randn(1600), filters, window)
    torch.testing.assert_close(quiet, torch.full_like(quiet, (LOUDEST - 4) / 4))
    torch.testing.assert_close(loud, torch.full_like(loud, (LOUDEST + 4) / 4))


def test_mel_rows_do_not_depend_on_the_rest_of_the_sound():
    filters = torch.from_numpy(mel_filters(400, MELS, (0.0, 8000.0)))
    samples = 0.1 * torch.randn(4000)
    louder = samples.clone()
    louder[3000:] *= 100
    before, after = (
        whisper_mel(one, filters, torch.hann_window(400))[:, :16] for one in (samples, louder)
    )
    torch.testing.assert_close(before, after, rtol=0, atol=1e-6)
