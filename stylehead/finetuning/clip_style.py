"""The style of a clip: its ranges, and how its person shapes sounds where that comes nearer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from stylehead import files
from stylehead.errors import FaceError, MediaError, StyleError
from stylehead.files.locks import lock, temporary_folder
from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.holdout import HoldoutResult
from stylehead.finetuning.run import tune
from stylehead.finetuning.target import own_sound, target_of, tests_of
from stylehead.finetuning.target_clip import TargetClip, learn_target_clip
from stylehead.options import AudioRange, Encoder, Encoding, StyleEffort
from stylehead.pipeline.run import Predictor, learn_from_clip, load_predictor
from stylehead.progress import SILENT, Reporter
from stylehead.style.file import FORMAT, SUFFIX, load_style, save_style
from stylehead.style.references import Retrieval
from stylehead.types import FaceTrack, Style
from stylehead.version import __version__
from stylehead.weights.networks import CPU
from stylehead.weights.store import home, read_manifest

STEPS = {StyleEffort.NORMAL: 100, StyleEffort.FULL: 300}
"""Tuning steps; a clip with its own sound starts from a closed form."""
MOST_KEPT = 100  # styles of clips in the cache
RANGES = "Note: the clip's ranges alone are used: "
TRANSFER, NOTES, FRAMES = "transfer", "notes", "frames"
"""In a style's provenance: what the transfer gave, what makes the clip doubtful, and how many of
its frames were usable."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipStyle:
    """A clip's style, and what it was made of; a style that was kept has nothing else."""

    style: Style
    retrieval: Retrieval | None = None
    track: FaceTrack | None = None


def extract_style(
    video: Path | str,
    name: str | None = None,
    *,
    clip: AudioRange = AudioRange(),  # noqa: B008 (frozen)
    effort: StyleEffort = StyleEffort.NORMAL,
    encoder: Encoder = Encoder.WHISPER,
    reporter: Reporter = SILENT,
) -> Style:
    """Learn how the person of a clip moves and, unless the effort is FAST, shapes sounds.

    `clip` chooses a part of it; the style's name is the file's unless given. What was learned is
    kept and used again for the same clip. Raises MediaError or FaceError for a clip that cannot be
    used.
    """
    video = Path(video)
    return clip_style(
        video, name or video.stem, clip=clip, effort=effort, encoder=encoder, reporter=reporter
    ).style


def clip_style(
    video: Path,
    name: str,
    *,
    clip: AudioRange,
    effort: StyleEffort,
    encoder: Encoder,
    anew: bool = False,
    reporter: Reporter = SILENT,
) -> ClipStyle:
    """Learn the style of a clip as `extract_style` does; `anew` asks for what it was made of."""
    files.check_file(video, "clip")
    place = kept_at(video, clip, effort, encoder)
    with _alone(place):
        if not anew and (kept := _kept(place)):
            reporter.say(f"The style of {video.name} was learned before.")
            told = (kept.provenance.get(NOTES, ""), kept.provenance.get(TRANSFER, ""))
            for said in filter(None, "\n".join(told).split("\n")):
                reporter.say(said)
            return ClipStyle(replace(kept, name=name))
        return _learned(video, name, place, clip, effort, encoder, reporter)


def _learned(
    video: Path,
    name: str,
    place: Path,
    clip: AudioRange,
    effort: StyleEffort,
    encoder: Encoder,
    reporter: Reporter,
) -> ClipStyle:
    style, retrieval, track = learn_from_clip(video, name, clip=clip, reporter=reporter)
    counts = {"frames": retrieval.frames, **retrieval.unfit, "usable": retrieval.usable}
    style = replace(style, provenance=style.provenance | {FRAMES: json.dumps(counts)})
    if notes := [f"Note: {warning}" for warning in retrieval.warnings]:
        for note in notes:
            reporter.say(note)
        style = replace(style, provenance=style.provenance | {NOTES: "\n".join(notes)})
    if effort is not StyleEffort.FAST:
        style = _transferred(style, video, clip, track, effort, encoder, reporter)
    return ClipStyle(_keep(style, place), retrieval, track)


def frames_of(style: Style) -> dict[str, int]:
    """Return how many `frames` a style's clip has, of them by reason to count less, and `usable`.

    Empty for a style that does not say it.
    """
    return json.loads(style.provenance.get(FRAMES, "{}"))


# ---- transfer -------------------------------------------------------------------------------


