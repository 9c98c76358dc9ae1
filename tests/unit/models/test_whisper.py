import struct

import numpy as np
import pytest
import torch

from stylehead.errors import WeightsError
from stylehead.models.whisper import (
    LAYERS,
    LOUDEST,
    MELS,
    WIDTH,
    WhisperEncoder,
    from_ctranslate2,
    whisper_mel,
)
from stylehead.speech.mel import mel_filters
from stylehead.weights.checkpoints import TYPES, read_ctranslate2
from stylehead.weights.networks import load_whisper

CODES = {np.dtype(kind): code for code, kind in TYPES.items()}


def container(arrays):
    """Write arrays the way CTranslate2 does."""

    def name(text):
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    parts = [struct.pack("<I", 6), name("WhisperSpec"), struct.pack("<II", 3, len(arrays))]
    for title, array in arrays.items():
        parts += [name(title), struct.pack("<B", array.ndim)]
        parts += [struct.pack(f"<{array.ndim}I", *array.shape)]
        parts += [struct.pack("<BI", CODES[array.dtype], array.nbytes), array.tobytes()]
    return b"".join(parts)


def published(state):
    """Return a state as CTranslate2 stores it: queries, keys and values in one matrix."""
    arrays = {
        "encoder/position_encodings/encodings": state["embed_positions.weight"],
        "decoder/embeddings/weight": torch.zeros(3, 2),
    }
    for conv in ("conv1", "conv2"):
        for kind in ("weight", "bias"):
            arrays[f"encoder/{conv}/{kind}"] = state[f"{conv}.{kind}"]

    def norm(there, here):
        arrays[f"encoder/{there}/gamma"] = state[f"{here}.weight"]
        arrays[f"encoder/{there}/beta"] = state[f"{here}.bias"]

    norm("layer_norm", "layer_norm")
    for i in range(LAYERS):
        there, here = f"layer_{i}", f"layers.{i}"
        norm(f"{there}/self_attention/layer_norm", f"{here}.self_attn_layer_norm")
        norm(f"{there}/ffn/layer_norm", f"{here}.final_layer_norm")
        bias = [state[f"{here}.self_attn.{part}_proj.bias"] for part in "qv"]
        bias.insert(1, torch.zeros(WIDTH))  # keys have none
        parts = {"weight": [state[f"{here}.self_attn.{part}_proj.weight"] for part in "qkv"]}
        for kind, pieces in (parts | {"bias": bias}).items():
            arrays[f"encoder/{there}/self_attention/linear_0/{kind}"] = torch.cat(pieces)
            for source, target in (
                ("self_attention/linear_1", "self_attn.out_proj"),
                ("ffn/linear_0", "fc1"),
                ("ffn/linear_1", "fc2"),
            ):
                arrays[f"encoder/{there}/{source}/{kind}"] = state[f"{here}.{target}.{kind}"]
    return {key: value.numpy() for key, value in arrays.items()}


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return WhisperEncoder().eval()


# ---- the container --------------------------------------------------------------------------


@pytest.fixture
def small():
    return {
        "encoder/one": np.arange(6, dtype=np.float32).reshape(2, 3),
        "encoder/half": np.array([[[0.5]], [[-2.0]]], np.float16),
        "decoder/one": np.arange(4, dtype=np.int8),
        "decoder/number": np.array(7, np.int32),
        "short": np.array([-300, 300], np.int16),
    }


def test_every_array_comes_back(tmp_path, small):
    path = tmp_path / "model.bin"
    path.write_bytes(container(small))
    found = read_ctranslate2(path)
    assert list(found) == list(small)
    for name, value in small.items():
        assert found[name].numpy().dtype == value.dtype
        np.testing.assert_array_equal(found[name].numpy(), value)


def test_a_prefix_chooses_arrays(tmp_path, small):
    path = tmp_path / "model.bin"
    path.write_bytes(container(small))
    assert list(read_ctranslate2(path, "encoder/")) == ["encoder/one", "encoder/half"]


def damaged(small):
    whole = container(small)
    kind = whole.index(b"encoder/one\0") + len(b"encoder/one\0") + 1 + 8
    return {
        "empty": b"",
        "cut in the head": whole[:9],
        "cut in a name": whole[:35],
        "cut in an array": whole[: kind + 5 + 7],
        "cut in the last array": whole[:-1],
        "unknown type": whole[:kind] + b"\x2a" + whole[kind + 1 :],
        "wrong size": whole[: kind - 4] + b"\x05" + whole[kind - 3 :],
        "another file": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
    }


@pytest.mark.parametrize(
    "how",
    [
        "empty",
        "cut in the head",
        "cut in a name",
        "cut in an array",
        "cut in the last array",
        "unknown type",
        "wrong size",
        "another file",
    ],
)
def test_a_damaged_file_is_said_to_be_none(tmp_path, small, how):
    path = tmp_path / "model.bin"
    path.write_bytes(damaged(small)[how])
    with pytest.raises(WeightsError, match=r"model\.bin") as caught:
        read_ctranslate2(path)
    assert caught.value.remedy


# ---- names ----------------------------------------------------------------------------------


def test_the_published_file_becomes_the_net(tmp_path, net):
    path = tmp_path / "model.bin"
    path.write_bytes(container(published(net.state_dict())))
    loaded = load_whisper(path)
    assert not loaded.training
    for name, value in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_names_are_neither_missing_nor_over(net):
    arrays = {key: torch.from_numpy(one) for key, one in published(net.state_dict()).items()}
    assert set(from_ctranslate2(arrays)) == set(net.state_dict())


def test_queries_keys_and_values_are_split_in_that_order(net):
    arrays = {key: torch.from_numpy(one) for key, one in published(net.state_dict()).items()}
    joined = "encoder/layer_2/self_attention/linear_0"
    arrays[f"{joined}/weight"] = torch.arange(3.0).repeat_interleave(WIDTH)[:, None].expand(-1, 384)
    arrays[f"{joined}/bias"] = 10 + torch.arange(3.0).repeat_interleave(WIDTH)
    state = from_ctranslate2(arrays)
    for number, part in enumerate("qkv"):
        assert (state[f"layers.2.self_attn.{part}_proj.weight"] == number).all()
    assert (state["layers.2.self_attn.q_proj.bias"] == 10).all()
    assert (state["layers.2.self_attn.v_proj.bias"] == 12).all()
    assert "layers.2.self_attn.k_proj.bias" not in state


def test_half_precision_becomes_single(net):
    arrays = {key: torch.from_numpy(one).half() for key, one in published(net.state_dict()).items()}
    assert {value.dtype for value in from_ctranslate2(arrays).values()} == {torch.float32}


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
    found = attention(hidden)
    q, k, v = (part(hidden) for part in (attention.q_proj, attention.k_proj, attention.v_proj))
    mixed = torch.zeros(2, 9, WIDTH)
    for head in range(6):
        own = slice(64 * head, 64 * head + 64)
        for moment in range(9):
            score = torch.exp((k[:, :, own] * q[:, moment : moment + 1, own]).sum(-1) / 8)
            share = score / score.sum(1, keepdim=True)
            mixed[:, moment, own] = (share[..., None] * v[:, :, own]).sum(1)
    torch.testing.assert_close(found, attention.out_proj(mixed), rtol=0, atol=1e-5)


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
    librosa = pytest.importorskip("librosa")
    noise = gain * np.random.default_rng(1).normal(size=8000).astype(np.float32)
    filters = torch.from_numpy(mel_filters(400, MELS, (0.0, 8000.0)))
    found = whisper_mel(torch.from_numpy(noise), filters, torch.hann_window(400))
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
