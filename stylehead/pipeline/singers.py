"""Several faces of one picture: who sings what and when, and who rests and looks on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from pathlib import Path

import numpy as np

from stylehead.errors import ConfigError, MediaError
from stylehead.face.geometry import smoothstep
from stylehead.face.landmarks import OVAL
from stylehead.files import check_file
from stylehead.media.audio import Sound, open_stem
from stylehead.media.cues import Cue, Subtitle, read_cues, subtitles, within
from stylehead.media.image import fit_video, read_alpha, read_image
from stylehead.motion.generate import Role, Sung, predict_together, rest_motion
from stylehead.motion.head import towards_singers, turned
from stylehead.motion.models import Networks
from stylehead.options import MotionOptions, Options
from stylehead.progress import Reporter
from stylehead.speech.listen import Listener, VoiceReport, listen
from stylehead.style.mix import as_mix
from stylehead.tracking.matte import GivenMatte
from stylehead.tracking.portrait import find_portrait, find_portraits
from stylehead.types import Floats, Motion, Pixels, Portrait, StyleMix

AROUND = 0.15  # seconds around a line of the lyrics in which its mouth opens and shuts


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Singer:
    """A face, and the voice that its mouth follows."""

    face: int | None
    """Its number from the left; None: the one that is chosen in the picture."""
    sound: Sound
    mix: StyleMix
    stem: Path | None = None
    """The file of a voice of its own; None: it follows what all listen to."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Song:
    """What is sung, and by whom."""

    seconds: float
    mix: StyleMix
    """How those move who do not sing."""
    singers: tuple[Singer, ...]
    """From left to right."""
    cues: tuple[Cue, ...]
    """The lyrics of the part that is used, timed from its beginning."""

    @property
    def faces(self) -> list[int]:
        """Numbers of the faces that sing; empty when one sings that nobody has numbered."""
        return [one.face for one in self.singers if one.face is not None]

    @property
    def subtitles(self) -> list[Subtitle]:
        """What is shown, and when."""
        return subtitles(self.cues)

    def opened(self, face: int | None, frames: int, fps: Fraction) -> Floats | None:
        """Return how far a mouth may open at each frame (T,): 1 in its lines, 0 elsewhere.

        None for a face of which no line speaks: it follows its stem all through.
        """
        lines = [cue for cue in self.cues if not cue.faces or face in cue.faces]
        if not lines:
            return None
        times = np.arange(frames) / float(fps)
        near = np.zeros(frames, np.float32)
        for line in lines:
            outside = np.maximum(line.start - times, times - line.end)
            near = np.maximum(near, 1 - outside.clip(0, AROUND) / AROUND)
        return smoothstep(near).astype(np.float32)


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


def check_song(options: Options, *, saved: bool) -> None:
    """Raise ConfigError for options that exclude each other; `saved`: with a saved motion."""
    given = {"--vocals": options.vocals, "--sing": options.sing, "--cues": options.cues}
    named = [flag for flag, value in given.items() if value]
    if saved and named:
        raise ConfigError(
            f"A saved motion is rendered as it is: {named[0]} has nothing to move.",
            remedy=f"Leave out {named[0]}, or --motion.",
        )


def files_of(options: Options) -> list[Path]:
    """Return the files that are read beside picture and recording: matte, stems and lyrics."""
    named = [path for path in (options.matte, options.vocals, options.cues) if path]
    return named + [path for _, path, _ in map(_asked, options.sing or ())]


def listened_to(played: Sound, options: MotionOptions) -> Sound:
    """Return the recording, or the stem that is listened to in its place."""
    return played if options.vocals is None else _stem(options.vocals, played, options)


