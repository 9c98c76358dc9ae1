"""A clip of the target, a singer or speaker: checked, split in time, its sound aligned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from stylehead.compute.device import to_tensor
from stylehead.errors import FaceError, MediaError, StyleError
from stylehead.face.articulation import expression_of
from stylehead.face.performance import recover_performance
from stylehead.finetuning.singing import Heard, hear
from stylehead.media.audio import Sound, open_audio
from stylehead.pipeline.clip_sound import said_with
from stylehead.pipeline.run import Predictor
from stylehead.progress import SILENT, Reporter
from stylehead.style.learn import STYLE_FPS, style_motion, style_statistics
from stylehead.style.references import retrieve
from stylehead.training.av_sync import LARGEST_LAG, SYNC_LEAST, measure_sync
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.types import MOTION_FPS, FaceTrack, Floats, Motion, Style, StyleReference
from stylehead.weights.networks import CPU

HELD_OUT = 0.3  # fraction at the end of each clip that is not learned from
LEAST_SECONDS = 4.0  # with a face, that a clip needs
FEW_SECONDS = 10.0  # below which rhythm and rare mouth shapes are guesses
LEAST_FACE, SMALL_FACE = 64.0, 120.0  # pixels of a face's height
LONGER_CLIP = f"Give a clip with {LEAST_SECONDS:.0f} s of one face, or several clips."
LOUD_MUSIC = 6.0  # dB over the voice from which lips are not learned from that sound
CLEAN_VOICE = -40.0  # dB over the voice below which nothing else can be heard
NOTHING = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TargetClip:
    """One clip, split in time: the first part is learned from, the end is held out."""

    style: Style
    """Of the learned part alone."""
    aligned: AlignedFeatures | None
    """Speech features of the learned part with its articulation, in sync; None without sound."""
    held_out: Motion
    """The end's motion, as offsets from the learned part's neutral face, at STYLE_FPS."""
    learned_sound: Sound | None
    """The sound of the learned part; None when it is silent."""
    held_out_sound: Sound | None
    """The sound of the end; None when it is silent. It belongs to the motion where `aligned` is."""
    sung: bool
    """Whether that sound is singing, on which the style is then judged."""
    lag: int
    """Frames at 60 fps by which the picture came later than the sound."""
    notes: tuple[str, ...]
    """What makes the clip doubtful, one sentence each."""


def learn_target_clip(
    track: FaceTrack,
    sound: Sound | None,
    predictor: Predictor,
    name: str,
    source_sha256: str,
    *,
    reporter: Reporter = SILENT,
) -> TargetClip:
    """Check a tracked clip and its sound, and split it; `source_sha256` is the clip's digest.

    Raises FaceError for a clip with too little or too small a face.
    """
    notes = _check_face(track, name)
    begin, end = float(track.seconds[0]), float(track.seconds[-1])
    cut = begin + (1 - HELD_OUT) * (end - begin)
    early = track.seconds < cut
    performance = recover_performance(track[early], name=name)
    motion, times = style_motion(performance)
    retrieval = retrieve(track[early], performance)
    provenance = {"source_sha256": source_sha256, "seconds": f"{cut - begin:.2f}"}
    style = Style(name, retrieval.references, motion, times, style_statistics(motion), provenance)
    late, _ = recover_performance(track[~early], name=f"The end of {name}").motion(STYLE_FPS)
    offsets = late.landmarks + late.neutral - motion.neutral
    quick, quick_times = performance.motion(Fraction(MOTION_FPS))
    alignment = _align(sound, quick, float(quick_times[0]), predictor, reporter)
    late_by = alignment.lag / MOTION_FPS
    split = cut - late_by
    return TargetClip(
        style=said_with(style, times - np.float32(late_by), *alignment.voice),
        aligned=alignment.aligned,
        held_out=late.with_(landmarks=offsets.astype(np.float32)),
        learned_sound=part_of(sound, begin - late_by, split),
        held_out_sound=part_of(sound, split),
        sung=alignment.sung,
        lag=alignment.lag,
        notes=(*notes, *alignment.notes, *retrieval.warnings),
    )


def _check_face(track: FaceTrack, name: str) -> list[str]:
    """Refuse a clip whose face cannot be learned from; return what makes it doubtful."""
    seconds = float(track.found.mean() * (track.seconds[-1] - track.seconds[0]))
    if seconds < LEAST_SECONDS:
        raise FaceError(f"{name} shows a face for only {seconds:.1f} s.", remedy=LONGER_CLIP)
    height = float(np.median(np.ptp(track.mesh[track.found][..., 1], axis=1)))
    if height < LEAST_FACE:
        raise FaceError(
            f"The face in {name} is only {height:.0f} pixels high.",
            remedy=f"At least {LEAST_FACE:.0f} are needed: give a closer shot, or the clip in its "
            "original size.",
        )
    notes: list[str] = []
    if seconds < FEW_SECONDS:
        notes.append(
            f"The face is seen for only {seconds:.1f} s: rhythm and rare mouth shapes are guesses."
        )
    if height < SMALL_FACE:
        notes.append(f"The face is only {height:.0f} pixels high: lips are coarse.")
    return notes


# ---- sound ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Alignment:
    aligned: AlignedFeatures | None
    lag: int
    sung: bool
    notes: tuple[str, ...]
    voice: tuple[Floats, Floats] = (NOTHING, NOTHING)
    """Probability and level (N,) of the sound's voice."""


