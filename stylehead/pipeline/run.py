"""The whole corridor on one screen: portrait + sound + style -> video."""

from __future__ import annotations

import json
import math
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from stylehead import files
from stylehead.device import choose_device, usable_cores
from stylehead.media.audio import Sound, open_audio
from stylehead.media.muxer import VIDEO_SUFFIXES, write_video
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
from stylehead.pipeline.film import Shot, film
from stylehead.pipeline.singers import (
    Take,
    check_song,
    files_of,
    find_faces,
    listened_to,
    open_song,
    perform,
)
from stylehead.progress import SILENT, Noting, Reporter, Stopwatch
from stylehead.rendering.patterns import Pattern
from stylehead.rendering.renderer import LoadedRenderer, Scene, load_renderer
from stylehead.speech.listen import Listener, VoiceReport, listen, load_listener
from stylehead.style.learn import learn_style
from stylehead.style.mix import as_mix
from stylehead.style.references import Retrieval
from stylehead.tracking.clip import track_video
from stylehead.types import FaceTrack, Motion, Portrait, Style, StyleMix
from stylehead.version import __version__
from stylehead.weights.store import read_manifest

FACE_FILES = (
    "face_landmarker",
    "selfie_segmenter",
    "face_model",
    "style_mapping",
    "style_generator",
)
"""Model files that every video needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A video, and what it was made with."""

    output: Path
    motion: Motion
    """The motion that was rendered, at the video's frame rate; of several, the first singer's."""
    patterns: list[Pattern]
    """That face's four intermediate style patterns."""
    width: int
    """Pixels of the video."""
    height: int
    """Pixels of the video."""
    takes: list[Take]
    """How each face moves, from left to right; one, unless several are named."""
    singers: list[dict[str, object]]
    """Of each face that sings: its number, what it follows, its style and its voice_fraction."""
    style: str
    """Names of the styles, or "saved motion"."""
    not_in_clip: tuple[str, ...]
    """Templates that the clip of the mouth's style does not show."""
    encoder: str
    """The speech encoder, or "saved motion"."""
    separator: str
    """What took the voice out of the recording, or "saved motion"."""
    voice_fraction: float | None
    """Fraction of the time in which there is a voice, the most of any singer's; None with a saved
    motion."""
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
        return json.dumps(facts | {"voice_fraction": share, "singers": self.singers})


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
    `audio` is what the video plays; with `options.sing` several faces follow stems of their own.
    Cheap refusals come before long work.

    Returns the video's path and size, the motion and the portrait's style patterns.
    Raises MediaError, FaceError, StyleError, ConfigError, WeightsError or DeviceError, each with a
    remedy.
    """
    clock, reporter = Stopwatch(), Noting.of(reporter)
    check_song(options, saved=motion is not None)
    given = (image, audio, *files_of(options))
    output = files.check_output(
        output, overwrite=options.overwrite, suffixes=VIDEO_SUFFIXES, inputs=given
    )
    device = choose_device(options.device)
    mix = as_mix(style, strength=options.style_strength)
    sound = open_audio(Path(audio), start=options.start, duration=options.duration)
    song = open_song(sound, mix, options)
    renderer = load_renderer(options.renderer, device, reporter=reporter)
    portraits = find_faces(Path(image), song.faces, options, reporter)
    clock.lap("portrait")

    if motion is None:
        predictor = load_predictor(options, device, separation=options, reporter=reporter)
        listener, networks = predictor.listener, predictor.networks
        takes = perform(song, portraits, listener, networks, options=options, reporter=reporter)
        source = _Source(takes, predictor.encoder, predictor.files)
    else:
        takes = [Take(motion=_fitted(motion, sound.seconds, options), mix=mix)]
        source = _Source(takes, SAVED, ())
    clock.lap("motion")

    references = [take.mix.references for take in takes]
    scene = renderer.prepare(portraits, references, crop_size=options.crop_size)
    motions = [take.motion for take in takes]
    workers = options.workers or usable_cores()
    reporter.say(scene.estimate(motions, workers))
    clock.lap("preparing")

    shot = Shot(scene, motions)
    metadata = source.metadata(output.stem, renderer, options.seed)
    fps, shown = motions[0].fps, song.subtitles
    with closing(film(shot, workers=workers, reporter=reporter)) as segments:
        write_video(
            output, segments, size=shot.size, fps=fps, sound=sound, metadata=metadata, shown=shown
        )
    clock.lap("rendering")
    return _result(output, portraits, scene, source, renderer.name, options.seed, reporter, clock)


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
    voice = listened_to(sound, options)
    device = choose_device(options.device)
    predictor = load_predictor(options, device, separation=options, reporter=reporter)
    speech = listen(voice, predictor.listener, reporter=reporter)
    fps = Fraction(options.fps)
    motion = predict_motion(speech, mix, predictor.networks, fps=fps, controls=options)
    reporter.say(speech.report.summary(voice))
    return motion


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


def _fitted(motion: Motion, seconds: float, options: Options) -> Motion:
    """Return a saved motion at the video's rate, cut or its last frame held, and adjusted."""
    moves = at_rate(motion, Fraction(options.fps))
    frames = math.ceil(round(seconds * moves.fps, 6))
    return adjust(moves[np.arange(frames).clip(max=len(moves) - 1)], options)


