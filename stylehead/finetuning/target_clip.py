"""A clip of a singer or speaker -> what style transfer learns from, and what it is proved on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylehead.errors import FaceError
from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import to_68
from stylehead.face.performance import recover_performance
from stylehead.finetuning.transfer import TransferData, template_shares
from stylehead.media.audio import Sound, open_audio
from stylehead.motion.expression import expression_of
from stylehead.pipeline import Predictor
from stylehead.speech.listen import QUIETEST, speech_features
from stylehead.speech.mel import LOUDNESS
from stylehead.style.learn import STYLE_FPS, style_statistics
from stylehead.style.references import retrieve
from stylehead.training.av_sync import LARGEST_LAG, SYNC_LEAST, measure_sync
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.types import MOTION_FPS, FaceTrack, Motion, Style

HELD_OUT = 0.3  # share at the end of each clip that is not learned from
LEAST_SECONDS = 4.0  # with a face, that a clip needs
FEW_SECONDS = 10.0  # below which rhythm and rare mouth shapes are guesses
LEAST_FACE, SMALL_FACE = 64.0, 120.0  # pixels of a face's height
LOUD_MUSIC = 0.0  # dB over the voice from which lips are not learned from that sound


@dataclass(frozen=True, slots=True, eq=False)
class TargetClip:
    """One clip, split in time: the first part is learned from, the rest proves it."""

    style: Style
    """Of the learned part alone."""
    take: AlignedFeatures | None
    """The learned part's articulation as it was heard and seen, in step; None without its sound."""
    held_out: Motion
    """The rest, as offsets from the learned part's neutral face."""
    held_sound: Sound | None
    """The sound of the rest, when it is in step."""
    lag: int
    """Frames at 60 fps by which the picture came later than the sound."""
    notes: tuple[str, ...]
    """What was found on the way, one sentence each."""


def learn_target_clip(
    track: FaceTrack, sound: Sound | None, models: Predictor, name: str, source: str
) -> TargetClip:
    """Check a tracked clip and its sound, and split it; `source` is the clip's digest.

    Raises FaceError for a clip with too little or too small a face.
    """
    notes = _face_notes(track, name)
    begin, end = float(track.seconds[0]), float(track.seconds[-1])
    cut = begin + (1 - HELD_OUT) * (end - begin)
    early = track.seconds < cut
    performance = recover_performance(_rows(track, early), name=name)
    motion, times = performance.motion(STYLE_FPS)
    retrieval = retrieve(_rows(track, early), performance)
    provenance = {"source_sha256": source, "seconds": f"{cut - begin:.2f}"}
    style = Style(name, retrieval.references, motion, times, style_statistics(motion), provenance)
    rest, _ = recover_performance(_rows(track, ~early), name=f"The end of {name}").motion(STYLE_FPS)
    moved = rest.landmarks + rest.neutral - motion.neutral
    held_out = rest.with_(landmarks=moved.astype(np.float32))
    quick, quick_times = performance.motion(Fraction(MOTION_FPS))
    heard = _in_step(sound, quick, float(quick_times[0]), models)
    notes += heard.notes
    held_sound = None
    if sound and heard.take:
        late = max(0.0, cut - heard.lag / MOTION_FPS)
        held_sound = open_audio(sound.path, start=sound.start + late)
    return TargetClip(
        style, heard.take, held_out, held_sound, heard.lag, (*notes, *retrieval.warnings)
    )


def _rows(track: FaceTrack, rows: NDArray[np.bool_]) -> FaceTrack:
    return replace(
        track,
        mesh=track.mesh[rows],
        expression=track.expression[rows],
        sharpness=track.sharpness[rows],
        seconds=track.seconds[rows],
        cuts=track.cuts[rows],
    )


def _face_notes(track: FaceTrack, name: str) -> list[str]:
    """Refuse a clip whose face cannot be learned from; note what makes it doubtful."""
    seconds = float(track.found.mean() * (track.seconds[-1] - track.seconds[0]))
    if seconds < LEAST_SECONDS:
        raise FaceError(
            f"{name} shows a face for only {seconds:.1f} s.",
            remedy=f"Give a clip with {LEAST_SECONDS:.0f} s of one face, or several clips.",
        )
    height = float(np.median(np.ptp(track.mesh[track.found][..., 1], axis=1)))
    if height < LEAST_FACE:
        raise FaceError(
            f"The face in {name} is only {height:.0f} pixels high.",
            remedy=f"Give a clip in which it has at least {LEAST_FACE:.0f}, or a larger original.",
        )
    notes: list[str] = []
    if seconds < FEW_SECONDS:
        notes.append(f"{seconds:.1f} s of face: rhythm and rare mouth shapes are guesses.")
    if height < SMALL_FACE:
        notes.append(f"The face is {height:.0f} pixels high: lips are coarse.")
    return notes


# ---- sound ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _InStep:
    take: AlignedFeatures | None
    lag: int
    notes: list[str]


