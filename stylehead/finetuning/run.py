"""What `stylehead finetune-style` does: learn the target, tune, test on held-out motion, write."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from stylehead import files
from stylehead.errors import StyleError
from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.data import transfer_data
from stylehead.finetuning.holdout import (
    HoldoutTest,
    distance_ratio,
    lip_crossing_rates,
    rejection_reasons,
)
from stylehead.finetuning.kept import (
    as_saved,
    begin_run,
    keep_refused,
    refused_path,
    release_refused,
    request_of,
    save_track,
)
from stylehead.finetuning.plot import draw_result
from stylehead.finetuning.report import FinetunedStyle, write_report
from stylehead.finetuning.speech import learn_own_voice
from stylehead.finetuning.target import learn_target, tests_of
from stylehead.finetuning.transfer import Validation, transfer
from stylehead.models.adapter import Adapter
from stylehead.models.manifold import Manifold
from stylehead.motion.models import generator_digest, tuning_of
from stylehead.options import Encoding, TuningOptions
from stylehead.pipeline.run import load_predictor
from stylehead.progress import SILENT, Reporter
from stylehead.style.file import SUFFIX, save_style
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.types import Style
from stylehead.version import __version__

SYNC_TO_SPARE = 0.02  # of the lips' sync, that a result has to have while it is chosen

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

    Beside `output` come NAME.report.json and NAME.report.png. A style that fails the test is kept
    as NAME.refused.style; asked for again with `options.force`, that file becomes `output` at once.
    Checkpoints and tracked clips lie in `options.run`, by default a folder beside `output` that
    goes when the style is written and stays for another try when it was refused or stopped.
    Raises MediaError or FaceError for clips that cannot be used; StyleError when the style did not
    get closer or lips got worse, unless forced.
    """
    began = time.monotonic()
    inputs = (*videos, options.style, options.audio)
    files.check_output(output, overwrite=options.overwrite, suffixes=(SUFFIX,), inputs=inputs)
    config = TransferConfig.from_options(options)
    for path, kind in [*((video, "video") for video in videos), (options.audio, "recording")]:
        if path is not None:
            files.check_file(path, kind)
    digests = [files.digest(video) for video in videos]
    request = request_of(digests, options, config)
    report, plot = output.with_suffix(".report.json"), output.with_suffix(".report.png")
    refused, folder = refused_path(output), options.run or output.with_suffix(".tuning")
    if options.force and release_refused(output, request):
        _clear(folder, options)
        reporter.say(f"{refused.name} is now {output.name}; nothing was learned anew.")
        return FinetunedStyle(path=output, result=None, notes=[], seconds=_since(began))
    for path in (report, plot, refused):
        files.check_output(path, overwrite=options.overwrite, inputs=inputs)
    usual = Encoding(encoder=options.encoder)  # projection is on the person's own voice here
    cpu = torch.device("cpu")
    predictor = load_predictor(usual, cpu, separation=options, reporter=reporter)
    target = learn_target(videos, digests, options, folder, predictor, output.stem, reporter)
    own_voice = learn_own_voice(target.aligned, options.projection)
    learning, test = tests_of(target, predictor)
    resumable = {key: value for key, value in request.items() if key != "steps"}
    anew = options.overwrite and options.run is None
    begin_run(folder, resumable, anew=anew, reporter=reporter)
    for digest, track in target.tracks.items():
        save_track(folder, digest, track)
    with stopping as stopped:
        tuned = tune(
            target.style,
            target.aligned,
            target.replay,
            learning,
            config,
            request=resumable,
            own_voice=own_voice,
            run=folder,
            stopped=stopped,
            reporter=reporter,
        )
        interrupted = stopped()

    tuned = as_saved(tuned)
    result = test.compare(tuned)
    reasons = rejection_reasons(result)
    write_report(
        report,
        result,
        notes=target.notes,
        reasons=reasons,
        lip_crossings=lip_crossing_rates(tuned, test.networks, test.speech.features),
        learned=target.style,
        config=config,
    )
    draw_result(plot, result, test.held_out[0])
    provenance = {
        **target.style.provenance,
        "stylehead_version": __version__,
        "held_out_style_distance": f"{result.distance_ratio:.3f}",
    }
    tuned = replace(tuned, provenance=provenance)
    if reasons and not options.force:
        keep_refused(tuned, output, request)
        raise StyleError(
            f"{output.name} is not written: {' and '.join(reasons)}.",
            remedy=f"{report.name} has the numbers. What was learned is kept: use {refused.name} "
            "as it is with --style, or give the same command with --force and it becomes "
            f"{output.name} at once. With --overwrite, more --steps go on from there. A longer or "
            "clearer clip helps most.",
        )
    save_style(tuned, output)
    refused.unlink(missing_ok=True)
    if not interrupted:
        _clear(folder, options)
    return FinetunedStyle(path=output, result=result, notes=target.notes, seconds=_since(began))


def _clear(folder: Path, options: TuningOptions) -> None:
    """Remove the folder of a run that is done, but not one that the user has chosen."""
    if options.run is None:
        shutil.rmtree(folder, ignore_errors=True)


def _since(began: float) -> float:
    return time.monotonic() - began


# ---- tuning ---------------------------------------------------------------------------------


def tune(
    style: Style,
    aligned: list[AlignedFeatures],
    replay: list[Tensor],
    test: HoldoutTest,
    config: TransferConfig,
    *,
    own_voice: Manifold | None = None,
    request: dict[str, str] | None = None,
    run: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
    reporter: Reporter = SILENT,
) -> Style:
    """Return the style with the best change of the generator.

    The best is the one nearest to the learned part of the clip among those whose lips still
    follow, on the speech of `test`; what is held out has no say. `replay` are features (T, F) of
    speech without a face. All features are brought to `own_voice` first. `request` is what else
    has to be the same for a run to be resumed.
    """
    if own_voice:
        aligned = [
            replace(pair, features=own_voice.project(pair.features.float()).half())
            for pair in aligned
        ]
        replay = [own_voice.project(features) for features in replay]
    networks = test.networks
    digest = generator_digest(networks.encoder)
    validation_test = replace(test, held_out=[style.motion])
    untuned = validation_test.predict(None, test.speech)
    before = validation_test.score(untuned, untuned, None)

    def with_tuning(adapter: Adapter) -> Style:
        tuning = tuning_of(adapter, networks.encoder, digest, own_voice)
        return replace(style, tuning=tuning)

    def validate(adapter: Adapter) -> Validation:
        motion = validation_test.predict(with_tuning(adapter), test.speech)
        scores = validation_test.score(motion, untuned, None)
        ratio = distance_ratio(before, scores)
        sync_lost = max(0.0, SYNC_TO_SPARE - scores.lip_sync_margin(before))
        own = scores.lmd / before.lmd if test.own_speech else 1.0
        return Validation(
            (ratio + own) / 2 + 10 * sync_lost,
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
        }
        | (request or {}),
        stopped=stopped,
        run=run,
        reporter=reporter,
    )
    return with_tuning(adapter)
