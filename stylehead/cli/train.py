"""stylehead prepare and train: make the shipped weight files again, or others."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stylehead.cli.options import takes
from stylehead.options import Compute, Encoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from stylehead.progress import Reporter

train_app = typer.Typer(
    help="Train the package's model files again, from a folder that `prepare` filled.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
DataOpt = Annotated[Path, typer.Option("--data", help="Folder that `stylehead prepare` filled.")]
RunOpt = Annotated[
    Path, typer.Option("--run", help="Folder for checkpoints and log; training resumes there.")
]
ConfigOpt = Annotated[str, typer.Option("--config", help="TOML file, or a built-in recipe's name.")]
OutputOpt = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Model file to write. Default: the package's own."),
]


class Role(str, Enum):
    """What a folder of files is for."""

    CLIPS = "clips"
    PICTURES = "pictures"
    TEXTURES = "textures"
    GENERATED = "generated"
    VOICE = "voice"
    NOISE = "noise"
    MUSIC = "music"


@takes()
def prepare(
    sources: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help="Folders of clips or of recordings.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of training data.")],
    role: Annotated[
        Role,
        typer.Option(
            "--as",
            help="What the folders hold: filmed clips; the same clips, to learn mouths (pictures) "
            "or skin and lids (textures) from; clips made by other systems; recordings of voices, "
            "noises or instrumental music.",
        ),
    ] = Role.CLIPS,
) -> None:
    """Make a folder of training data: track the faces of clips, or read recordings.

    [bold]Examples[/]

      stylehead prepare clips -o data

      stylehead prepare clips -o data --as pictures

      stylehead prepare speech/* singing -o data --as voice

    Files that are there already are kept. Clips whose mouth and sound are out of sync are named.
    The weight of clips made by other systems is `generated` in the training recipe.
    """
    from stylehead.cli.console import progress, result, say
    from stylehead.training.av_sync import check_sync
    from stylehead.training.data.audio import prepare_sounds
    from stylehead.training.data.clips import prepare_clips
    from stylehead.training.data.mouth_pairs import prepare_pictures
    from stylehead.training.data.skin_textures import prepare_textures

    with progress() as reporter:
        for source in sources:
            if role in (Role.CLIPS, Role.GENERATED):
                count = prepare_clips(source, output / role.value, reporter=reporter)
            elif role is Role.PICTURES:
                count = prepare_pictures(source, output, reporter=reporter)
            elif role is Role.TEXTURES:
                count = prepare_textures(source, output, reporter=reporter)
            else:
                # Two folders of one name, in speech and in singing, are two corpora.
                _, *within, name = source.resolve().parts
                corpus = "_".join((role.value, *within[-1:], name))
                path = output / "sounds" / f"{corpus}.npz"
                count = prepare_sounds(source, path, reporter=reporter)
            result(f"{count} files of {source}")
        if role in (Role.CLIPS, Role.GENERATED):
            for warning in check_sync(output / role.value, reporter=reporter):
                say(warning)


def _train(
    name: str, work: Callable[[Path, Reporter], dict[str, str]], output: Path | None = None
) -> None:
    """Run one stage and print its metrics.

    Without an output the shipped file NAME is written and entered in weights.toml.
    """
    from stylehead.cli.console import progress, result
    from stylehead.training.loop import checkout_manifest, register
    from stylehead.weights.store import asset

    if output is None:
        checkout_manifest()  # before the work, not after it
    path = output or asset(f"{name}.safetensors")
    with progress() as reporter:
        metrics = work(path, reporter)
    if output is None:
        register(name, path)
    result(f"{path} {metrics}")


def _train_by_recipe(
    name: str,
    stage: Callable[..., dict[str, str]],
    kind: type[Any],
    data: Path,
    run: Path,
    config: str,
    *,
    output: Path | None = None,
    **options: Any,
) -> None:
    """Run a stage with the config, of this kind, that a recipe gives."""
    from stylehead.training.config import read_config

    settings = read_config(config, kind)
    _train(
        name,
        lambda path, reporter: stage(data, run, path, settings, reporter=reporter, **options),
        output,
    )


@train_app.command("face-model")
@takes()
def train_face_model(data: DataOpt) -> None:
    """Learn the generic face from tracked clips."""
    from stylehead.training.data.clips import load_clips
    from stylehead.training.face_model import fit_face_model

    _train(
        "face_model",
        lambda path, reporter: fit_face_model(load_clips(data / "clips"), path, reporter=reporter),
    )


@train_app.command("face-shapes")
@takes()
def train_face_shapes(data: DataOpt) -> None:
    """Learn which shapes mouths take from tracked clips."""
    from stylehead.training.data.clips import load_clips
    from stylehead.training.face_shapes import fit_face_shapes

    _train(
        "face_shapes",
        lambda path, reporter: fit_face_shapes(load_clips(data / "clips"), path, reporter=reporter),
    )


@train_app.command("appearance")
@takes()
def train_appearance(data: DataOpt, output: OutputOpt = None) -> None:
    """Learn shut lids, folds and shading from the textures of clips."""
    from stylehead.training.appearance import fit_appearance

    _train(
        "appearance",
        lambda path, reporter: fit_appearance(data, path, reporter=reporter),
        output,
    )


@train_app.command("baselines")
@takes()
def train_baselines(data: DataOpt) -> None:
    """Fit the benchmark's baselines."""
    from stylehead.training.baselines import fit_baselines

    _train("baselines", lambda path, _: fit_baselines(data, path))


@train_app.command("styles")
@takes()
def train_styles(
    clips: Annotated[Path, typer.Option("--clips", help="Folder of clips.")],
) -> None:
    """Learn the built-in styles again from their clips."""
    from stylehead.cli.console import progress, result
    from stylehead.training.builtin_styles import make_styles

    with progress() as reporter:
        for path in make_styles(clips, reporter=reporter):
            result(str(path))


@train_app.command("voice-filter")
@takes()
def train_voice_filter(data: DataOpt, run: RunOpt, config: ConfigOpt = "voice_filter") -> None:
    """Train the network that separates voices from music and noise."""
    from stylehead.training import voice_filter as stage

    kind = stage.VoiceFilterTraining
    _train_by_recipe("voice_filter", stage.train_voice_filter, kind, data, run, config)


@train_app.command("encoder")
@takes(compute=Compute)
def train_encoder(
    compute: Compute,
    data: DataOpt,
    run: RunOpt,
    config: ConfigOpt = "encoder_apc",
    output: OutputOpt = None,
) -> None:
    """Train the audio encoder: predictive coding, and Whisper's features if the recipe says so."""
    from stylehead.compute.device import choose_device
    from stylehead.training.audio_encoder import EncoderTraining
    from stylehead.training.audio_encoder import train_encoder as train

    device = choose_device(compute.device)
    _train_by_recipe(
        "encoder_apc", train, EncoderTraining, data, run, config, output=output, device=device
    )


@train_app.command("projection")
@takes(compute=Compute)
def train_projection(
    compute: Compute,
    data: DataOpt,
    encoder: Annotated[
        Encoder, typer.Option("--encoder", help="Speech encoder.")
    ] = Encoder.WHISPER,
    config: ConfigOpt = "projection",
    output: OutputOpt = None,
) -> None:
    """Learn the base of the manifold projection: the features of many voices."""
    from stylehead.compute.device import choose_device
    from stylehead.training.config import read_config
    from stylehead.training.projection import ProjectionTraining
    from stylehead.training.projection import train_projection as train

    settings, device = read_config(config, ProjectionTraining), choose_device(compute.device)
    _train(
        f"projection_{encoder.value}",
        lambda path, reporter: train(
            data, path, settings, encoder=encoder, device=device, reporter=reporter
        ),
        output,
    )


@train_app.command("motion")
@takes(compute=Compute)
def train_motion(
    compute: Compute,
    data: DataOpt,
    run: RunOpt,
    encoder: Annotated[str, typer.Option("--encoder", help="Speech encoder.")] = "whisper",
    config: Annotated[
        str | None,
        typer.Option("--config", help="TOML file. Default: the recipe of the encoder."),
    ] = None,
    output: OutputOpt = None,
) -> None:
    """Train the motion generator on a speech encoder's features."""
    from stylehead.compute.device import choose_device
    from stylehead.training.encoders import encoder_named
    from stylehead.training.motion_generator import MotionTraining
    from stylehead.training.motion_recipe import train_motion as train
    from stylehead.training.pseudo_labels import shipped_teacher

    name = f"motion_{encoder}"
    _train_by_recipe(
        name,
        train,
        MotionTraining,
        data,
        run,
        config or name,
        output=output,
        encoder_name=encoder,
        encoder=encoder_named(encoder),
        teacher=None if encoder.startswith("whisper") else shipped_teacher(),
        device=choose_device(compute.device),
    )


@train_app.command("pose")
@takes()
def train_pose(data: DataOpt, run: RunOpt, config: ConfigOpt = "pose") -> None:
    """Train the head-pose generator."""
    from stylehead.training import pose_generator as stage

    _train_by_recipe("pose", stage.train_pose, stage.PoseTraining, data, run, config)


@train_app.command("mapping")
@takes(compute=Compute)
def train_mapping(
    compute: Compute, data: DataOpt, run: RunOpt, config: ConfigOpt = "style_mapping"
) -> None:
    """Train the intermediate generator, which makes a portrait's style patterns."""
    _train_pictures("style_mapping", data, run, config, compute)


@train_app.command("generator")
@takes(compute=Compute)
def train_generator(
    compute: Compute, data: DataOpt, run: RunOpt, config: ConfigOpt = "style_generator"
) -> None:
    """Train the style-aware generator, which completes every frame; train mapping first."""
    _train_pictures("style_generator", data, run, config, compute)


def _train_pictures(name: str, data: Path, run: Path, config: str, compute: Compute) -> None:
    from stylehead.compute.device import choose_device
    from stylehead.training.mouth_generator import PictureTraining, train_pictures

    device = choose_device(compute.device)
    _train_by_recipe(name, train_pictures, PictureTraining, data, run, config, device=device)
