"""The page itself: what is on it, and what its buttons do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Any

import gradio as gr

from stylehead.cli.page import show
from stylehead.cli.page.desk import Job, State
from stylehead.cli.page.faces import boxed
from stylehead.cli.page.form import Entry, entries
from stylehead.cli.page.previews import address, known_styles, preview
from stylehead.cli.page.request import ENDINGS, Front
from stylehead.errors import StyleheadError
from stylehead.options import DEFAULT_STYLE

FROM_CLIP = "from a clip"
MOST_VOICES = 6  # faces that can be given a voice each
SLIDES = 4000  # largest bound of a number that is a slider
SAME_WORDS, STYLE_CLIP = "a real video of the same words", "the clip of its style"
PICTURES = ["image", ".heic", ".heif", ".avif"]
SOUNDS = ["audio", "video"]
HEAD = """<header><h1>stylehead</h1>
<p>A portrait speaks or sings your recording, in a style you choose.</p></header>"""
CALLS = "<p>Programs ask here for videos; see “Use via API” below.</p>"
KEPT = (600, 86_400)
"""Seconds between two looks for old uploads, and after which they go."""
STYLES = "styles"
"""The style picker's name in the page; its style sheet has it, too."""
Updates = dict[Any, Any]


def lay_out(front: Front, offer: Callable[[Front], None]) -> gr.Blocks:
    """Return the page of a front, with the calls that are on offer."""
    with gr.Blocks(title="stylehead", analytics_enabled=False, delete_cache=KEPT) as page:
        _Page(front)
        offer(front)
    return page


def alone(front: Front, offer: Callable[[Front], None]) -> gr.Blocks:
    """Return the calls alone."""
    with gr.Blocks(title="stylehead", analytics_enabled=False, delete_cache=KEPT) as calls:
        gr.HTML(HEAD + CALLS)
        offer(front)
    return calls


def sheet() -> str:
    """Return the style sheet: a preview of each style is the picture of its choice."""
    rules = [Path(__file__).with_suffix(".css").read_text(encoding="utf-8")]
    for name, style in known_styles().items():
        tile = f'#{STYLES} label:has(input[value="{_quoted(name)}"])::before'
        still, moving = (address(preview(style, moves=moves)) for moves in (False, True))
        rules.append(f'{tile} {{ background-image: url("{moving}"); }}')
        rules.append(
            f'@media (prefers-reduced-motion) {{ {tile} {{ background-image: url("{still}"); }} }}'
        )
    return "\n".join(rules)


def _quoted(name: str) -> str:
    """Return a name as it stands between quotes in a style sheet, whatever is in it."""
    return "".join(one if one.isalnum() else f"\\{ord(one):x} " for one in name)


