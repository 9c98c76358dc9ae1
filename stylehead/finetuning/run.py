"""What `stylehead finetune-style` does: learn the target, tune, test on held-out motion, write."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from stylehead import files
from stylehead.errors import FaceError, MediaError, StyleError
from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.data import transfer_data
from stylehead.finetuning.holdout import (
    LEAST_LIP_SYNC,
    HoldoutTest,
    distance_ratio,
    lip_crossing_rates,
    rejection_reasons,
)
from stylehead.finetuning.plot import draw_result
from stylehead.finetuning.report import FinetunedStyle, write_report
from stylehead.finetuning.speech import (
    EncodedSpeech,
    encode_speech,
    learn_own_voice,
    replayed_speech,
    unheard_speech,
)
from stylehead.finetuning.target_clip import (
    TargetClip,
    joined_style,
    learn_target_clip,
    split_style,
)
from stylehead.finetuning.transfer import Validation, transfer
from stylehead.media.audio import Sound, open_audio
from stylehead.models.adapter import Adapter
from stylehead.models.manifold import Manifold
from stylehead.motion.models import generator_digest, tuning_of
from stylehead.options import Encoding, TuningOptions
from stylehead.pipeline.run import Predictor, load_predictor
from stylehead.progress import SILENT, Reporter
from stylehead.style.file import SUFFIX, find_style, save_style
from stylehead.tracking.clip import crowd_share, track_video
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.types import Motion, Style
from stylehead.version import __version__

LARGEST_CROWD = 0.3  # fraction of sampled frames with a second face from which a clip is refused

Stopping = AbstractContextManager[Callable[[], bool]]
"""Entered while tuning runs; what it gives says whether to stop and keep the best so far."""


def finetune_style(
    videos: list[Path],
    output: Path,
    *,
    options: TuningOptions,
    stopping: Stopping,
    reporter: Reporter = SILENT,
) -> FinetunedStyle:
    """Tune the motion generator to clips of one person, or to a style file; write and test it.

    Beside `output` come NAME.report.json and NAME.report.png. Checkpoints lie in `options.run`, by
    default a folder beside `output` that goes when the work is done and stays when it was stopped.
    Raises MediaError or FaceError for clips that cannot be used; StyleError when the style did not
    get closer or lips got worse, unless forced.
    """
    began = time.monotonic()
    report, plot = output.with_suffix(".report.json"), output.with_suffix(".report.png")
    for path, suffix in ((output, SUFFIX), (report, ".json"), (plot, ".png")):
        files.check_output(
            path,
            overwrite=options.overwrite,
            suffixes=(suffix,),
            inputs=(*videos, options.style, options.audio),
        )
    config = TransferConfig.from_options(options)
    usual = Encoding(encoder=options.encoder)  # projection is on the person's own voice here
    cpu = torch.device("cpu")
    predictor = load_predictor(usual, cpu, separation=options, reporter=reporter)
    replayed = [replayed_speech()]
    if options.audio is not None:
        replayed.append(open_audio(options.audio))

    target = _learn_target(videos, options, predictor, output.stem, reporter)
    own_voice = learn_own_voice(target.aligned, options.projection)
    replay = [encode_speech(sound, predictor.listener).features for sound in replayed]
    test = HoldoutTest(
        networks=predictor.networks,
        neutral_speech=encode_speech(unheard_speech(), predictor.listener),
        held_out=target.held_out,
        own_speech=target.held_out_speech,
    )
    folder = options.run or output.with_suffix(".tuning")
    files.make_folder(folder)
    with stopping as stopped:
        tuned = tune(
            target.style,
            target.aligned,
            replay,
            test,
            config,
            own_voice=own_voice,
            run=folder,
            stopped=stopped,
            reporter=reporter,
        )
        interrupted = stopped()

    result = test.compare(tuned)
    reasons = rejection_reasons(result)
    write_report(
        report,
        result,
        notes=target.notes,
        reasons=reasons,
        lip_crossings=lip_crossing_rates(tuned, test.networks, test.neutral_speech.features),
        learned=target.style,
        config=config,
    )
    draw_result(plot, result, target.held_out[0])
    if reasons and not options.force:
        raise StyleError(
            f"{output.name} is not written: {' and '.join(reasons)}.",
            remedy=f"{report.name} has the numbers. Give a longer or clearer clip, or pass --force "
            "to write it anyway.",
        )
    provenance = {
        **target.style.provenance,
        "stylehead_version": __version__,
        "held_out_style_distance": f"{result.distance_ratio:.3f}",
    }
    save_style(replace(tuned, provenance=provenance), output)
    if options.run is None and not interrupted:
        shutil.rmtree(folder, ignore_errors=True)
    return FinetunedStyle(
        path=output, result=result, notes=target.notes, seconds=time.monotonic() - began
    )


# ---- the target -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Target:
    """What is learned from a person's clips or style file, and what is held out of them."""

    style: Style
    held_out: list[Motion]
    aligned: list[AlignedFeatures]
    held_out_speech: EncodedSpeech | None
    notes: list[str]


