"""The whole corridor on one screen: portrait + sound + style -> video."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from stylehead import files
from stylehead.device import choose_device
from stylehead.errors import ConfigError
from stylehead.media.audio import Sound, open_audio, open_stem
from stylehead.media.image import fit_video, read_image
from stylehead.media.video import VIDEO_SUFFIXES, write_video
from stylehead.motion.finishing import adjust, at_rate
from stylehead.motion.generate import predict_motion
from stylehead.motion.models import Networks, load_networks
from stylehead.motion.stream import UnstyledMotion, generate
from stylehead.options import (
    DEFAULT_STYLE,
    AudioRange,
    Encoding,
    MotionControls,
    MotionOptions,
    Options,
    Separation,
)
from stylehead.progress import SILENT, Noting, Reporter, Stopwatch, track
from stylehead.rendering.patterns import Pattern
from stylehead.rendering.renderer import LoadedRenderer, load_renderer
from stylehead.speech.listen import Listener, VoiceReport, listen, load_listener
from stylehead.style.learn import learn_style
from stylehead.style.mix import as_mix
from stylehead.style.references import Retrieval
from stylehead.tracking.clip import track_video
from stylehead.tracking.portrait import find_portrait
from stylehead.types import FaceTrack, Motion, Portrait, Style, StyleMix
from stylehead.version import __version__
from stylehead.weights.store import read_manifest

FACE_FILES = ("face_landmarker", "face_model", "style_mapping", "style_generator")
"""Model files that every video needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A video, and what it was made with."""

    output: Path
    motion: Motion
    """The motion that was rendered, at the video's frame rate."""
    patterns: list[Pattern]
    """The portrait's four intermediate style patterns."""
    width: int
    """Pixels of the video."""
    height: int
    """Pixels of the video."""
    style: str
    """Names of the styles, or "saved motion"."""
    not_in_clip: tuple[str, ...]
    """Templates that the clip of the mouth's style does not show."""
    encoder: str
    """The speech encoder, or "saved motion"."""
    separator: str
    """What took the voice out of the recording, or "saved motion"."""
    voice_fraction: float | None
    """Fraction of the time in which there is a voice; None with a saved motion."""
    renderer: str
    device: str
    seed: int
    notes: tuple[str, ...]
    """What changed the result or makes it doubtful, as it was said."""
    stages: dict[str, float]
    """Wall seconds of each stage."""

    def as_json(self) -> str:
        """Return one line of JSON: all but motion and patterns, with the length in frames."""
        facts = {
            "output": str(self.output),
            "seconds": self.motion.seconds,
            "frames": len(self.motion),
            "fps": float(self.motion.fps),
        }
        names = ("width", "height", "style", "not_in_clip", "encoder", "separator", "renderer")
        facts |= {
            name: getattr(self, name) for name in (*names, "device", "seed", "notes", "stages")
        }
        share = None if self.voice_fraction is None else round(self.voice_fraction, 3)
        return json.dumps(facts | {"voice_fraction": share})


