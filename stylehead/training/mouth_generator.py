"""Train the intermediate generator and the style-aware generator on mouth patches."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stylehead.device import channels_first
from stylehead.media.image import write_image
from stylehead.models.discriminator import DiscriminatorConfig, MultiscaleDiscriminator
from stylehead.models.mouth_generator import CHANNELS, MouthGenerator, MouthGeneratorConfig, compose
from stylehead.progress import SILENT, Reporter
from stylehead.rendering.facial_map import facial_map
from stylehead.rendering.mouth_interior import mouth_interiors, mouth_layer
from stylehead.training.data.clips import PEOPLE
from stylehead.training.data.mouth_batches import (
    Augmentation,
    Batch,
    Patches,
    balanced,
    batch_of,
    load_patches,
)
from stylehead.training.loop import descend, save_weights
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
from stylehead.weights.networks import load_mouth_generator, load_vgg
from stylehead.weights.store import load_state, resolve

SHOWN = 12  # pairs on a contact sheet
JUDGED = 240  # held-out pairs a log row is measured on
ADVERSARIAL = ("adversarial", "matching", "critic")
"""Losses that the discriminator takes part in."""
VIEW = np.s_[..., 36:108, 28:100]
"""What the discriminator sees of a patch: lips and teeth, for the skin around them gives nothing
away and would have it guess."""
Features = Callable[[Tensor], list[Tensor]]


@dataclass(frozen=True, slots=True)
class PictureTraining:
    """How a picture network is trained; the loss weights are those of the method notes, 6.4."""

    steps: int = 1600
    batch: int = 12  # paper: 8
    learning_rate: float = 1e-3  # 100 x the paper's: a net of a million numbers, not 76
    widths: tuple[int, ...] = (32, 48, 80, 112)
    patterns: bool = True
    """Look at intermediate style patterns; False trains the intermediate generator."""
    facial_map: bool = True
    """Look at the facial map; an ablation."""
    begin: bool = True
    """Start as the intermediate generator, which knows mouths already."""
    l1: float = 100.0
    gradient: float = 100.0
    perceptual: float = 0.0
    """Weight of VGG19's features, whose weights are then fetched; 10 in the method notes."""
    adversarial: float = 5.0
    matching: float = 10.0
    """Weight of the discriminator's features."""
    style: float = 1.0
    """Weight of L_sp; the method notes start at 10, which drew mouths towards the patterns."""
    rest: float = 0.4
    """Weight in the L1 of what W leaves out: skin keeps its place."""
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
    how: PictureTraining,
    *,
    device: torch.device = torch.device("cpu"),  # noqa: B008
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Train on the people that are not held out and write the weights; return their metrics.

    The style-aware generator looks at patterns made by the intermediate generator of this checkout.
    """
    run.mkdir(parents=True, exist_ok=True)
    known = load_patches(data, without=set(PEOPLE))
    held = load_patches(data, people=set(PEOPLE), without=set())
    reporter.say(f"{len(known)} pairs of {len(set(known.people))} people, {len(held)} held out")
    begin = made = held_made = None
    if how.patterns or how.begin:
        mapper = load_mouth_generator(resolve("style_mapping"), device)
        begin = mapper if how.begin else None
        if how.patterns:
            made, held_made = (make_patterns(one, mapper, device) for one in (known, held))
    features = None
    if how.perceptual:
        features = load_vgg(load_state("vgg19", reporter=reporter), device)
    net = fit_pictures(
        known, made, how, held=held, held_patterns=held_made, begin=begin, features=features,
        device=device, run=run, reporter=reporter,
    )  # fmt: skip
    score = validate(net, held, held_made, how, device)
    metrics = {
        "config": json.dumps(asdict(net.config)),
        "training": json.dumps(asdict(how)),
        "pairs": str(len(known)),
        "people": str(len(set(known.people))),
        "held_out_people": str(len(set(held.people))),
        **{f"held_out_{name}": f"{value:.4f}" for name, value in score.items()},
    }
    save_weights(path, net.state_dict(), metrics)
    return metrics


@torch.inference_mode()
def make_patterns(patches: Patches, mapper: MouthGenerator, device: torch.device) -> Pixels:
    """Return the intermediate style patterns of every source: (M, 4, S, S, 3)."""
    out = np.empty_like(patches.references)
    for row in range(len(out)):
        size = out.shape[2]
        points, shown = patches.reference_points[row], patches.references[row]
        maps = np.stack([facial_map(one, size) for one in points])
        drawn = mouth_interiors(points, shown, maps)
        warped, interior = channels_first(shown, device) / 255, channels_first(drawn, device)
        layer = mouth_layer(mapper, warped, channels_first(maps, device) / 255, None, interior)
        found = compose(warped, layer).clamp(0, 1)
        out[row] = (found * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return out


@torch.random.fork_rng(devices=[])
def fit_pictures(
    known: Patches,
    patterns: Pixels | None,
    how: PictureTraining,
    *,
    held: Patches,
    held_patterns: Pixels | None,
    begin: MouthGenerator | None,
    features: Features | None,
    device: torch.device,
    run: Path | None,
    reporter: Reporter,
) -> MouthGenerator:
    """Train one network; log, contact sheets and checkpoints go to `run`.

    What is alike in `begin` is taken over.
    """
    generator = torch.Generator().manual_seed(how.seed)
    torch.manual_seed(how.seed)
    config = MouthGeneratorConfig(len(TEMPLATES) if how.patterns else 0, how.facial_map, how.widths)
    net = MouthGenerator(config)
    if begin is not None:
        fresh = net.state_dict()
        alike = {n: v for n, v in begin.state_dict().items() if v.shape == fresh[n].shape}
        net.load_state_dict(fresh | alike)
    critic = MultiscaleDiscriminator(DiscriminatorConfig(CHANNELS + 3, how.discriminator_width))
    both = nn.ModuleDict({"net": net, "critic": critic})
    both.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimiser = torch.optim.Adam(both.parameters(), how.learning_rate, betas=(0.5, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, how.learning_rate, how.steps, pct_start=0.1, cycle_momentum=False
    )
    shares = balanced(known)
    nothing = dict.fromkeys(ADVERSARIAL, torch.zeros((), device=device))

    def losses() -> dict[str, Tensor]:
        rows = torch.multinomial(shares, how.batch, replacement=True, generator=generator)
        batch = batch_of(
            known,
            rows.tolist(),
            patterns,
            augmentation=Augmentation(jitter=how.jitter),
            generator=generator,
        ).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            layer = _layer(net, batch, how)
        made = compose(batch.warped, layer.float())
        found = picture_losses(made, batch, how, features)
        takes_part = schedule.last_epoch >= how.discriminator_from
        found |= adversarial_losses(made, batch, critic, how) if takes_part else nothing
        return {"total": torch.stack(list(found.values())).sum(), **found}

    descend(
        "Picture network",
        losses,
        asdict(how),
        steps=how.steps,
        every=how.every,
        net=both,
        optimiser=optimiser,
        schedule=schedule,
        generator=generator,
        run=run,
        validate=lambda: validate(net, held, held_patterns, how, device, sheet=run),
        reporter=reporter,
    )
    return net.eval()


def _layer(
    net: MouthGenerator, batch: Batch, how: PictureTraining, interior: Tensor | None = None
) -> Tensor:
    """Return the network's layer for a batch.

    It learns to paint all of the mouth itself: trained under the drawn inside, which takes all
    detail off its hands, it made the light between teeth and dark an even grey.
    """
    memory = net.encode(batch.patterns.flatten(1, 2)) if how.patterns else None
    if interior is None:
        return net(batch.warped, batch.facial_map, memory)
    return mouth_layer(net, batch.warped, batch.facial_map, memory, interior)


def picture_losses(
    made: Tensor, batch: Batch, how: PictureTraining, features: Features | None
) -> dict[str, Tensor]:
    """Return the weighted losses that need no discriminator."""
    store = batch.weights + how.rest
    found = {
        "l1": how.l1 * photometric_loss(made, batch.filmed, store),
        "gradient": how.gradient * gradient_loss(made, batch.filmed, store),
    }
    if features is not None:
        found["perceptual"] = how.perceptual * perceptual_loss(made, batch.filmed, features)
    if how.patterns and how.style:
        index, fits = best_patterns(batch.points, batch.pattern_points, made.shape[-1])
        matched = batch.patterns[torch.arange(len(index)), index]
        found["style"] = how.style * style_photometric_loss(made, matched, batch.weights, fits)
    return found


def adversarial_losses(
    made: Tensor, batch: Batch, critic: MultiscaleDiscriminator, how: PictureTraining
) -> dict[str, Tensor]:
    """Return the generator's and the discriminator's losses.

    One optimiser steps both: the generator's terms pass through a critic that stands still, the
    critic's see pictures that stand still.
    """

    def looked_at(pictures: Tensor) -> Layers:
        seen = torch.cat([batch.facial_map, pictures * 2 - 1], 1)[VIEW]
        with torch.autocast(seen.device.type, torch.bfloat16):
            return [[one.float() for one in maps] for maps in critic(seen)]

    critic.requires_grad_(False)
    fake = looked_at(made)
    critic.requires_grad_(True)
    real = looked_at(batch.filmed)
    terms = (
        how.adversarial * generator_adversarial_loss(fake),
        how.matching * feature_matching_loss(real, fake),
        discriminator_loss(real, looked_at(made.detach())),
    )
    return dict(zip(ADVERSARIAL, terms, strict=True))


@torch.inference_mode()
def validate(
    net: MouthGenerator,
    held: Patches,
    patterns: Pixels | None,
    how: PictureTraining,
    device: torch.device,
    *,
    sheet: Path | None = None,
) -> dict[str, float]:
    """Return errors in the mouth's area on held-out people, against those of the warp.

    With `sheet` a contact sheet `sheet.png` is drawn there: warped, made and filmed.
    """
    net.eval()
    rows = np.linspace(0, len(held) - 1, min(JUDGED, len(held))).astype(int).tolist()
    errors: list[list[float]] = []
    shown: list[Tensor] = []
    every = max(1, len(rows) // SHOWN)
    for start in range(0, len(rows), 24):
        some = rows[start : start + 24]
        batch = batch_of(held, some, patterns).to(device)
        maps = (batch.facial_map * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        drawn = mouth_interiors(held.points[some], held.warped[some], maps)
        layer = _layer(net, batch, how, channels_first(drawn, device))
        made = compose(batch.warped, layer).clamp(0, 1)
        area = mouth_only(batch.weights)
        errors.append(
            [
                float(measure(one, batch.filmed, area))
                for one in (made, batch.warped)
                for measure in (photometric_loss, gradient_loss)
            ]
        )
        column = torch.cat([batch.warped, made, batch.filmed], 2)
        shown += [one for number, one in enumerate(column, start) if number % every == 0]
    if sheet:
        tiled = (torch.cat(shown, 2) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        write_image(sheet / "sheet.png", tiled)
    made_l1, made_edges, warp_l1, warp_edges = np.mean(errors, axis=0).tolist()
    return {
        "mouth_l1": made_l1,
        "mouth_gradient": made_edges,
        "l1_against_warp": made_l1 / warp_l1,
        "gradient_against_warp": made_edges / warp_edges,
    }