def _learn_target(
    videos: list[Path],
    options: TuningOptions,
    predictor: Predictor,
    name: str,
    reporter: Reporter,
) -> _Target:
    if not videos:
        assert options.style is not None  # the command line asks for one of them
        learned, held_out = split_style(find_style(options.style))
        return _Target(
            style=replace(learned, name=name),
            held_out=[held_out],
            aligned=[],
            held_out_speech=None,
            notes=[],
        )
    clips = [_target_clip(video, options.audio, predictor, reporter) for video in videos]
    notes = [note for clip in clips for note in clip.notes]
    for note in notes:
        reporter.say(note)
    sound = clips[0].held_out_sound
    return _Target(
        style=joined_style(clips, name),
        held_out=[clip.held_out for clip in clips],
        aligned=[clip.aligned for clip in clips if clip.aligned is not None],
        held_out_speech=encode_speech(sound, predictor.listener) if sound else None,
        notes=notes,
    )


def _target_clip(
    video: Path, audio: Path | None, predictor: Predictor, reporter: Reporter
) -> TargetClip:
    crowd = crowd_share(video)
    if crowd > LARGEST_CROWD:
        raise FaceError(
            f"{video} shows several people in {crowd:.0%} of its frames.",
            remedy="Crop it to the person whose style you want.",
        )
    track = track_video(video, reporter=reporter)
    sound = open_audio(audio) if audio else _own_sound(video)
    digest = files.digest(video)
    return learn_target_clip(track, sound, predictor, str(video), digest, reporter=reporter)


def _own_sound(video: Path) -> Sound | None:
    """Return a clip's sound, None when it has none that can be read."""
    try:
        return open_audio(video)
    except MediaError:
        return None


# ---- tuning ---------------------------------------------------------------------------------


def tune(
    style: Style,
    aligned: list[AlignedFeatures],
    replay: list[Tensor],
    test: HoldoutTest,
    config: TransferConfig,
    *,
    own_voice: Manifold | None = None,
    run: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
    reporter: Reporter = SILENT,
) -> Style:
    """Return the style with the best change of the generator.

    The best is the one nearest to the learned part of the clip among those whose lips still
    follow; what is held out has no say. `replay` are features (T, F) of speech without a face.
    All features are brought to `own_voice` first.
    """
    if own_voice:
        aligned = [
            replace(pair, features=own_voice.project(pair.features.float()).half())
            for pair in aligned
        ]
        replay = [own_voice.project(features) for features in replay]
    networks = test.networks
    digest = generator_digest(networks.encoder)
    validation_test = replace(test, held_out=[style.motion], own_speech=None)
    untuned = validation_test.predict(None, test.neutral_speech)
    before = validation_test.score(untuned, untuned, None)

    def with_tuning(adapter: Adapter) -> Style:
        tuning = tuning_of(adapter, networks.encoder, digest, own_voice)
        return replace(style, tuning=tuning)

    def validate(adapter: Adapter) -> Validation:
        motion = validation_test.predict(with_tuning(adapter), test.neutral_speech)
        scores = validation_test.score(motion, untuned, None)
        ratio = distance_ratio(before, scores)
        sync_lost = max(0.0, LEAST_LIP_SYNC + 0.02 - scores.sync)
        return Validation(
            ratio + 10 * sync_lost,
            {
                "distance to the clip": ratio,  # 1 is the un-tuned generator's
                "lip sync": scores.sync,
                "mouth opening": scores.opening,
            },
        )

    adapter = transfer(
        networks.generator,
        transfer_data(style, aligned, replay),
        config,
        validate=validate,
        identity={
            "source": style.provenance.get("source_sha256", ""),
            "generator": digest,
            "projection": f"{own_voice.strength if own_voice else 0:g}",
        },
        stopped=stopped,
        run=run,
        reporter=reporter,
    )
    return with_tuning(adapter)