def _align(
    sound: Sound | None, motion: Motion, first: float, predictor: Predictor, reporter: Reporter
) -> _Alignment:
    """Pair a clip's articulation with its sound where that can be trusted, lag corrected.

    motion at 60 fps, whose first frame is `first` seconds after the sound's beginning.
    """
    if sound is None:
        return _untrusted("The clip has no sound: the un-tuned generator keeps the lips' timing.")
    if sound.silent:
        return _untrusted("The clip is silent: the un-tuned generator keeps the lips' timing.")
    heard = hear(sound, predictor.listener, reporter=reporter)
    speech, singing, music = heard
    if music > LOUD_MUSIC:
        return _untrusted(
            f"Music is {music:.0f} dB louder than the voice: lip motion is not learned from this "
            "sound. Give the voice alone with --audio.",
            heard,
        )
    articulation = motion.landmarks - expression_of(motion.landmarks, motion.neutral, motion.fps)
    features = speech.features[round(first * MOTION_FPS) :]
    count = min(len(features), len(articulation))
    pair = AlignedFeatures(features[:count].half(), to_tensor(articulation[:count], CPU))
    correlation, lag = measure_sync(predictor.networks.generator, pair)
    if correlation < SYNC_LEAST or abs(lag) == LARGEST_LAG:
        return _untrusted(
            f"Mouth and sound are out of sync (correlation {correlation:.2f}): lip motion is not "
            "learned from this sound. Give the recording that belongs to the picture with "
            "--audio.",
            heard,
        )
    side = "quieter" if music > 0 else "louder"
    clear = "clean" if music < CLEAN_VOICE else f"{abs(music):.0f} dB {side} than everything else"
    notes = [
        f"The voice is {clear}, and mouth and sound are in sync (correlation {correlation:.2f})."
    ]
    if lag:
        late = "later" if lag > 0 else "earlier"
        notes.append(
            f"The picture was {abs(lag) / MOTION_FPS:.2f} s {late} than the sound; this is "
            "corrected."
        )
    if singing.sung:
        notes.append(singing.note())
    return _Alignment(pair.shifted(lag), lag, singing.sung, tuple(notes), speech.voice)


def _untrusted(note: str, heard: Heard | None = None) -> _Alignment:
    if heard is None:
        return _Alignment(None, 0, False, (note,))
    notes = (note, heard.singing.note()) if heard.singing.sung else (note,)
    return _Alignment(None, 0, heard.singing.sung, notes, heard.speech.voice)


def part_of(sound: Sound | None, begin: float, end: float | None = None) -> Sound | None:
    """Return the part of a sound between two times in seconds, None when it is silent or short.

    Before the sound's beginning there is silence.
    """
    if sound is None:
        return None
    lead, begin = max(0.0, -begin), max(0.0, begin)
    duration = None if end is None else end - begin
    try:
        part = open_audio(sound.path, start=sound.start + begin, duration=duration)
    except MediaError:  # a recording that ends before the picture does
        return None
    return replace(part, lead=lead, seconds=part.seconds + lead) if not part.silent else None


# ---- several clips, style files -------------------------------------------------------------


def joined_style(targets: list[TargetClip], name: str) -> Style:
    """Return the style of several clips of one person: motions one after the other.

    Each template's reference is the nearest of those clips that show it, or of all.
    """
    styles = [target.style for target in targets]
    if len(styles) == 1:
        return replace(styles[0], name=name)
    motion = Motion.joined([style.motion for style in styles])
    nearest = [
        min(styles, key=lambda style: _nearness(style.references[template]))
        for template in range(len(styles[0].references))
    ]
    references = tuple(
        replace(
            style.references[template],
            landmarks=style.references[template].landmarks - style.motion.neutral + motion.neutral,
        )
        for template, style in enumerate(nearest)
    )
    provenance = {
        "source_sha256": " ".join(style.provenance["source_sha256"] for style in styles),
        "seconds": f"{motion.seconds:.2f}",
    }
    times = np.concatenate([style.times for style in styles])
    joined = Style(name, references, motion, times, style_statistics(motion), provenance)
    contours = [style.contour for style in styles if style.contour is not None]
    known = len(contours) == len(styles)
    return replace(joined, contour=np.concatenate(contours)) if known else joined


def _nearness(reference: StyleReference) -> tuple[bool, float]:
    return not reference.in_clip, reference.score


def split_style(style: Style) -> tuple[Style, Motion]:
    """Return a style file's learned part, split as a clip is split, and its held-out motion.

    The references stay. Raises StyleError for a style with too little motion.
    """
    cut = round((1 - HELD_OUT) * len(style.motion))
    learned, held_out = style.motion[:cut], style.motion[cut:]
    if held_out.seconds < LEAST_SECONDS * HELD_OUT:
        raise StyleError(
            f"{style.name} shows a face for only {style.motion.seconds:.1f} s.",
            remedy=LONGER_CLIP,
        )
    beginning = replace(
        style,
        motion=learned,
        times=style.times[:cut],
        statistics=style_statistics(learned),
        tuning=None,
        contour=None if style.contour is None else style.contour[:cut],
    )
    return beginning, held_out
