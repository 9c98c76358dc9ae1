"""Train the intermediate generator and the style-aware generator on mouth crops."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stylehead.compute.device import channels_first
from stylehead.media.image import write_image
from stylehead.models.discriminator import DiscriminatorConfig, MultiscaleDiscriminator
from stylehead.models.mouth_generator import CHANNELS, MouthGenerator, MouthGeneratorConfig, compose
from stylehead.progress import SILENT, Reporter
from stylehead.rendering.mouth.facial_map import facial_map
from stylehead.rendering.mouth.interior import mouth_interiors, mouth_layer
from stylehead.training.data.clips import PEOPLE
from stylehead.training.data.mouth_batches import (
    Augmentation,
    Batch,
    Patches,
    balanced,
    batch_of,
    load_patches,
)
from stylehead.training.loop import Learner, Stage, save_weights, seeded, train
from stylehead.training.mouth_losses import (
    Layers,
    best_patterns,
    discriminator_loss,
    feature_matching_loss,
    generator_adversarial_loss,
    gradient_loss,
    mouth_only,
    perceptual_loss,
    photometric_loss,
    style_photometric_loss,
)
from stylehead.types import TEMPLATES, Pixels
from stylehead.weights.networks import CPU, load_mouth_generator, load_vgg
from stylehead.weights.store import load_state, resolve

SHOWN = 12  # pairs on a contact sheet
JUDGED = 240  # held-out pairs a log row is measured on
ADVERSARIAL = ("mouth/adversarial", "mouth/matching", "discriminator/total")
"""Losses that the discriminator takes part in."""
VIEW = np.s_[..., 36:108, 28:100]
"""What the discriminator sees of a patch: lips and teeth, for the skin around them gives nothing
away and would have it guess."""
Features = Callable[[Tensor], list[Tensor]]
"""A fixed network's maps of images (B, 3, S, S)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTraining:
    """How a mouth generator is trained; the keys of its recipes."""

    steps: int = 1600
    batch: int = 12  # paper: 8
    learning_rate: float = 1e-3  # 100 x the paper's: a net of a million numbers, not 76
    discriminator_rate: float = 1e-3
    """Learning rate of the discriminator."""
    widths: tuple[int, ...] = (32, 48, 80, 112)
    patterns: bool = True
    """Look at intermediate style patterns; False trains the intermediate generator."""
    facial_map: bool = True
    """Look at the facial map; an ablation."""
    warm_start: bool = True
    """Start as the intermediate generator, which knows mouths already."""
    l1: float = 100.0
    gradient: float = 100.0
    perceptual: float = 0.0
    """Weight of VGG19's features, whose weights are then fetched."""
    adversarial: float = 5.0
    matching: float = 10.0
    """Weight of the discriminator's features."""
    style: float = 1.0
    """Weight of L_sp; 10 drew mouths towards the patterns."""
    background: float = 0.4
    """Weight in the L1 of what W leaves out: skin stays where it is."""
    discriminator_width: int = 24
    discriminator_from: int = 700
    """Step from which the discriminator takes part: before it there is nothing to tell apart."""
    jitter: float = 0.7
    every: int = 200
    seed: int = 0


