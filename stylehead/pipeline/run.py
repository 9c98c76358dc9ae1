"""The whole corridor on one screen: portrait + sound + style -> video."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from stylehead import files
from stylehead.compute.device import choose_device, one_thread, usable_cores
from stylehead.media.audio import Sound
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
from stylehead.pipeline.clip_sound import with_contour
from stylehead.pipeline.deliver import (
    check_delivery,
    in_frame,
    markable,
    size_of,
    title_of,
    try_encoder,
)
from stylehead.pipeline.encoding import name_of_encoder, packets_for, sound_in, with_encoder
from stylehead.pipeline.origin import seal_of
from stylehead.pipeline.result import SAVED, Encoded, MotionResult, Result, Source, result_of
from stylehead.pipeline.singers import Take, find_faces, perform, tell_of_old
from stylehead.pipeline.song import check_heard, files_of, listened_to, open_song
from stylehead.pipeline.staging import stage
from stylehead.pipeline.unfinished import Unfinished
from stylehead.pipeline.unused import check_options
from stylehead.pipeline.write import write
from stylehead.progress import SILENT, Noting, Reporter, Stopwatch
from stylehead.rendering.renderer import load_renderer
from stylehead.speech.listen import Listener, listen, load_listener, refuse_silent
from stylehead.style.learn import ENOUGH_FPS, learn_style
from stylehead.style.mix import as_mix
from stylehead.style.references import Retrieval
from stylehead.tracking.clip import track_video
from stylehead.types import FaceTrack, Motion, Style, StyleMix


def animate(
    image: Path | str,
    audio: Path | str,
    output: Path | str = "talking.mp4",
    *,
    style: Style | StyleMix | str = DEFAULT_STYLE,
    motion: Motion | None = None,
    options: Options = Options(),  # noqa: B008 (frozen)
    unfinished: Unfinished | None = None,
    reporter: Reporter = SILENT,
) -> Result:
    """Write a video in which the portrait speaks or sings the audio in the given style.

    `style` is a Style, a mix of several, a style file or the name of a known style; `motion` is
    rendered instead of a predicted one. With `options.vocals` that stem is listened to, and
    `audio` is what the video plays; with `options.sing` several faces follow stems of their own.
    What is `unfinished` says where finished segments are kept, from which a repeated call goes on.
    Cheap refusals come before long work. The output's ending decides its format; one that ends in a
    slash is a folder of PNG pictures. A file is signed last; where it cannot be, that is noted.

    Returns the video's path and size, the motion and the portrait's style patterns.
    Raises MediaError, FaceError, StyleError, ConfigError, WeightsError, DeviceError or, of a part
    of the work, UnfinishedError, each with a remedy.
    """
    clock, reporter = Stopwatch(), Noting.of(reporter)
    check_options(options, saved=motion is not None, output=output)
    given = (image, audio, *files_of(options))
    output = check_delivery(output, options, inputs=given)
    options = markable(output, options)
    device, workers = choose_device(options.device), options.workers or usable_cores()
    mix = as_mix(style, strength=options.style_strength)
    song = open_song(Path(audio), mix, options)
    if motion is None:
        check_heard(song)
    portraits = find_faces(Path(image), song.faces, options, reporter)
    portraits, frame = in_frame(portraits, options, reporter)
    try_encoder(output, size_of(portraits, frame, options), options)
    renderer = load_renderer(options.renderer, device, reporter=reporter)
    clock.lap("portrait")

    if motion is None:
        predictor = load_predictor(
            options, device, separation=options, workers=workers, reporter=reporter
        )
        listener, networks = predictor.listener, predictor.networks
        takes = perform(song, portraits, listener, networks, options=options, reporter=reporter)
        source = Source(takes, predictor.encoder, predictor.files)
    else:
        takes = [Take(motion=_fitted(motion, song.played.seconds, options), mix=mix)]
        source = Source(takes, SAVED, ())
    clock.lap("motion")

    shot = stage(portraits, takes, frame, options).shot(renderer)
    kept = unfinished is not None
    shot = with_encoder(shot, output, options, kept=kept, reporter=reporter)
    packets = packets_for(song.played, output, options)
    made = Encoded(name_of_encoder(shot, output, options), sound_in(output, packets, options))
    reporter.say(shot.scene.estimate(shot.motions, workers))
    clock.lap("preparing")

    metadata = source.metadata(title_of(output), renderer, made.pictures, options.seed)
    seal = seal_of(output, Path(image), Path(audio), source, renderer, options, reporter)
    write(
        output,
        shot,
        song,
        metadata,
        packets=packets,
        options=options,
        unfinished=unfinished,
        finish=seal,
        reporter=reporter,
    )
    clock.lap("rendering")
    return result_of(output, portraits, shot.scene, source, made, seal, reporter, clock)


def make_motion(
    audio: Path | str,
    *,
    style: Style | StyleMix | str = DEFAULT_STYLE,
    options: MotionOptions = MotionOptions(),  # noqa: B008 (frozen)
    reporter: Reporter = SILENT,
) -> Motion:
    """Predict how a face moves to a recording in a style, without a picture.

    Returns a motion at `options.fps`, never shorter than the sound.
    Raises MediaError, StyleError, ConfigError, WeightsError or DeviceError, each with a remedy.
    """
    return predict(audio, style=style, options=options, reporter=reporter).motion


@one_thread()  # networks are small, and stretches of the recording are listened to at once
def predict(
    audio: Path | str,
    *,
    style: Style | StyleMix | str,
    options: MotionOptions,
    reporter: Reporter = SILENT,
) -> MotionResult:
    """Return what `make_motion` returns, and what it was made with."""
    check_options(options)
    mix = as_mix(style, strength=options.style_strength)
    tell_of_old(mix, reporter)
    voice = listened_to(Path(audio), options)
    refuse_silent(voice)
    device = choose_device(options.device)
    predictor = load_predictor(
        options, device, separation=options, workers=usable_cores(), reporter=reporter
    )
    speech = listen(voice, predictor.listener, reporter=reporter)
    fps = options.rate
    motion = predict_motion(speech, mix, predictor.networks, fps=fps, controls=options)
    reporter.say(speech.report.summary(voice))
    return MotionResult(
        motion=motion,
        style=mix.name,
        encoder=predictor.encoder,
        separator=speech.report.separator,
        voice_fraction=speech.report.voice_fraction,
        device=device.type,
        seed=options.seed,
    )


def learn_from_clip(
    video: Path, name: str | None = None, *, clip: AudioRange, reporter: Reporter = SILENT
) -> tuple[Style, Retrieval, FaceTrack]:
    """Learn a style from a clip; return how its references were found, and the track, as well."""
    followed = track_video(
        video, start=clip.start, duration=clip.duration, enough=ENOUGH_FPS, reporter=reporter
    )
    style, retrieval = learn_style(
        followed,
        files.as_text(name or video.stem),
        source=files.as_text(str(video)),
        source_sha256=files.digest(video),
    )
    return with_contour(style, video, clip), retrieval, followed


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
    workers: int = 1,
    reporter: Reporter = SILENT,
) -> Predictor:
    """Load a speech encoder and the networks trained on it; raises WeightsError.

    `workers` stretches of a recording are listened to at once.
    """
    listener = load_listener(
        encoding, device, separation=separation, workers=workers, reporter=reporter
    )
    return Predictor(listener, load_networks(listener.name, device))


def _fitted(motion: Motion, seconds: float, options: Options) -> Motion:
    """Return a saved motion at the video's rate, cut or its last frame held, and adjusted."""
    moves = at_rate(motion, options.rate)
    frames = math.ceil(round(seconds * moves.fps, 6))
    return adjust(moves[np.arange(frames).clip(max=len(moves) - 1)], options)
