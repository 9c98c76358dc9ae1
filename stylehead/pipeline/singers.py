"""The faces of one picture in a song: who sings, who rests and who looks on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from pathlib import Path

import numpy as np

from stylehead.compute.device import one_thread
from stylehead.errors import MediaError
from stylehead.face.landmarks import OVAL
from stylehead.media.image import fit_video, read_picture
from stylehead.motion.generate import Role, Sung, predict_together, rest_motion
from stylehead.motion.head import towards_singers, turned
from stylehead.motion.models import Networks
from stylehead.options import Options
from stylehead.pipeline.song import Singer, Song
from stylehead.progress import Reporter
from stylehead.rendering.portrait_mesh import beyond_picture
from stylehead.speech.listen import Listener, VoiceReport, listen
from stylehead.tracking.matte import GivenMatte, whole_matte
from stylehead.tracking.portrait import find_portrait, find_portraits
from stylehead.types import Floats, Motion, Pixels, Portrait, StyleMix


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Take:
    """How one face moves through a video."""

    motion: Motion
    mix: StyleMix
    singer: Singer | None = None
    """None for a face that only looks on, and for a saved motion."""
    report: VoiceReport | None = None
    """How its voice was listened to; None when there was nothing to listen to."""

    @property
    def voice_fraction(self) -> float:
        """Fraction of the time in which its recording has a voice."""
        return self.report.voice_fraction if self.report else 0.0

    def facts(self, face: int) -> dict[str, object]:
        """Return what is told about a singer."""
        stem = self.singer.sound.path if self.singer else None
        share = round(self.voice_fraction, 3)
        return {"face": face, "sound": str(stem), "style": self.mix.name, "voice_fraction": share}


MADE_UP = 0.01  # of a crop that lies beyond the picture from which it is said

# ---- faces -----------------------------------------------------------------------------------


def find_faces(
    image: Path, numbers: Sequence[int], options: Options, reporter: Reporter
) -> list[Portrait]:
    """Return the face to animate, or all faces of the picture when `numbers` of singers are given.

    Raises MediaError or FaceError for a picture that does not show them well.
    """
    pixels, alpha = read_picture(image)
    fitted = fit_video(pixels)
    if fitted is not pixels:
        reporter.say(f"{image.name} is scaled down to {fitted.shape[1]} x {fitted.shape[0]}")
    if options.matte:
        alpha = _opacity(options.matte, image, pixels)
    matte = None if alpha is None else GivenMatte(fit_video(alpha), options.matte)
    portraits = _found(fitted, str(image), numbers, matte, options, reporter)
    if options.crop and (beyond := beyond_picture(portraits[0])) > MADE_UP:
        reporter.say(
            f"Note: {beyond:.0%} of the square around the face lies beyond {image.name}, "
            "whose edge goes on there, out of focus."
        )
    if options.cut_out:
        whole = whole_matte(portraits, str(image), matte)
        portraits = [replace(portrait, matte=whole) for portrait in portraits]
    return portraits


def _found(
    fitted: Pixels,
    name: str,
    numbers: Sequence[int],
    matte: GivenMatte | None,
    options: Options,
    reporter: Reporter,
) -> list[Portrait]:
    """Return the faces of a picture that is of a video's size, and tell what there is to say."""
    if numbers:
        portraits, failures = find_portraits(fitted, name=name, numbers=numbers, matte=matte)
        for failure in failures:
            reporter.say(f"{failure} It stays still.")
        for portrait in portraits:
            for note in portrait.notes:
                reporter.say(f"Note: {note}")
        return portraits
    portrait = find_portrait(fitted, name=name, number=options.face, matte=matte)
    if portrait.count > 1:
        side = "" if options.face else ", the largest"
        reporter.say(
            f"Animating face {portrait.number} of {portrait.count}{side}; --face takes another"
        )
    for note in portrait.notes:
        reporter.say(f"Note: {note}")
    return [portrait]


def _opacity(path: Path, image: Path, pixels: Pixels) -> Pixels:
    """Return the matte (H, W) of a picture (H, W, 3) in a file: its transparency, or its shades."""
    shades, alpha = read_picture(path)
    alpha = shades.min(-1) if alpha is None else alpha
    if alpha.shape != pixels.shape[:2]:
        raise MediaError(
            f"{path} has {alpha.shape[1]} x {alpha.shape[0]} pixels, and {image} "
            f"{pixels.shape[1]} x {pixels.shape[0]}.",
            remedy="Make the matte as large as the picture.",
        )
    return alpha