def train_pictures(
    data: Path,
    run: Path,
    path: Path,
    config: PictureTraining,
    *,
    device: torch.device = CPU,
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Train on the people that are not held out and write the weights; return their metrics.

    The style-aware generator looks at patterns made by the intermediate generator of this checkout.
    Raises DataError when `data` holds no pictures, or a damaged file.
    """
    run.mkdir(parents=True, exist_ok=True)
    known = load_patches(data, without=set(PEOPLE))
    held_out = load_patches(data, people=set(PEOPLE), without=set())
    reporter.say(f"{len(known)} pairs of {len(set(known.people))} people, {len(held_out)} held out")
    start = patterns = held_out_patterns = None
    if config.patterns or config.warm_start:
        mapper = load_mouth_generator(resolve("style_mapping"), device)
        start = mapper if config.warm_start else None
        if config.patterns:
            patterns, held_out_patterns = (
                make_patterns(pairs, mapper, device) for pairs in (known, held_out)
            )
    features = None
    if config.perceptual:
        features = load_vgg(load_state("vgg19", reporter=reporter), device)
    net = fit_pictures(
        known, patterns, config, held_out=held_out, held_out_patterns=held_out_patterns,
        start=start, features=features, device=device, run=run, reporter=reporter,
    )  # fmt: skip
    score = validate(net, held_out, held_out_patterns, device)
    metrics = {
        "config": json.dumps(asdict(net.config)),
        "training": json.dumps(asdict(config)),
        "pairs": str(len(known)),
        "people": str(len(set(known.people))),
        "held_out_people": str(len(set(held_out.people))),
        **{f"held_out_{name}": f"{value:.4f}" for name, value in score.items()},
    }
    save_weights(path, net.state_dict(), metrics)
    return metrics


@torch.inference_mode()
def make_patterns(patches: Patches, mapper: MouthGenerator, device: torch.device) -> Pixels:
    """Return the intermediate style patterns of every source: (M, 4, S, S, 3)."""
    patterns = np.empty_like(patches.references)
    for row in range(len(patterns)):
        size = patterns.shape[2]
        points, shown = patches.reference_points[row], patches.references[row]
        maps = np.stack([facial_map(face, size) for face in points])
        drawn = mouth_interiors(points, shown, maps)
        warped, interior = channels_first(shown, device) / 255, channels_first(drawn, device)
        shown_map = channels_first(maps, device) / 255
        layer = mouth_layer(mapper, warped, shown_map, interior, memory=None)
        patterns[row] = to_pixels(compose(warped, layer).clamp(0, 1))
    return patterns


@torch.random.fork_rng(devices=[])
def fit_pictures(
    known: Patches,
    patterns: Pixels | None,
    config: PictureTraining,
    *,
    held_out: Patches,
    held_out_patterns: Pixels | None,
    start: MouthGenerator | None,
    features: Features | None,
    device: torch.device,
    run: Path | None,
    reporter: Reporter,
) -> MouthGenerator:
    """Train one generator; log, contact sheets and checkpoints go to `run`.

    patterns (M, 4, S, S, 3) are those of `known`'s sources. Parameters of `start` with the same
    shape are taken over.
    """
    generator = seeded(config.seed)
    pattern_count = len(TEMPLATES) if config.patterns else 0
    net = MouthGenerator(MouthGeneratorConfig(pattern_count, config.facial_map, config.widths))
    if start is not None:
        fresh = net.state_dict()
        alike = {n: v for n, v in start.state_dict().items() if v.shape == fresh[n].shape}
        net.load_state_dict(fresh | alike)
    discriminator = MultiscaleDiscriminator(
        DiscriminatorConfig(CHANNELS + 3, config.discriminator_width)
    )
    learners = {
        "mouth": _learner(net, config.learning_rate, config, device),
        "discriminator": _learner(discriminator, config.discriminator_rate, config, device),
    }
    weights = balanced(known)
    augmentation = Augmentation(jitter=config.jitter)
    absent = dict.fromkeys(ADVERSARIAL, torch.zeros((), device=device))

    def losses(generator: torch.Generator) -> dict[str, Tensor]:
        rows = torch.multinomial(weights, config.batch, replacement=True, generator=generator)
        batch = batch_of(
            known, rows.tolist(), patterns, augmentation=augmentation, generator=generator
        ).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            layer = _layer(net, batch)
        completed = compose(batch.warped, layer.float())
        parts = picture_losses(completed, batch, config, features)
        takes_part = learners["mouth"].schedule.last_epoch >= config.discriminator_from
        adversarial = absent
        if takes_part:
            adversarial = adversarial_losses(completed, batch, discriminator, config)
        parts |= adversarial
        own = [loss for name, loss in parts.items() if name.startswith("mouth/")]
        return {"mouth/total": torch.stack(own).sum(), **parts}

    stage = Stage(
        name="Mouth generator",
        config=asdict(config),
        steps=config.steps,
        every=config.every,
        learners=learners,
        generator=generator,
        losses=losses,
        validate=lambda: validate(net, held_out, held_out_patterns, device, sheet=run),
    )
    train(stage, run, reporter=reporter)
    return net.eval()


def _learner(net: nn.Module, rate: float, config: PictureTraining, device: torch.device) -> Learner:
    net.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] (stubs)
    optimiser = torch.optim.Adam(net.parameters(), rate, betas=(0.5, 0.99))
    return Learner.one_cycle(net, optimiser, config.steps, pct_start=0.1, cycle_momentum=False)


def _layer(net: MouthGenerator, batch: Batch, interior: Tensor | None = None) -> Tensor:
    """Return the network's layer for a batch.

    It learns to paint all of the mouth itself: trained under the drawn inside, which takes all
    detail off its hands, it made the light between teeth and dark an even grey.
    """
    memory = net.encode(batch.patterns.flatten(1, 2)) if net.config.patterns else None
    if interior is None:
        return net(batch.warped, batch.facial_map, memory)
    return mouth_layer(net, batch.warped, batch.facial_map, interior, memory=memory)


def picture_losses(
    completed: Tensor, batch: Batch, config: PictureTraining, features: Features | None
) -> dict[str, Tensor]:
    """Return the weighted losses of completed pictures (B, 3, S, S) that need no discriminator."""
    weights = batch.weights + config.background
    losses = {
        "mouth/l1": config.l1 * photometric_loss(completed, batch.filmed, weights),
        "mouth/gradient": config.gradient * gradient_loss(completed, batch.filmed, weights),
    }
    if features is not None:
        loss = perceptual_loss(completed, batch.filmed, features)
        losses["mouth/perceptual"] = config.perceptual * loss
    if config.patterns and config.style:
        index, fits = best_patterns(batch.points, batch.pattern_points, completed.shape[-1])
        matched = batch.patterns[torch.arange(len(index)), index]
        loss = style_photometric_loss(completed, matched, batch.weights, fits)
        losses["mouth/style"] = config.style * loss
    return losses


def adversarial_losses(
    completed: Tensor,
    batch: Batch,
    discriminator: MultiscaleDiscriminator,
    config: PictureTraining,
) -> dict[str, Tensor]:
    """Return the weighted losses of completed pictures (B, 3, S, S) that need a discriminator.

    Those of the generator pass through the discriminator, that of the discriminator sees pictures
    detached from the generator; each network's optimiser drops the other's gradients.
    """

    def discriminate(pictures: Tensor) -> Layers:
        view = torch.cat([batch.facial_map, pictures * 2 - 1], 1)[VIEW]
        with torch.autocast(view.device.type, torch.bfloat16):
            return [[level.float() for level in maps] for maps in discriminator(view)]

    fake, real = discriminate(completed), discriminate(batch.filmed)
    terms = (
        config.adversarial * generator_adversarial_loss(fake),
        config.matching * feature_matching_loss(real, fake),
        discriminator_loss(real, discriminate(completed.detach())),
    )
    return dict(zip(ADVERSARIAL, terms, strict=True))


@torch.inference_mode()
def validate(
    net: MouthGenerator,
    held_out: Patches,
    patterns: Pixels | None,
    device: torch.device,
    *,
    sheet: Path | None = None,
) -> dict[str, float]:
    """Return errors in the mouth's area on held-out people, against those of the warp.

    patterns (M, 4, S, S, 3) are those of `held_out`'s sources. With `sheet` a contact sheet
    `sheet.png` is drawn in that folder: warped, completed and filmed.
    """
    net.eval()
    rows = np.linspace(0, len(held_out) - 1, min(JUDGED, len(held_out))).astype(int).tolist()
    errors: list[list[float]] = []
    shown: list[Tensor] = []
    every = max(1, len(rows) // SHOWN)
    for start in range(0, len(rows), 24):
        some = rows[start : start + 24]
        batch = batch_of(held_out, some, patterns).to(device)
        maps = to_pixels(batch.facial_map)
        drawn = mouth_interiors(held_out.points[some], held_out.warped[some], maps)
        layer = _layer(net, batch, channels_first(drawn, device))
        completed = compose(batch.warped, layer).clamp(0, 1)
        area = mouth_only(batch.weights)
        errors.append(
            [
                float(measure(pictures, batch.filmed, area))
                for pictures in (completed, batch.warped)
                for measure in (photometric_loss, gradient_loss)
            ]
        )
        columns = torch.cat([batch.warped, completed, batch.filmed], 2)
        shown += [column for number, column in enumerate(columns, start) if number % every == 0]
    if sheet:
        write_image(sheet / "sheet.png", to_pixels(torch.cat(shown, 2)[None])[0])
    l1, edges, warp_l1, warp_edges = np.mean(errors, axis=0).tolist()
    return {
        "mouth_l1": l1,
        "mouth_gradient": edges,
        "l1_against_warp": l1 / warp_l1,
        "gradient_against_warp": edges / warp_edges,
    }


def to_pixels(pictures: Tensor) -> Pixels:
    """Return pictures (B, C, H, W) in [0, 1] as bytes (B, H, W, C)."""
    return (pictures * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