def animate(
    image: Path | str,
    audio: Path | str,
    output: Path | str = "talking.mp4",
    *,
    style: Style | StyleMix | str = DEFAULT_STYLE,
    motion: Motion | None = None,
    options: Options = Options(),  # noqa: B008 (frozen)
    reporter: Reporter = SILENT,
) -> Result:
    """Write a video in which the portrait speaks or sings the audio in the given style.

    `style` is a Style, a mix of several, a style file or the name of a known style; `motion` is
    rendered instead of a predicted one. With `options.vocals` that stem is listened to, and
    `audio` is what the video plays. Cheap refusals come before long work.

    Returns the video's path and size, the motion and the portrait's style patterns.
    Raises MediaError, FaceError, StyleError, ConfigError, WeightsError or DeviceError, each with a
    remedy.
    """
    clock, reporter = Stopwatch(), Noting.of(reporter)
    if motion is not None and options.vocals:
        raise ConfigError(
            "A saved motion is rendered as it is: --vocals has nothing to move.",
            remedy="Leave out --vocals, or --motion.",
        )
    output = files.check_output(
        output,
        overwrite=options.overwrite,
        suffixes=VIDEO_SUFFIXES,
        inputs=(image, audio, options.vocals),
    )
    device = choose_device(options.device)
    mix = as_mix(style, strength=options.style_strength)
    sound = open_audio(Path(audio), start=options.start, duration=options.duration)
    voice = _listened_to(sound, options)
    renderer = load_renderer(options.renderer, device, reporter=reporter)
    portrait = _find_portrait(Path(image), options, reporter)
    clock.lap("portrait")

    if motion is None:
        predictor = load_predictor(options, device, separation=options, reporter=reporter)
        predicted = predictor.predict_at(voice, mix, options, reporter)
        moves, report = predicted.motion, predicted.report
        source = _Source(mix, predictor.encoder, predictor.files, report)
    else:
        moves = adjust(_lasting(at_rate(motion, Fraction(options.fps)), sound.seconds), options)
        source = _Source(None, SAVED, (), None)
    clock.lap("motion")

    scene = renderer.prepare(portrait, mix.references, crop_size=options.crop_size)
    reporter.say(scene.estimate(moves))
    clock.lap("preparing")

    frames = track(scene.render(moves), "Rendering", len(moves), reporter)
    metadata = source.metadata(Path(image), renderer, options.seed)
    write_video(output, frames, fps=moves.fps, sound=sound, metadata=metadata)
    clock.lap("rendering")
    return Result(
        output=output,
        motion=moves,
        patterns=scene.patterns,
        width=scene.width // 2 * 2,
        height=scene.height // 2 * 2,
        style=source.style,
        not_in_clip=tuple(each.title for each in mix.references if not each.in_clip),
        encoder=source.encoder,
        separator=source.report.separator.name if source.report else SAVED,
        voice_fraction=source.report.voice_fraction if source.report else None,
        renderer=renderer.name,
        device=scene.device.type,
        seed=options.seed,
        notes=tuple(reporter.notes),
        stages=clock.laps,
    )


def make_motion(
    audio: Path | str,
    *,
    style: Style | StyleMix | str = DEFAULT_STYLE,
    options: MotionOptions = MotionOptions(),  # noqa: B008 (frozen)
    reporter: Reporter = SILENT,
) -> Motion:
    """Predict how a face moves to a recording in a style, without a picture.

    Returns a motion at `options.fps`, never shorter than the sound.
    Raises MediaError, StyleError, WeightsError or DeviceError, each with a remedy.
    """
    mix = as_mix(style, strength=options.style_strength)
    sound = open_audio(Path(audio), start=options.start, duration=options.duration)
    voice = _listened_to(sound, options)
    device = choose_device(options.device)
    predictor = load_predictor(options, device, separation=options, reporter=reporter)
    return predictor.predict_at(voice, mix, options, reporter).motion


def learn_from_clip(
    video: Path, name: str | None = None, *, clip: AudioRange, reporter: Reporter = SILENT
) -> tuple[Style, Retrieval, FaceTrack]:
    """Learn a style from a clip; return how its references were found, and the track, as well."""
    followed = track_video(video, start=clip.start, duration=clip.duration, reporter=reporter)
    style, retrieval = learn_style(
        followed,
        files.as_text(name or video.stem),
        source=files.as_text(str(video)),
        source_sha256=files.digest(video),
    )
    return style, retrieval, followed


@dataclass(frozen=True, slots=True)
class Predicted:
    """A motion, and how the recording was listened to for it."""

    motion: Motion
    report: VoiceReport