def open_song(played: Sound, mix: StyleMix, options: Options) -> Song:
    """Return who sings what: faces of `--sing` their stems, others that the lyrics name the voice.

    Raises MediaError, StyleError or ConfigError for stems, styles and lyrics that do not fit.
    """
    lines = read_cues(options.cues) if options.cues else ()
    asked = [_asked(text) for text in options.sing or ()]
    numbers = [face for face, _, _ in asked]
    if doubled := {face for face in numbers if numbers.count(face) > 1}:
        raise ConfigError(
            f"Face {min(doubled)} has two stems.",
            remedy="Give each face one --sing, or mix its stems.",
        )
    cued = {face for line in lines for face in line.faces}.difference(numbers)
    if (numbers or cued) and (options.face or options.crop):
        raise ConfigError(
            f"{'--face' if options.face else '--crop'} shows one face, and the song names others.",
            remedy="Leave it out where --sing, or the lyrics of --cues, number the faces.",
        )
    if numbers and not cued and options.vocals:
        raise ConfigError(
            "--vocals moves no face: each has a stem of its own.",
            remedy="Leave out --vocals; --sing N=STEM says what a face follows.",
        )
    opened = {
        path: _stem(path, played, options) for path in dict.fromkeys(path for _, path, _ in asked)
    }
    singers = [
        Singer(
            face=face,
            sound=opened[path],
            mix=as_mix(style, strength=options.style_strength) if style else mix,
            stem=path,
        )
        for face, path, style in asked
    ]
    if cued or not singers:
        voice = listened_to(played, options)
        singers += [Singer(face=face, sound=voice, mix=mix) for face in cued or {None}]
    return Song(
        seconds=played.seconds,
        mix=mix,
        singers=tuple(sorted(singers, key=lambda one: one.face or 0)),
        cues=within(lines, options.start, played.seconds),
    )


def _stem(path: Path, played: Sound, options: MotionOptions) -> Sound:
    return open_stem(path, played, options.vocals_offset, cut=options.duration is not None)


def _asked(text: str) -> tuple[int, Path, str | None]:
    """Return the face, stem and style of N=STEM[:STYLE].

    The stem is the longest beginning up to a colon that is a file: names of files, and drives, may
    have colons. Without any, the first colon that is not a drive's counts.
    """
    number, _, rest = text.partition("=")
    if not (number.strip().isdecimal() and int(number) > 0 and rest):
        raise ConfigError(
            f"{text} does not give a face a stem.",
            remedy="Write --sing N=STEM or N=STEM:STYLE, with the face's number from the left.",
        )
    colons = [at for at, letter in enumerate(rest) if letter == ":" and at != 1]
    ends = [len(rest), *reversed(colons)]
    end = next((end for end in ends if Path(rest[:end]).is_file()), min(ends))
    stem = Path(rest[:end])
    check_file(stem, "stem")
    return int(number), stem, rest[end + 1 :] or None


# ---- faces -----------------------------------------------------------------------------------


def find_faces(
    image: Path, numbers: Sequence[int], options: Options, reporter: Reporter
) -> list[Portrait]:
    """Return the face to animate, or all faces of the picture when `numbers` of singers are given.

    Raises MediaError or FaceError for a picture that does not show them well.
    """
    pixels = read_image(image)
    fitted = fit_video(pixels)
    if fitted is not pixels:
        reporter.say(f"{image.name} is scaled down to {fitted.shape[1]} x {fitted.shape[0]}")
    matte = _matte(image, pixels, options.matte)
    if numbers:
        portraits, failures = find_portraits(fitted, name=str(image), numbers=numbers, matte=matte)
        for failure in failures:
            reporter.say(f"{failure} It stays still.")
        for portrait in portraits:
            for note in portrait.notes:
                reporter.say(f"Note: {note}")
        return portraits
    portrait = find_portrait(fitted, name=str(image), number=options.face, matte=matte)
    if portrait.count > 1:
        side = "" if options.face else ", the largest"
        reporter.say(
            f"Animating face {portrait.number} of {portrait.count}{side}; --face takes another"
        )
    for note in portrait.notes:
        reporter.say(f"Note: {note}")
    return [portrait]


def _matte(image: Path, pixels: Pixels, given: Path | None) -> GivenMatte | None:
    """Return the matte of a picture (H, W, 3) that the user has: `given`, or its transparency."""
    alpha = read_alpha(given or image)
    if given and alpha is None:
        alpha = read_image(given).min(-1)
    if alpha is None:
        return None
    if alpha.shape != pixels.shape[:2]:
        raise MediaError(
            f"{given} has {alpha.shape[1]} x {alpha.shape[0]} pixels, and {image} "
            f"{pixels.shape[1]} x {pixels.shape[0]}.",
            remedy="Make the matte as large as the picture.",
        )
    return GivenMatte(fit_video(alpha), str(given) if given else None)


# ---- motion ---------------------------------------------------------------------------------


def tell_of_old(mix: StyleMix, reporter: Reporter) -> None:
    """Tell the user which styles of a mix are of a version that had no gestures."""
    for style in dict.fromkeys(weight.style for weight in mix.weights):
        if style.contour is None:
            reporter.say(
                f"Note: {style.name} was learned by an older version, so head and brows are moved "
                "by chance; learn it again with stylehead extract-style for its person's gestures."
            )


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
    fps = Fraction(options.fps)
    frames = math.ceil(round(song.seconds * fps, 6))
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
