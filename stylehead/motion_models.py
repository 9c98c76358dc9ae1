"""The networks between sound and motion, loaded together."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stylehead import weights
from stylehead.errors import WeightsError
from stylehead.hearing import Ears, EncoderEars, WhisperEars
from stylehead.models.load import (
    CPU,
    load_audio_encoder,
    load_motion_generator,
    load_pose_generator,
    load_voice_filter,
    load_whisper,
)
from stylehead.models.motion_generator import MotionGenerator
from stylehead.models.pose_generator import PoseGenerator
from stylehead.options import Encoder
from stylehead.progress import SILENT, Reporter
from stylehead.voice import VoiceListener


@dataclass(frozen=True, slots=True)
class MotionModels:
    """Everything that turns sound into motion."""

    voice: VoiceListener
    ears: Ears
    generator: MotionGenerator
    """Trained on what these ears give."""
    pose: PoseGenerator

    @property
    def encoder(self) -> str:
        """Name of the encoder, as in `Encoder`."""
        return self.generator.config.encoder

    @property
    def files(self) -> tuple[str, ...]:
        """Names in weights.toml of what was loaded."""
        whisper = self.encoder == Encoder.WHISPER.value
        ears = "whisper_tiny_en" if whisper else f"encoder_{self.encoder}"
        return "voice_filter", ears, f"motion_{self.encoder}", "pose"


def load_motion_models(
    encoder: Encoder, device: torch.device, *, reporter: Reporter = SILENT
) -> MotionModels:
    """Load the networks of one encoder.

    AUTO takes Whisper, fetched at first use; where it cannot be had, the distilled encoder that
    comes along, which is said.
    """
    if encoder is Encoder.AUTO:
        encoder = Encoder.WHISPER
        try:
            ears = load_ears(encoder, device, reporter=reporter)
        except WeightsError as failure:
            reporter.say(f"{failure} The built-in encoder is used instead: lips follow less well.")
            encoder = Encoder.DISTILLED
            ears = load_ears(encoder, device)
    else:
        ears = load_ears(encoder, device, reporter=reporter)
    return MotionModels(
        VoiceListener(load_voice_filter(weights.resolve("voice_filter"), device)),
        ears,
        load_motion_generator(weights.resolve(f"motion_{encoder.value}"), device),
        load_pose_generator(weights.resolve("pose")),
    )


def load_ears(
    encoder: Encoder,
    device: torch.device = CPU,
    *,
    projected: bool = False,
    reporter: Reporter = SILENT,
) -> Ears:
    """Load one way of hearing; training asks here too, so that both hear the same.

    `projected` puts the manifold projection behind one of the paper's encoders.
    """
    if encoder is Encoder.WHISPER:
        path = weights.resolve("whisper_tiny_en", reporter=reporter)
        return WhisperEars(load_whisper(path, device))
    net, manifold = load_audio_encoder(weights.resolve(f"encoder_{encoder.value}"), device)
    return EncoderEars(net, manifold if projected else None)
