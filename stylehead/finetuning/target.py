"""What a style is tuned to: clips of one person or a style file, and sound of the same kind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from stylehead.errors import FaceError, MediaError
from stylehead.finetuning.holdout import HoldoutTest
from stylehead.finetuning.kept import load_track
from stylehead.finetuning.singing import hear
from stylehead.finetuning.speech import (
    EncodedSpeech,
    encode_speech,
    replayed_speech,
    unheard_speech,
)
from stylehead.finetuning.target_clip import (
    HELD_OUT,
    TargetClip,
    joined_style,
    learn_target_clip,
    part_of,
    split_style,
)
from stylehead.media.audio import Sound, open_audio
from stylehead.options import AudioRange, TuningOptions
from stylehead.pipeline.run import Predictor
from stylehead.progress import Reporter
from stylehead.speech.listen import Listener
from stylehead.style.file import find_style
from stylehead.style.learn import ENOUGH_FPS
from stylehead.tracking.clip import crowd_share, track_video
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.types import FaceTrack, Motion, Style

LARGEST_CROWD = 0.3  # fraction of sampled frames with a second face from which a clip is refused
LEAST_SINGING = 1.0  # seconds of voice in either part of a sung clip, to judge on it
LEAST_RECORDED = 4.0  # the same of a recording beside a style, whose motion has other sounds


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Target:
    """What is learned from a person's clips or style file, and what is held out of them."""

    style: Style
    held_out: list[Motion]
    aligned: list[AlignedFeatures]
    replay: list[Tensor]
    held_out_speech: EncodedSpeech | None
    """Of the first held-out motion, where they are in sync."""
    learned_in_sync: bool
    """Whether the learned singing begins with the style's motion and is in sync with it."""
    singing: Halves | None
    """Of a song; None of speech."""
    tracks: dict[str, FaceTrack]
    """Digest of a video -> the face in it."""
    notes: list[str]


class Halves(NamedTuple):
    """The singing that is learned from and, of the same song, that which is judged on."""

    learned: EncodedSpeech
    held_out: EncodedSpeech


def tests_of(target: Target, predictor: Predictor) -> tuple[HoldoutTest, HoldoutTest]:
    """Return the test that chooses among a run's results and the one that judges the chosen.

    Song is judged on song: the one on singing that is learned from, the other on that held out.
    """
    singing = target.singing
    neutral = None if singing else encode_speech(unheard_speech(), predictor.listener)
    learned, held_out = singing or (neutral, neutral)
    assert learned and held_out
    judging = HoldoutTest(
        networks=predictor.networks,
        speech=held_out,
        held_out=target.held_out,
        own_speech=target.held_out_speech,
        sung=singing is not None,
    )
    own = learned if target.learned_in_sync else None
    return replace(judging, speech=learned, own_speech=own), judging


def learn_target(
    videos: list[Path],
    digests: list[str],
    options: TuningOptions,
    folder: Path,
    predictor: Predictor,
    name: str,
    reporter: Reporter,
) -> Target:
    """Learn from videos, or from the style file that the options name, called `name`.

    `digests` are the videos'; those that were tracked before have their track in `folder`. Raises
    MediaError or FaceError for clips that cannot be used, StyleError for a style that cannot.
    """
    listener = predictor.listener
    if not videos:
        assert options.style is not None  # the command line asks for one of them
        learned, held_out = split_style(find_style(options.style))
        heard, singing, notes = _recording(options.audio, listener, reporter)
        return Target(
            style=replace(learned, name=name),
            held_out=[held_out],
            aligned=[],
            replay=[encode_speech(replayed_speech(), listener).features, *heard],
            held_out_speech=None,
            learned_in_sync=False,
            singing=singing,
            tracks={},
            notes=notes,
        )
    clips, tracks = list[TargetClip](), dict[str, FaceTrack]()
    for video, digest in zip(videos, digests, strict=True):
        tracks[digest] = _track(video, folder, digest, reporter)
        sound = open_audio(options.audio) if options.audio else own_sound(video)
        clips.append(
            learn_target_clip(
                tracks[digest], sound, predictor, str(video), digest, reporter=reporter
            )
        )
    return target_of(clips, tracks, name, listener, reporter)


def target_of(
    clips: list[TargetClip],
    tracks: dict[str, FaceTrack],
    name: str,
    listener: Listener,
    reporter: Reporter,
) -> Target:
    """Return what the clips of a person give together, and tell their notes."""
    replay = [encode_speech(replayed_speech(), listener).features]
    notes = [note for clip in clips for note in clip.notes]
    for note in notes:
        reporter.say(note)
    # Clips of the same kind as the sound they are judged on: song, if there is any.
    judged = [clip for clip in clips if clip.sung] or clips
    first = judged[0]
    halves = _halves(first.learned_sound, first.held_out_sound, listener) if first.sung else None
    if first.sung and not halves:
        notes.append("There is too little singing in the clip to judge on: speech has to do.")
        reporter.say(notes[-1])
    end = halves.held_out if halves else None
    if first.aligned and first.held_out_sound and not end:
        end = encode_speech(first.held_out_sound, listener)
    return Target(
        style=joined_style(clips, name),
        held_out=[clip.held_out for clip in judged],
        aligned=[clip.aligned for clip in clips if clip.aligned is not None],
        replay=[*replay, halves.learned.features] if halves else replay,
        held_out_speech=end if first.aligned else None,
        learned_in_sync=bool(halves and first.aligned and first is clips[0]),
        singing=halves,
        tracks=tracks,
        notes=notes,
    )


def _recording(
    path: Path | None, listener: Listener, reporter: Reporter
) -> tuple[list[Tensor], Halves | None, list[str]]:
    """Return what is heard of a recording in a style, its halves if it is sung, and notes."""
    if path is None:
        return [], None, []
    sound = open_audio(path)
    heard = hear(sound, listener, reporter=reporter)
    cut = (1 - HELD_OUT) * sound.seconds
    halves = None
    if heard.singing.sung:
        parts = part_of(sound, 0, cut), part_of(sound, cut)
        halves = _halves(*parts, listener, LEAST_RECORDED)
    if halves is None:
        return [heard.speech.features], None, []
    note = heard.singing.note()
    reporter.say(note)
    return [halves.learned.features], halves, [note]


def _halves(
    learned: Sound | None, end: Sound | None, listener: Listener, least: float = LEAST_SINGING
) -> Halves | None:
    """Return both parts of a song, encoded; None where one of them has too little voice."""
    if learned is None or end is None:
        return None
    halves = Halves(*(encode_speech(sound, listener) for sound in (learned, end)))
    voiced = min(half.voiced_seconds for half in halves)
    return halves if voiced >= least else None


def _track(video: Path, folder: Path, digest: str, reporter: Reporter) -> FaceTrack:
    known = load_track(folder, digest)
    if known is not None:
        return known
    crowd = crowd_share(video)
    if crowd > LARGEST_CROWD:
        raise FaceError(
            f"{video} shows several people in {crowd:.0%} of its frames.",
            remedy="Crop it to the person whose style you want.",
        )
    return track_video(video, enough=ENOUGH_FPS, reporter=reporter)


def own_sound(video: Path, part: AudioRange = AudioRange()) -> Sound | None:  # noqa: B008 (frozen)
    """Return the sound of a part of a clip, None when it has none that can be read."""
    try:
        return open_audio(video, start=part.start, duration=part.duration)
    except MediaError:
        return None