SAVED = "saved motion"


@dataclass(frozen=True, slots=True)
class _Source:
    """What a video's motion came from."""

    takes: list[Take]
    encoder: str
    weights: tuple[str, ...]

    @property
    def mixes(self) -> list[StyleMix]:
        return list(dict.fromkeys(take.mix for take in self.takes if take.singer))

    @property
    def style(self) -> str:
        return ", ".join(dict.fromkeys(mix.name for mix in self.mixes)) or SAVED

    @property
    def not_in_clip(self) -> tuple[str, ...]:
        made = [each.title for mix in self.mixes for each in mix.references if not each.in_clip]
        return tuple(dict.fromkeys(made))

    @property
    def reports(self) -> list[VoiceReport]:
        """One for each separator that was used."""
        found = {take.report.separator: take.report for take in self.takes if take.report}
        return list(found.values())

    @property
    def voice_fraction(self) -> float | None:
        return max((take.voice_fraction for take in self.takes if take.singer), default=None)

    def metadata(self, title: str, renderer: LoadedRenderer, seed: int) -> dict[str, str]:
        """Return what the video says about itself."""
        source = " ".join(dict.fromkeys(mix.source_sha256 for mix in self.mixes))
        entries = read_manifest()
        separators = chain.from_iterable(report.files for report in self.reports)
        names = (*FACE_FILES, *renderer.weights, *self.weights, *separators)
        hashes = {name: (entries[name].sha256 or "unknown")[:16] for name in names}
        return {
            "title": f"{files.as_text(title)} (AI-generated)",
            "comment": f"AI-generated: a portrait animated by stylehead {__version__}; "
            "what it shows was never filmed.",
            "software": f"stylehead {__version__}",
            "stylehead_weights": json.dumps(hashes),
            "stylehead_style": json.dumps({"name": self.style, "source_sha256": source}),
            "stylehead_encoder": self.encoder,
            "stylehead_renderer": renderer.name,
            "stylehead_seed": str(seed),
        }


def _result(
    output: Path,
    portraits: list[Portrait],
    scene: Scene,
    source: _Source,
    renderer: str,
    seed: int,
    reporter: Noting,
    clock: Stopwatch,
) -> Result:
    takes = source.takes
    singing = [place for place, take in enumerate(takes) if take.singer]
    first = singing[0] if singing else 0
    return Result(
        output=output,
        motion=takes[first].motion,
        patterns=scene.patterns[first],
        takes=takes,
        singers=[takes[place].facts(portraits[place].number) for place in singing],
        width=scene.width // 2 * 2,
        height=scene.height // 2 * 2,
        style=source.style,
        not_in_clip=source.not_in_clip,
        encoder=source.encoder,
        separator=", ".join(one.separator for one in source.reports) if singing else SAVED,
        voice_fraction=source.voice_fraction,
        renderer=renderer,
        device=scene.device.type,
        seed=seed,
        notes=tuple(reporter.notes),
        stages=clock.laps,
    )
