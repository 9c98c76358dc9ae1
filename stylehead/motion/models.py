"""The networks that predict motion: generator, pose network, and a style's tuning."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stylehead.compute.device import to_array
from stylehead.errors import StyleError
from stylehead.models.adapter import Adapter, tuned
from stylehead.models.manifold import Manifold
from stylehead.models.motion_generator import MotionGenerator
from stylehead.models.pose_generator import PoseGenerator
from stylehead.types import Tuning
from stylehead.weights.networks import load_network
from stylehead.weights.store import read_manifest, resolve


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks that turn speech features into motion."""

    generator: MotionGenerator
    """Trained on the features of one speech encoder."""
    pose: PoseGenerator

    @property
    def encoder(self) -> str:
        """Name of that encoder, as in `Encoder`."""
        return self.generator.config.encoder

    @property
    def files(self) -> tuple[str, ...]:
        """Names in weights.toml of what moves a face."""
        return f"motion_{self.encoder}", "pose", "face_shapes"


def load_networks(encoder: str, device: torch.device) -> Networks:
    """Load the motion generator of a speech encoder, and the pose network."""
    return Networks(
        load_network(MotionGenerator, resolve(f"motion_{encoder}"), device),
        load_network(PoseGenerator, resolve("pose")),
    )


def generator_digest(encoder: str) -> str:
    """Return the digest that weights.toml gives for the generator of an encoder."""
    digest = read_manifest()[f"motion_{encoder}"].sha256
    assert digest is not None  # files that come along always have one
    return digest


def tuning_of(
    adapter: Adapter, encoder: str, generator_sha256: str, own_voice: Manifold | None = None
) -> Tuning:
    """Return an adapter's arrays, and the base its features are brought to, ready to be saved."""
    arrays = {name: to_array(value) for name, value in adapter.state_dict().items()}
    if own_voice is None:
        return Tuning(encoder, generator_sha256, arrays)
    base = {name: to_array(value) for name, value in own_voice.arrays.items()}
    return Tuning(encoder, generator_sha256, arrays, own_voice.strength, base)


def tuned_generator(generator: MotionGenerator, tuning: Tuning, name: str) -> MotionGenerator:
    """Return the generator as a style changes it; `name` is the style's, for messages.

    Raises StyleError when the style was tuned for another encoder or for other weights.
    """
    encoder = generator.config.encoder
    if tuning.encoder != encoder:
        raise StyleError(
            f"The style {name} was tuned for the encoder {tuning.encoder}, not {encoder}.",
            remedy=f"Pass --encoder {tuning.encoder}, or learn the style again with "
            f"--encoder {encoder}.",
        )
    if tuning.generator_sha256 != generator_digest(encoder):
        raise StyleError(
            f"The style {name} was tuned for other weights of the motion generator.",
            remedy="Run stylehead finetune-style again with its clip.",
        )
    rank = _rank(tuning)
    adapter = Adapter(generator, min(rank, HIGHEST_RANK))  # a higher one does not load below
    state = {key: torch.from_numpy(value) for key, value in tuning.arrays.items()}
    try:
        adapter.load_state_dict(state)
        own_voice = _own_voice(tuning, generator.config.features)
    except (RuntimeError, KeyError) as error:  # torch names what is missing or misshapen
        raise StyleError(
            f"The style {name} has a damaged tuning.",
            remedy="Run stylehead finetune-style again with its clip.",
        ) from error
    return tuned(generator, adapter, own_voice)


def _own_voice(tuning: Tuning, features: int) -> Manifold | None:
    if not tuning.projection:
        return None
    arrays = {key: torch.from_numpy(value) for key, value in tuning.own_voice.items()}
    found = Manifold.of(arrays, tuning.projection)
    shapes = [tuple(array.shape) for array in (found.mean, found.scale)]
    if found.base.ndim != 2 or not len(found.base) or shapes != 2 * [(features,)]:
        raise KeyError("a base of other features")
    return found


HIGHEST_RANK = 64  # of a change; the files that are made have RANK


def _rank(tuning: Tuning) -> int:
    return min((len(value) for key, value in tuning.arrays.items() if "down" in key), default=1)