@dataclass(frozen=True, slots=True)
class Predictor:
    """The networks that listen and those that move: recordings in, motions out."""

    listener: Listener
    networks: Networks

    @property
    def encoder(self) -> str:
        """Name of the speech encoder."""
        return self.networks.encoder

    @property
    def files(self) -> tuple[str, ...]:
        """Names in weights.toml of what was loaded, without the recording's separator."""
        return self.listener.files + self.networks.files

    def predict(
        self,
        sound: Sound,
        style: Style | StyleMix,
        *,
        fps: Fraction,
        controls: MotionControls = MotionControls(),  # noqa: B008 (frozen)
        reporter: Reporter = SILENT,
    ) -> Motion:
        """Return the motion of a recording in a style or a mix, at a frame rate.

        Raises MediaError for a silent recording, StyleError for a style tuned for other weights.
        """
        speech = listen(sound, self.listener, reporter=reporter)
        return predict_motion(speech, as_mix(style), self.networks, fps=fps, controls=controls)

    def predict_at(
        self, sound: Sound, mix: StyleMix, options: MotionOptions, reporter: Reporter
    ) -> Predicted:
        """Return the motion of a recording in a mix, at the rate and with the controls given.

        Tells how much of the recording is a voice.
        """
        speech = listen(sound, self.listener, reporter=reporter)
        fps = Fraction(options.fps)
        motion = predict_motion(speech, mix, self.networks, fps=fps, controls=options)
        reporter.say(speech.report.summary(sound))
        return Predicted(motion, speech.report)

    def unstyled(self, sound: Sound, fps: Fraction) -> UnstyledMotion:
        """Return what the generator makes of a recording before any style."""
        return generate(listen(sound, self.listener), [self.networks.generator], fps)


def load_predictor(
    encoding: Encoding,
    device: torch.device,
    *,
    separation: Separation = Separation(),  # noqa: B008 (frozen)
    reporter: Reporter = SILENT,
) -> Predictor:
    """Load a speech encoder and the networks trained on it; raises WeightsError."""
    listener = load_listener(encoding, device, separation=separation, reporter=reporter)
    return Predictor(listener, load_networks(listener.name, device))


def _listened_to(played: Sound, options: MotionOptions) -> Sound:
    """Return the recording, or the stem that is listened to in its place."""
    if options.vocals is None:
        return played
    cut = options.duration is not None
    return open_stem(options.vocals, played, options.vocals_offset, cut=cut)


def _find_portrait(image: Path, options: Options, reporter: Reporter) -> Portrait:
    pixels = read_image(image)
    fitted = fit_video(pixels)
    if fitted is not pixels:
        reporter.say(f"{image.name} is scaled down to {fitted.shape[1]} x {fitted.shape[0]}")
    portrait = find_portrait(fitted, name=str(image), number=options.face)
    if portrait.count > 1:
        side = "" if options.face else ", the largest"
        reporter.say(
            f"Animating face {portrait.number} of {portrait.count}{side}; --face takes another"
        )
    for note in portrait.notes:
        reporter.say(f"Note: {note}")
    return portrait


def _lasting(motion: Motion, seconds: float) -> Motion:
    """Hold a motion's last frame until the sound ends; a longer one is cut there."""
    frames = math.ceil(round(seconds * motion.fps, 6))
    return motion[np.arange(frames).clip(max=len(motion) - 1)]


SAVED = "saved motion"


@dataclass(frozen=True, slots=True)
class _Source:
    """What a video's motion came from."""

    mix: StyleMix | None
    encoder: str
    weights: tuple[str, ...]
    report: VoiceReport | None

    @property
    def style(self) -> str:
        return self.mix.name if self.mix else SAVED

    def metadata(self, image: Path, renderer: LoadedRenderer, seed: int) -> dict[str, str]:
        """Return what the video says about itself."""
        source = self.mix.source_sha256 if self.mix else ""
        entries = read_manifest()
        separator = self.report.separator.files if self.report else ()
        names = FACE_FILES + renderer.weights + self.weights + separator
        hashes = {name: (entries[name].sha256 or "unknown")[:16] for name in names}
        return {
            "title": f"{files.as_text(image.stem)} (AI-generated)",
            "comment": f"AI-generated: a portrait animated by stylehead {__version__}; "
            "what it shows was never filmed.",
            "software": f"stylehead {__version__}",
            "stylehead_weights": json.dumps(hashes),
            "stylehead_style": json.dumps({"name": self.style, "source_sha256": source}),
            "stylehead_encoder": self.encoder,
            "stylehead_renderer": renderer.name,
            "stylehead_seed": str(seed),
        }