def _in_step(sound: Sound | None, motion: Motion, first: float, models: Predictor) -> _InStep:
    """Pair a clip's articulation with its sound where that can be trusted, lag corrected.

    motion at 60 fps, whose first frame is `first` seconds after the sound's beginning.
    """
    if sound is None:
        return _InStep(None, 0, ["Without sound: lips are held by the un-tuned generator."])
    if sound.loudness < QUIETEST:
        return _InStep(None, 0, ["The sound is silence: lips are held by the un-tuned generator."])
    music = music_level(sound, models)
    if music > LOUD_MUSIC:
        return _InStep(
            None,
            0,
            [
                f"Music is {music:.0f} dB over the voice: lips are not learned from it. Give the "
                "voice alone with --audio."
            ],
        )
    articulation = motion.landmarks - expression_of(motion.landmarks, motion.neutral, motion.fps)
    heard = speech_features(sound, models.listener)[round(first * MOTION_FPS) :]
    count = min(len(heard), len(articulation))
    take = AlignedFeatures(heard[:count].half(), torch.from_numpy(articulation[:count]))
    best, lag = measure_sync(models.networks.generator.cpu(), take)
    if best < SYNC_LEAST or abs(lag) == LARGEST_LAG:
        return _InStep(
            None,
            0,
            [
                f"Mouth and sound do not go together (correlation {best:.2f}): lips are not "
                "learned from this sound. Give the recording that belongs to the picture with "
                "--audio."
            ],
        )
    notes = [f"Voice {-music:.0f} dB over what is around it, in step (correlation {best:.2f})."]
    if lag:
        late = "later" if lag > 0 else "earlier"
        notes.append(
            f"The picture is {abs(lag) / MOTION_FPS:.2f} s {late} than the sound: corrected."
        )
    return _InStep(take.shifted(lag), lag, notes)


def music_level(sound: Sound, models: Predictor) -> float:
    """Return how loud what is no voice is against the voice while it is heard, in dB."""
    gain = np.float32(LOUDNESS / sound.loudness)
    voice, rest = 1e-9, 1e-9
    blocks = list(sound.blocks())
    whole = np.concatenate(blocks) * gain
    done = 0
    for samples, activity in models.listener.separator.separate([whole]):
        mixed = whole[done : done + len(samples)]
        done += len(samples)
        loud = np.repeat(activity > 0.5, -(-len(samples) // len(activity)))[: len(samples)]
        voice += float(np.square(samples[loud]).sum())
        rest += float(np.square((mixed - samples)[loud]).sum())
    return float(10 * np.log10(rest / voice))


# ---- several clips --------------------------------------------------------------------------


def joined(targets: list[TargetClip], name: str) -> Style:
    """Return the style of several clips of one person: motions one after the other.

    Each template's reference is the nearest of all clips.
    """
    first = targets[0].style
    if len(targets) == 1:
        return replace(first, name=name)
    neutral = first.motion.neutral
    motions = [one.style.motion for one in targets]
    motion = first.motion.with_(
        landmarks=np.concatenate([one.landmarks for one in motions]),
        rotation=np.concatenate([one.rotation for one in motions]),
        translation=np.concatenate([one.translation for one in motions]),
        blink=np.concatenate([one.blink for one in motions]),
        gaze=np.concatenate([one.gaze for one in motions]),
    )
    nearest = [
        min((one.style for one in targets), key=lambda style: style.references[place].score)
        for place in range(len(first.references))
    ]
    references = tuple(
        replace(
            style.references[place],
            landmarks=style.references[place].landmarks - style.motion.neutral + neutral,
        )
        for place, style in enumerate(nearest)
    )
    provenance = {
        "source_sha256": " ".join(one.style.provenance["source_sha256"] for one in targets),
        "seconds": f"{motion.seconds:.2f}",
    }
    times = np.concatenate([one.style.times for one in targets])
    return Style(name, references, motion, times, style_statistics(motion), provenance)


def transfer_data_of(
    style: Style, takes: list[AlignedFeatures], replay: list[Tensor]
) -> TransferData:
    """Return what transfer learns from: phi_s retargeted, and the sounds."""
    motion = style.motion
    expression = expression_of(motion.landmarks, motion.neutral, motion.fps)
    references = np.stack([one.landmarks - motion.neutral for one in style.references])
    references = torch.from_numpy(references.astype(np.float32))
    return TransferData(
        references,
        template_shares(references, torch.from_numpy(motion.landmarks)),
        torch.from_numpy(motion.landmarks - expression),
        torch.from_numpy(expression),
        takes,
        replay,
        torch.from_numpy(to_68(FaceModel.embedded().mean)),
    )


def split_style(style: Style) -> tuple[Style, Motion]:
    """Split a style file's motion as a clip is split; its references stay."""
    motion = style.motion
    cut = round((1 - HELD_OUT) * len(motion))
    parts = [
        motion.with_(
            landmarks=motion.landmarks[rows],
            rotation=motion.rotation[rows],
            translation=motion.translation[rows],
            blink=motion.blink[rows],
            gaze=motion.gaze[rows],
        )
        for rows in (slice(cut), slice(cut, None))
    ]
    learned = replace(
        style,
        motion=parts[0],
        times=style.times[:cut],
        statistics=style_statistics(parts[0]),
        tuning=None,
    )
    if parts[1].seconds < LEAST_SECONDS * HELD_OUT:
        raise FaceError(
            f"{style.name} shows a face for only {motion.seconds:.1f} s.",
            remedy=f"Give a clip with {LEAST_SECONDS:.0f} s of one face, or several clips.",
        )
    return learned, parts[1]
