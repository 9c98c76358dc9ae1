"""Weight file -> network, strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from stylehead.ctranslate2 import read_arrays
from stylehead.manifold import Manifold
from stylehead.models import whisper
from stylehead.models.audio_encoder import AudioEncoder, AudioEncoderConfig
from stylehead.models.compact_generator import CompactConfig, CompactGenerator
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.models.pose_generator import PoseConfig, PoseGenerator
from stylehead.models.voice_filter import VoiceFilter, VoiceFilterConfig

CPU = torch.device("cpu")


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the config and the arrays, in single precision, of one of our own files."""
    with safe_open(path, framework="pt") as file:
        config = json.loads(file.metadata()["config"])
        return config, {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118


def load_motion_generator(path: Path, device: torch.device = CPU) -> MotionGenerator:
    """Build the motion generator its file describes; every name and shape must fit."""
    config, state = read_weights(path)
    net = MotionGenerator(MotionConfig(**config))
    net.load_state_dict(state)
    return net.to(device).eval()


def load_audio_encoder(
    path: Path, device: torch.device = CPU
) -> tuple[AudioEncoder, Manifold | None]:
    """Build the audio encoder its file describes, and the manifold that came with it, if any."""
    config, state = read_weights(path)
    base = {name: state.pop(f"manifold.{name}", None) for name in ("base", "mean", "scale")}
    net = AudioEncoder(AudioEncoderConfig(**config))
    net.load_state_dict(state)
    manifold = None if base["base"] is None else Manifold(**base)  # pyright: ignore
    return net.to(device).eval(), manifold


def load_whisper(path: Path, device: torch.device = CPU) -> whisper.WhisperEncoder:
    """Build Whisper's audio encoder from its published file, in CTranslate2's form."""
    net = whisper.WhisperEncoder()
    net.load_state_dict(whisper.from_ctranslate2(read_arrays(path, "encoder/")))
    return net.to(device).eval()


def load_voice_filter(path: Path, device: torch.device = CPU) -> VoiceFilter:
    """Build the voice filter its file describes."""
    config, state = read_weights(path)
    net = VoiceFilter(VoiceFilterConfig(**config))
    net.load_state_dict(state)
    return net.to(device).eval()


def load_pose_generator(path: Path) -> PoseGenerator:
    """Build the pose generator its file describes; it stays on the CPU, pose by pose."""
    config, state = read_weights(path)
    net = PoseGenerator(PoseConfig(**config))
    net.load_state_dict(state)
    return net.eval()


def load_compact_generator(path: Path, device: torch.device = CPU) -> CompactGenerator:
    """Build the intermediate or the style-aware generator its file describes."""
    config, state = read_weights(path)
    net = CompactGenerator(CompactConfig(**config))
    net.load_state_dict(state)
    return net.to(device, memory_format=torch.channels_last).eval()  # pyright: ignore
