"""The page's HTTP interface, asked in this process for anything."""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz import seeds
from tests.fuzz.commands import FindingError
from tests.fuzz.mutations import mutated
from tests.stand_ins import media

API = "/gradio_api"
CALL, UPLOAD, JOIN, TOLD = (
    f"{API}/{one}" for one in ("call/animate", "upload", "queue/join", "queue/data")
)
ENDINGS = {"portrait": "png", "recording": "wav", "clip": "mp4", "lyrics": "lrc"}
MOST = 1  # megabytes of an upload
REAL = 20  # jobs of which one is done


@cache
def _client() -> Any:
    """Return the page, with a client; both live as long as the process does."""
    from starlette.testclient import TestClient

    from stylehead.cli.page import desk
    from stylehead.cli.page.app import built
    from stylehead.cli.ui import work

    desk.run_jobs = _some_done(desk.run_jobs)
    stack = contextlib.ExitStack()
    app = stack.enter_context(built(work, most=MOST))
    address = "http://127.0.0.1"
    return stack.enter_context(TestClient(app, base_url=address)), stack


def _some_done(run_jobs: Callable[..., Any]) -> Callable[..., Any]:
    """Return what does one job in REAL; the others are said to be done: they cost seconds each.

    What damaged files do to a job is seen by the commands' cases.
    """
    from stylehead.batch.events import Finished

    asked = 0

    def run(tasks: list[Any], *given: Any, **options: Any) -> Iterator[Any]:
        nonlocal asked
        asked += 1
        if asked % REAL == 0:
            yield from run_jobs(tasks, *given, **options)
            return
        (task,) = tasks
        task.output.write_bytes(b"a video")
        yield Finished(0, {"output": str(task.output), "summary": ""})

    return run


@cache
def _files(folder: Path) -> dict[str, bytes]:
    place = folder / "uploaded"
    made = seeds.seeds(place, ("mp4", "lrc"))
    face = seeds.with_face(place, "png")
    voice = media.save_sound(place / "voice.wav", media.voice(0.4))
    paths = {"portrait": face, "recording": voice, "clip": made["mp4"][0], "lyrics": made["lrc"][0]}
    return {name: path.read_bytes() for name, path in paths.items()}


def ask(path: Path) -> None:
    """Upload files and call `animate`, as a program would; then show a picture to the page itself.

    Whatever is asked, the answer is one in words, and the page goes on.
    """
    asked = json.loads(path.read_text())
    client, _ = _client()
    chance = random.Random(asked["seed"])
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        placed: dict[str, str] = {}
        for number, (name, content) in enumerate(_files(path.parent).items()):
            if name == asked["damaged"]:
                content = mutated(content, ENDINGS[name], chance)
            called = asked["names"][number % len(asked["names"])]
            kind = {"content-type": "multipart/form-data; boundary=b"}
            answer = client.post(UPLOAD, content=_form(called, content), headers=kind)
            _check(answer, said)
            if answer.status_code == 200:
                placed[name] = answer.json()[0]
        if asked["raw"] is not None:
            body = asked["raw"].encode("utf-8", "surrogatepass")
            for place in (CALL, JOIN):
                kind = {"content-type": "application/json"}
                _check(client.post(place, content=body, headers=kind), said)
        else:
            _called(client, _placed(asked["data"], placed), said)
        _shown(client, placed.get("portrait"), said)
        _check(client.get("/config"), said)
    if "Traceback" in said.getvalue():
        raise FindingError(said.getvalue()[-3000:])


def _form(name: str, content: bytes) -> bytes:
    """Return an upload whose file may be called anything."""
    head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode("utf-8", "surrogatepass") + content + b"\r\n--b--\r\n"


def _placed(value: Any, placed: dict[str, str]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"upload"}:
            where = placed.get(str(value["upload"]), "")
            return {"path": where, "meta": {"_type": "gradio.FileData"}}
        return {name: _placed(one, placed) for name, one in value.items()}
    return [_placed(one, placed) for one in value] if isinstance(value, list) else value


def _called(client: Any, data: list[Any], said: io.StringIO) -> None:
    answer = client.post(CALL, content=json.dumps({"data": data}))
    _check(answer, said)
    if answer.status_code == 200:
        told = client.get(f"{CALL}/{answer.json()['event_id']}")
        _check(told, said)
        if "event: complete" not in told.text and "event: error\ndata: null" in told.text:
            raise FindingError(f"no word of why: {told.text[-500:]}")


def _shown(client: Any, portrait: str | None, said: io.StringIO) -> None:
    """Have the page find the faces of an upload."""
    config = client.get("/config").json()
    held = next(
        one["id"] for one in config["components"] if one["props"].get("elem_id") == "portrait"
    )
    find = next(one["id"] for one in config["dependencies"] if [held, "change"] in one["targets"])
    file = {"path": portrait or "", "meta": {"_type": "gradio.FileData"}}
    asked = {"data": [file], "fn_index": find, "session_hash": f"s{random.random()}"}
    answer = client.post(JOIN, content=json.dumps(asked))
    _check(answer, said)
    if answer.status_code == 200:
        told = client.get(TOLD, params={"session_hash": asked["session_hash"]})
        _check(told, said)


def _check(answer: Any, said: io.StringIO) -> None:
    if answer.status_code >= 500:
        print(said.getvalue()[-2000:], file=sys.__stderr__)
        raise FindingError(
            f"status {answer.status_code}: {answer.text[:500]} {said.getvalue()[-1500:]}"
        )