class _Page:
    """All that is on the page; made inside a Blocks."""

    def __init__(self, front: Front) -> None:
        self._front = front
        gr.HTML(HEAD)
        with gr.Row(elem_id="sides"):
            with gr.Column(elem_id="given"):
                self._lay_out_inputs()
            with gr.Column(elem_id="made"):
                self._lay_out_result()
        self._connect()

    # ---- what is on it ------------------------------------------------------------------

    def _lay_out_inputs(self) -> None:
        self.image = gr.File(label="Portrait", file_types=PICTURES, height=130, elem_id="portrait")
        self.faces = gr.HTML(visible=False)
        self.audio = gr.Audio(
            label="Recording",
            sources=["upload", "microphone"],
            type="filepath",
            editable=False,
            buttons=[],
            elem_id="recording",
        )
        self.filmed = _small_file("Or a video, for its sound", ["video"], "filmed")
        names = list(known_styles())
        self.style = gr.Radio(
            [*names, FROM_CLIP], value=DEFAULT_STYLE, label="Style", elem_id=STYLES
        )
        self.clip = gr.File(
            label="Clip of one person who speaks or sings",
            file_types=["video"],
            height=80,
            visible=False,
            elem_classes="small",
            elem_id="clip",
        )
        self.voices: list[tuple[gr.File, gr.Dropdown]] = []
        with gr.Accordion("A voice for each face", visible=False, open=True) as self.singing:
            gr.HTML(
                '<p class="hint">Faces without a voice look on. Without any, the largest face '
                "follows the recording, which is what the video plays.</p>"
            )
            self.rows: list[gr.Row] = []
            for number in range(1, MOST_VOICES + 1):
                with gr.Row(visible=False) as row:
                    stem = _small_file(f"Voice of face {number}", SOUNDS, "voice")
                    own = gr.Dropdown(
                        [("as above", ""), *((name, name) for name in names)],
                        value="",
                        label=f"Style of face {number}",
                    )
                self.rows.append(row)
                self.voices.append((stem, own))
        with gr.Accordion("More", open=False, elem_id="more"):
            self.ending = gr.Dropdown(list(ENDINGS), value=ENDINGS[0], label="Format")
            self.options: dict[str, list[Any]] = {}
            listed = sorted(entries(), key=lambda one: PANELS.index(one.panel))
            for panel, members in groupby(listed, key=lambda one: one.panel):
                with gr.Accordion(panel, open=False):
                    for one in members:
                        self.options[one.name] = _components(one)

    def _lay_out_result(self) -> None:
        with gr.Row():
            self.make = gr.Button("Make the video", variant="primary", elem_id="make", scale=3)
            self.preview = gr.Button("Preview", elem_id="preview")
            self.cancel = gr.Button("Cancel", variant="stop", elem_id="cancel", interactive=False)
        self.status = gr.HTML(elem_id="status")
        self.player = gr.HTML(show.IDLE, elem_id="player")
        with gr.Row():
            self.download = gr.DownloadButton("Download", interactive=False, elem_id="download")
            self.again = gr.Button("Again with another seed", interactive=False, elem_id="again")
        with gr.Accordion("Evaluation", open=False, elem_id="evaluation"):
            self.kind = gr.Radio(
                [SAME_WORDS, STYLE_CLIP], value=SAME_WORDS, label="Compare the video with"
            )
            self.other = _small_file("Video to compare with", ["video"])
            self.measure = gr.Button("Measure", interactive=False, elem_id="measure")
            self.measured = gr.HTML(elem_id="measured")
            self.report = gr.HTML()
            self.report_file = gr.DownloadButton("Download the report", visible=False)
        self.result = gr.State(None)

    # ---- what its buttons do ------------------------------------------------------------

    def _connect(self) -> None:
        fast: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        slow: dict[str, Any] = {**fast, "concurrency_limit": None}
        self.image.change(
            self._find_faces,
            self.image,
            [self.faces, self.singing, *self.rows, *(stem for stem, _ in self.voices)],
            **slow,
        )
        self.style.change(
            lambda style: gr.update(visible=style == FROM_CLIP), self.style, self.clip, **fast
        )
        given = self._given()
        outputs = [self.status, self.player, self.download, self.again, self.cancel]
        outputs += [self.measure, self.result]
        self.make.click(self._make, given, outputs, **slow)
        self.preview.click(self._try_out, given, outputs, **slow)
        for one in (self.image, self.audio, self.filmed, self.clip):
            one.change(show.without_failure, self.status, self.status, **fast)
        seed = self.options["seed"][0]
        again = self.again.click(lambda number: (number or 0) + 1, seed, seed, **fast)
        again.then(self._make, given, outputs, **slow)
        self.measure.click(
            self._measure,
            {self.result, self.kind, self.other, self.clip},
            [self.measured, self.report, self.report_file, self.cancel],
            **slow,
        )
        self.cancel.click(self._stop, None, None, **slow)

    def _given(self) -> set[Any]:
        options = [one for held in self.options.values() for one in held]
        voices = [one for voice in self.voices for one in voice]
        files = (self.image, self.audio, self.filmed, self.clip)
        return {*files, self.style, self.ending, *options, *voices}

    def _find_faces(self, image: str | None) -> list[Any]:
        """Show the portrait with its faces, and a place for a voice for each of several."""
        drawn, count = "", 0
        if image:
            try:
                drawn, count = boxed(self._front.uploaded(image, "The portrait"))
            except StyleheadError as failure:
                drawn = show.failure(failure)
        several = count > 1
        rows = [gr.update(visible=several and place < count) for place in range(MOST_VOICES)]
        emptied = [gr.update(value=None)] * MOST_VOICES
        shown = gr.update(value=drawn, visible=bool(drawn))
        return [shown, gr.update(visible=several), *rows, *emptied]

    def _make(self, given: Updates, request: gr.Request) -> Generator[Updates]:
        yield from self._asked(given, str(request.session_hash))

    def _try_out(self, given: Updates, request: gr.Request) -> Generator[Updates]:
        yield from self._asked(given, str(request.session_hash), preview=True)

    def _asked(self, given: Updates, owner: str, *, preview: bool = False) -> Generator[Updates]:
        options = {
            name: next((given[one] for one in reversed(held) if given[one] not in (None, "")), None)
            for name, held in self.options.items()
        }
        clip = given[self.clip] if given[self.style] == FROM_CLIP else None
        if not clip:  # then it changes nothing
            options.pop("style_effort")
        voices = [
            (number, given[stem], given[own] or None)
            for number, (stem, own) in enumerate(self.voices, 1)
            if given[stem]
        ]
        style = DEFAULT_STYLE if given[self.style] == FROM_CLIP else given[self.style]
        try:
            if given[self.style] == FROM_CLIP and not clip:
                raise StyleheadError("There is no clip yet.", remedy="Give one, or choose a style.")
            if given[self.audio] and given[self.filmed]:
                raise StyleheadError("There are two recordings.", remedy="Take one of them away.")
            job = self._front.animate(
                given[self.image],
                given[self.audio] or given[self.filmed],
                style=style,
                clip=clip,
                ending=given[self.ending],
                voices=voices,
                options=options,
                preview=preview,
                owner=owner,
            )
        except StyleheadError as failure:
            yield {self.status: show.failure(failure)}
            return
        yield {
            self.player: "",
            self.download: gr.update(interactive=False, value=None),
            self.again: gr.update(interactive=False),
            self.measure: gr.update(interactive=False),
            self.cancel: gr.update(interactive=True),
            self.result: None,
        }
        yield from self._watched(job, self.status)
        output = Path(job.facts["output"]) if job.state is State.DONE else None
        made = output is not None
        yield {
            self.status: show.status(job),
            self.player: show.player(output),
            self.download: gr.update(interactive=made, value=output),
            self.again: gr.update(interactive=made),
            self.measure: gr.update(interactive=made),
            self.cancel: gr.update(interactive=False),
            self.result: str(output) if output else None,
        }

    def _watched(self, job: Job, place: gr.HTML) -> Generator[Updates]:
        said = ""
        for one in job.watch():
            text = show.status(one, self._front.desk.before(one))
            if text != said:
                said = text
                yield {place: text}

    def _measure(self, given: Updates, request: gr.Request) -> Generator[Updates]:
        try:
            job = self._front.evaluate(
                given[self.result],
                given[self.other] or given[self.clip],
                same_words=given[self.kind] == SAME_WORDS,
                owner=str(request.session_hash),
            )
        except StyleheadError as failure:
            yield {self.measured: show.failure(failure)}
            return
        yield {self.cancel: gr.update(interactive=True), self.report: ""}
        yield from self._watched(job, self.measured)
        page = Path(job.facts["page"]) if job.state is State.DONE else None
        yield {
            self.measured: "" if page else show.status(job),
            self.report: show.report(page),
            self.report_file: gr.update(visible=page is not None, value=page),
            self.cancel: gr.update(interactive=False),
        }

    def _stop(self, request: gr.Request) -> None:
        self._front.desk.stop(str(request.session_hash))


