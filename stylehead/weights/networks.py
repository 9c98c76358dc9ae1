"""Weight file -> network, strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from stylehead.errors import WeightsError
from stylehead.models.audio_encoder import AudioEncoder, AudioEncoderConfig
from stylehead.models.manifold import Manifold
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.models.mouth_generator import MouthGenerator, MouthGeneratorConfig
from stylehead.models.pose_generator import PoseConfig, PoseGenerator
from stylehead.models.spleeter import SpleeterUNet
from stylehead.models.vgg import Vgg19
from stylehead.models.voice_filter import VoiceFilter, VoiceFilterConfig
from stylehead.models.whisper import WhisperEncoder, positions
from stylehead.weights.checkpoints import read_metadata, read_tensors

CPU = torch.device("cpu")
N = TypeVar("N", bound=nn.Module)

CONFIGS: dict[type[nn.Module], type] = {
    AudioEncoder: AudioEncoderConfig,
    MotionGenerator: MotionConfig,
    MouthGenerator: MouthGeneratorConfig,
    PoseGenerator: PoseConfig,
    VoiceFilter: VoiceFilterConfig,
}
"""Network of ours -> what its file's config is read as."""

SCALE = ".scale"
"""Ends the name of the scales of an array that is kept in eight bits."""


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the config and the arrays, in single precision, of one of our own files.

    An array `a` beside an array `a.scale`, which is as large or broadcasts, is multiplied by it.
    """
    stored = {name: tensor.float() for name, tensor in read_tensors(path)}
    state = {
        name: tensor * stored[name + SCALE] if name + SCALE in stored else tensor
        for name, tensor in stored.items()
        if not name.endswith(SCALE)
    }
    return json.loads(read_metadata(path)["config"]), state


def load_network(kind: type[N], path: Path, device: torch.device = CPU) -> N:
    """Build the network of one kind that a file describes, ready for use.

    Every name and shape must fit: raises RuntimeError, for a checked file of ours always does.
    """
    config, state = read_weights(path)
    net = kind(CONFIGS[kind](**config))
    net.load_state_dict(state)
    return net.to(device).eval()


def load_manifold(path: Path, strength: float) -> Manifold:
    """Read the base of the manifold projection; `strength` says how far features go to it."""
    _, state = read_weights(path)
    return Manifold.of(state, strength)


def load_whisper(path: Path, device: torch.device = CPU) -> WhisperEncoder:
    """Build Whisper's audio encoder; the table of positions is a formula and not in its file."""
    _, state = read_weights(path)
    net = WhisperEncoder()
    net.load_state_dict(state | {"embed_positions.weight": positions()})
    return net.to(device).eval()


def load_spleeter(path: Path, device: torch.device = CPU) -> tuple[SpleeterUNet, SpleeterUNet]:
    """Build Spleeter's two networks: the one of the voice, and the one of what accompanies it."""
    _, state = read_weights(path)

    def of(stem: str) -> SpleeterUNet:
        with torch.device("meta"):  # numbers drawn to be thrown away take as long as reading
            net = SpleeterUNet()
        load_published(
            net,
            {k.removeprefix(stem): v for k, v in state.items() if k.startswith(stem)},
            path.name,
        )
        return net.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] (stubs)

    return of("voice."), of("music.")


def load_mouth_generator(path: Path, device: torch.device = CPU) -> MouthGenerator:
    """Build the intermediate or the style-aware generator a file describes, channels last."""
    net = load_network(MouthGenerator, path, device)
    return net.to(memory_format=torch.channels_last)  # pyright: ignore (torch's stub lacks it)


def load_vgg(state: dict[str, Tensor], device: torch.device = CPU) -> Vgg19:
    """Build VGG19's convolutions from its published state; the classifier is left out."""
    net = Vgg19()
    wanted = net.state_dict()
    load_published(net, {name: state[name] for name in wanted if name in state}, "vgg19")
    return net.to(device).eval()


WRAPPERS = ("module.", "net.", "detector.")
"""Prefixes that published checkpoints may have before every name."""
COUNTER = "num_batches_tracked"
"""A buffer of batch norm that some conversions leave out; no use when nothing is trained."""
SHOWN = 5


def load_published(net: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Give a network the tensors of a published checkpoint; every name and shape must fit.

    Known prefixes before all names are taken off. The network may have been built on the meta
    device. Raises WeightsError with what is missing, unknown or of another shape.
    """
    for wrapper in WRAPPERS:
        if state and all(name.startswith(wrapper) for name in state):
            state = {name.removeprefix(wrapper): value for name, value in state.items()}
    wanted = net.state_dict()
    given = {
        name: torch.zeros((), dtype=torch.long) for name in wanted if name.endswith(COUNTER)
    } | state
    problems = {
        "missing": [name for name in wanted if name not in given],
        "unknown": [name for name in given if name not in wanted],
        "of another shape": [
            f"{name} {tuple(given[name].shape)} instead of {tuple(value.shape)}"
            for name, value in wanted.items()
            if name in given and given[name].shape != value.shape
        ],
    }
    found = [_listed(problem, names) for problem, names in problems.items() if names]
    if found:
        raise WeightsError(
            f"{source} does not fit its network: {'; '.join(found)}.",
            remedy="Get the file that weights.toml names: stylehead weights get.",
        )
    net.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in given.items()}, assign=True
    )


def _listed(problem: str, names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {problem} ({', '.join(names[:SHOWN])}{more})"
