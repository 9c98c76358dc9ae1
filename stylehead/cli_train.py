"""stylehead train: make the shipped weight files again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

train_app = typer.Typer(
    help="Make the shipped weight files again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
WorkOpt = Annotated[Path, typer.Option("--work", help="Folder of tracked clips.")]


@train_app.command("prepare")
def train_prepare(
    data: Annotated[Path, typer.Option("--data", help="Folder of clips.")], work: WorkOpt
) -> None:
    """Track every clip of a folder; clips already tracked are left alone."""
    from stylehead import console
    from stylehead.training.data import prepare

    with console.progress() as reporter:
        console.result(f"{prepare(data, work, reporter=reporter)} clips in {work}")


@train_app.command("face-model")
def train_face_model(work: WorkOpt) -> None:
    """Learn the generic face from tracked clips and enter it in weights.toml."""
    from stylehead import console, weights
    from stylehead.training.data import load_clips
    from stylehead.training.face_model import fit_face_model
    from stylehead.training.register import checkout_manifest, register

    checkout_manifest()  # before the work, not after it
    path = weights.PACKAGE / "assets" / "face_model.safetensors"
    with console.progress() as reporter:
        metrics = fit_face_model(load_clips(work), path, reporter=reporter)
    register("face_model", path)
    console.result(f"{path} {metrics}")


@train_app.command("baselines")
def train_baselines(
    work: WorkOpt,
    run: Annotated[Path, typer.Option("--run", help="Folder of the motion training.")],
) -> None:
    """Learn the benchmark's baselines from tracked clips and enter them in weights.toml."""
    from stylehead import console, weights
    from stylehead.training.baselines import fit_baselines
    from stylehead.training.data import load_clips
    from stylehead.training.register import checkout_manifest, register

    checkout_manifest()
    path = weights.PACKAGE / "assets" / "baselines.safetensors"
    metrics = fit_baselines(load_clips(work), run, path)
    register("baselines", path)
    console.result(f"{path} {metrics}")


@train_app.command("styles")
def train_styles(
    data: Annotated[Path, typer.Option("--data", help="Folder of clips.")],
) -> None:
    """Learn the built-in styles again from their clips."""
    from stylehead import console
    from stylehead.training.styles import make_styles

    with console.progress() as reporter:
        for path in make_styles(data, reporter=reporter):
            console.result(str(path))


@train_app.command("motion")
def train_motion(
    work: WorkOpt,
    run: Annotated[Path, typer.Option("--run", help="Folder for checkpoints and log; resumes.")],
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Optimiser steps. Default: the recipe's.")
    ] = None,
) -> None:
    """Train the motion generator on tracked clips and enter it in weights.toml."""
    from stylehead import console, weights
    from stylehead.training.data import load_clips
    from stylehead.training.motion import MotionTraining
    from stylehead.training.motion import train_motion as train
    from stylehead.training.register import checkout_manifest, register

    checkout_manifest()  # before the work, not after it
    path = weights.PACKAGE / "assets" / "motion.safetensors"
    how = MotionTraining() if steps is None else MotionTraining(steps=steps)
    with console.progress() as reporter:
        metrics = train(load_clips(work), run, path, how, reporter=reporter)
    register("motion", path)
    console.result(f"{path} {metrics}")