PANELS: Sequence[str] = list(dict.fromkeys(one.panel for one in entries()))


def _components(one: Entry) -> list[Any]:
    """Return the components of an option; of several, the last that is filled counts."""
    about: dict[str, Any] = {"label": one.label, "info": one.help}
    if one.kind is bool:
        return [gr.Checkbox(one.default, **about)]
    if issubclass(one.kind, Enum):
        choices = [each.value for each in one.kind]
        return [gr.Dropdown(choices, value=one.default.value, **about)]
    if one.kind is Path:
        gr.HTML(f'<p class="hint">{one.help}</p>')
        return [_small_file(one.label)]
    if one.kind is str and one.file:
        return [gr.Textbox(one.default, **about), _small_file(f"{one.label}, as a file")]
    whole = one.kind is int
    if one.kind is str or one.optional:  # an empty field for numbers, too, which would show 0
        return [gr.Textbox(None if one.default is None else str(one.default), **about)]
    bounds: dict[str, Any] = {"minimum": one.low, "maximum": one.high}
    if one.low is not None and one.high is not None and one.high <= SLIDES:
        return [gr.Slider(value=one.default, step=1 if whole else 0.05, **bounds, **about)]
    return [gr.Number(one.default, precision=0 if whole else None, **bounds, **about)]


def _small_file(label: str, kinds: list[str] | None = None, *classes: str) -> gr.File:
    return gr.File(label=label, file_types=kinds, height=80, elem_classes=["small", *classes])