# ---- motion ---------------------------------------------------------------------------------


def tell_of_old(mix: StyleMix, reporter: Reporter) -> None:
    """Tell the user which styles of a mix are of a version that had no gestures."""
    for style in dict.fromkeys(weight.style for weight in mix.weights):
        if style.contour is None:
            reporter.say(
                f"Note: {style.name} was learned by an older version, so head and brows are moved "
                "by chance; learn it again with stylehead extract-style for its person's gestures."
            )


@one_thread()  # networks are small, and stretches of a recording are listened to at once
def perform(
    song: Song,
    portraits: Sequence[Portrait],
    listener: Listener,
    networks: Networks,
    *,
    options: Options,
    reporter: Reporter,
) -> list[Take]:
    """Return how each face of a picture moves through a song; each voice is listened to once.

    Who does not sing rests, and looks to who does. Raises MediaError for a silent recording; who
    has a silent stem rests.
    """
    for mix in dict.fromkeys(singer.mix for singer in song.singers):
        tell_of_old(mix, reporter)
    fps = options.rate
    frames = math.ceil(round(song.played.seconds * fps, 6))
    seeds = count(options.seed)  # the first singer's random numbers are those of a face alone
    roles = {
        singer: Role(
            mix=singer.mix,
            controls=replace(options, seed=next(seeds)),
            opened=song.opened(singer.face, frames, fps),
            rotation=_shown(portraits, singer.face),
        )
        for singer in song.singers
    }
    sung = _sung(roles, listener, networks, fps, reporter)
    takes: list[Take] = []
    voices = np.zeros((len(portraits), frames), np.float32)
    for place, portrait in enumerate(portraits):
        singer = next((one for one in song.singers if one.face in (None, portrait.number)), None)
        if singer and singer in sung:
            (motion, voices[place]), report = sung[singer]
            takes.append(Take(motion=motion, mix=singer.mix, singer=singer, report=report))
            continue
        if singer:
            role = roles[singer]
        else:
            controls = replace(options, seed=next(seeds))
            role = Role(mix=song.mix, controls=controls, rotation=portrait.rotation)
        motion = rest_motion(frames, role, networks, fps=fps)
        takes.append(Take(motion=motion, mix=role.mix, singer=singer))
    return takes if len(takes) == 1 else _looking(takes, portraits, voices, options)


def _shown(portraits: Sequence[Portrait], face: int | None) -> Floats | None:
    """Return how a face's head is turned (3, 3) in the picture, by default the only one's."""
    return next((one.rotation for one in portraits if face in (None, one.number)), None)


def _sung(
    roles: dict[Singer, Role],
    listener: Listener,
    networks: Networks,
    fps: Fraction,
    reporter: Reporter,
) -> dict[Singer, tuple[Sung, VoiceReport]]:
    """Return the motion of everybody whose voice is not silent."""
    sung: dict[Singer, tuple[Sung, VoiceReport]] = {}
    for sound in {id(one.sound): one.sound for one in roles}.values():
        together = [singer for singer in roles if singer.sound is sound]
        names = " and ".join(f"face {one.face}" for one in together if one.face)
        if together[0].stem and sound.silent:
            reporter.say(f"{sound.path} is silent: {names} rests.")
            continue
        speech = listen(sound, listener, reporter=reporter)
        made = predict_together(speech, [roles[one] for one in together], networks, fps=fps)
        said = speech.report.summary(sound)
        reporter.say(f"{names.capitalize()}: {said}" if names else said)
        sung |= {one: (its, speech.report) for one, its in zip(together, made, strict=True)}
    return sung


def _looking(
    takes: list[Take], portraits: Sequence[Portrait], voices: Floats, options: Options
) -> list[Take]:
    """Turn those who rest to those who sing."""
    ovals = np.stack([portrait.face.mesh[OVAL, :2] for portrait in portraits])
    places, sizes = ovals.mean(1), np.ptp(ovals, axis=1).max(1)
    ways = towards_singers(voices, places, sizes, takes[0].motion.fps)
    return [
        replace(take, motion=turned(take.motion, way, options.head_scale))
        for take, way in zip(takes, ways, strict=True)
    ]