def _transferred(
    style: Style,
    video: Path,
    clip: AudioRange,
    track: FaceTrack,
    effort: StyleEffort,
    encoder: Encoder,
    reporter: Reporter,
) -> Style:
    """Return the style with a transfer of the generator, unless ranges alone come nearer.

    The end of the clip is held out to tell.
    """
    predictor = load_predictor(Encoding(encoder=encoder), CPU, reporter=reporter)
    try:
        target = learn_target_clip(
            replace(track, seconds=track.seconds - clip.start),
            own_sound(video, clip),
            predictor,
            str(video),
            style.provenance.get("source_sha256", ""),
        )
    except FaceError as unfit:  # too short or too small to hold anything out
        return _said(style, f"{RANGES}{unfit}", reporter)
    try:
        result, tuned = _tried(target, predictor, STEPS[effort], reporter)
    except StyleError as failure:
        return _said(style, f"{RANGES}{failure}", reporter)
    ratio = nearness(result)
    tuned_scores = result.scores["tuned"]
    if ratio < 1 and tuned_scores.lip_sync_margin(result.scores["un-tuned"]) >= 0:
        kept = replace(style, tuning=tuned.tuning)
        return _said(
            kept,
            f"Transferred: {1 - ratio:.0%} nearer to the end of the clip, which was held out, than "
            "its ranges alone.",
            reporter,
        )
    why = f"the transfer is {ratio - 1:.0%} further from the end of the clip"
    if ratio < 1:
        why = f"with the transfer lips follow the sound too little (r {tuned_scores.sync:.2f})"
    return _said(style, f"{RANGES}{why}.", reporter)


def _tried(
    target: TargetClip, predictor: Predictor, steps: int, reporter: Reporter
) -> tuple[HoldoutResult, Style]:
    """Return the transferred style of a clip's beginning, and how near it comes to its end."""
    whole = target_of([target], {}, target.style.name, predictor.listener, SILENT)
    learning, test = tests_of(whole, predictor)
    config = TransferConfig(steps=steps)
    tuned = tune(whole.style, whole.aligned, whole.replay, learning, config, reporter=reporter)
    return test.compare(tuned), tuned


def nearness(result: HoldoutResult) -> float:
    """Return how far the tuned style is from the held-out end, against ranges alone.

    The mean ratio of the style distances SLD, SLV and SMD and, with a held-out sound, of LMD.
    """
    ranges, tuned = result.scores["statistics"], result.scores["tuned"]
    ratios = [tuned.sld / ranges.sld, tuned.slv / ranges.slv, tuned.smd / ranges.smd]
    if tuned.lmd == tuned.lmd:  # NaN without a sound
        ratios.append(tuned.lmd / ranges.lmd)
    return sum(ratios) / len(ratios)


def _said(style: Style, message: str, reporter: Reporter) -> Style:
    """Tell the user what the transfer gave, and let the style tell as well."""
    reporter.say(message)
    return replace(style, provenance=style.provenance | {TRANSFER: message})


# ---- what was learned before ----------------------------------------------------------------


def kept_at(video: Path, clip: AudioRange, effort: StyleEffort, encoder: Encoder) -> Path:
    """Return where the style of a clip is kept: by its content, and all that it depends on."""
    weights = {name: entry.sha256 for name, entry in read_manifest().items() if entry.embedded}
    about = [files.digest(video), clip.start, clip.duration, effort.value, encoder.value]
    facts = json.dumps([*about, __version__, FORMAT, weights])
    return home() / "clips" / f"{sha256(facts.encode()).hexdigest()}{SUFFIX}"


@contextmanager
def _alone(place: Path) -> Generator[None]:
    """Have one process at a time learn a clip's style: who waits finds it kept.

    A cache that cannot be written does not matter.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(lock(place.with_suffix(".lock")))
        yield


def _kept(place: Path) -> Style | None:
    """Return a style that was kept; None, too, when its file is damaged."""
    if not place.is_file():
        return None
    try:
        return load_style(place)
    except StyleError:
        return None


def _keep(style: Style, place: Path) -> Style:
    """Keep a style, and only the newest; return it as it is kept, so that it is always the same.

    A cache that cannot be written does not matter.
    """
    with temporary_folder() as folder:
        saved = folder / place.name
        save_style(style, saved)
        _into_cache(saved, place)
        return load_style(saved)


def _into_cache(saved: Path, place: Path) -> None:
    try:
        files.make_folder(place.parent)
        with files.atomic(place) as part:
            shutil.copyfile(saved, part)
        by_age = sorted(place.parent.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)
        for old in by_age[:-MOST_KEPT]:
            old.unlink(missing_ok=True)
    except (OSError, MediaError):
        return
