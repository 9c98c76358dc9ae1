"""The page, in a browser and through its HTTP interface."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Command, command, environment
from tests.stand_ins import media

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of Gradio and what it is made from
    pytest.mark.skipif(  # it is not imported for that: tests that are left out take no time
        find_spec("gradio") is None,
        reason="the page needs the extra: pip install 'stylehead[ui]'",
    ),
]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
TINY = {"crop": True, "size": 128, "fps": 10, "duration": 0.3, "separate": "filter"}
MEGABYTES = 3  # of the largest upload


@dataclass(frozen=True)
class Server:
    address: str
    process: subprocess.Popen[str]
    temporary: Path

    @property
    def port(self) -> int:
        return urlsplit(self.address).port or 0

    def ask(
        self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers; a Host of one's own is taken as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def results(self) -> list[Path]:
        """The folders of jobs."""
        return sorted(self.temporary.glob("stylehead-page-*/results/*"))

    def uploads(self) -> list[Path]:
        found = self.temporary.glob("stylehead-page-*/uploads/**/*")
        return sorted(path for path in found if path.is_file())

    def children(self) -> list[int]:
        """Processes of the server, without multiprocessing's own."""
        text = "".join(
            path.read_text()
            for path in Path(f"/proc/{self.process.pid}/task").glob("*/children")
            if path.exists()
        )
        lines = {int(pid): Path(f"/proc/{pid}/cmdline") for pid in text.split()}
        return [pid for pid, line in lines.items() if "resource_tracker" not in line.read_text()]

    def resident(self) -> float:
        """Megabytes of the server."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def serve(name: str, temporary: Path, *words: object) -> Iterator[Server]:
    process = subprocess.Popen(
        command(name, "--port", 0, *words),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stderr is not None
        first, said = process.stderr.readline(), process.stderr.readline()
        assert "is being set up" in first
        address = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert address, said
        server = Server(address[0], process, temporary)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if server.ask("/")[0] == 200:
                    break
            except OSError:
                time.sleep(0.2)
        yield server
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 130
        assert not list(temporary.glob("stylehead-page-*")), "the page's folder stayed"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary files go with the test: Gradio's client leaves a folder for each it fetches."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture(scope="module")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    del home
    words = ("--no-browser", "--most-upload", MEGABYTES)
    yield from serve("ui", tmp_path_factory.mktemp("page"), *words)


@pytest.fixture(scope="module")
def voice(made: Path) -> Path:
    return media.save_sound(made / "four seconds.wav", media.voice(4))


def wait_for(what: Callable[[], bool], seconds: float, why: str) -> None:
    """Wait until something becomes true."""
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            pytest.fail(why)
        time.sleep(0.02)


# ---- who may ask for what -------------------------------------------------------------------


def test_other_hosts_and_other_pages_are_refused(server: Server) -> None:
    assert server.ask("/")[0] == 200
    assert server.ask("/", Host=f"localhost:{server.port}")[0] == 200
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", ""):
        assert server.ask("/", Host=host)[0] == 403, host
    own = f"127.0.0.1:{server.port}"
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        status, _, headers = server.ask("/config", Host=own, Origin=origin)
        assert status == 403, origin
        assert "access-control-allow-origin" not in headers
    assert server.ask("/config", Host=own, Origin=f"http://{own}")[0] == 200
    policy = server.ask("/")[2]["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_it_listens_on_this_machine_alone(server: Server) -> None:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {
        row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{server.port:04X}")
    }
    assert listening == {f"0100007F:{server.port:04X}"}


def form(size: int) -> tuple[bytes, str]:
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
    return head + b"x" * size + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


def test_uploads_have_a_limit_and_files_come_from_uploads_alone(server: Server) -> None:
    before = server.uploads()
    body, kind = form(1000)
    path = "/gradio_api/upload"
    announced = str((MEGABYTES << 20) + 1)
    assert server.ask(path, method="POST", Content_Type=kind, Content_Length=announced)[0] == 413
    status, answer, _ = server.ask(path, method="POST", body=body, Content_Type=kind)
    assert status == 200
    (stored,) = json.loads(answer)
    assert Path(stored).is_relative_to(server.temporary)
    assert len(server.uploads()) == len(before) + 1

    words = {"method": "POST", "Content_Type": "application/json"}
    long = {**words, "Content_Length": str(2 << 20)}
    assert server.ask("/gradio_api/queue/join", **long)[0] == 413
    fetched = json.dumps({"data": [{"path": "https://evil.example/a.png"}]}).encode()
    assert server.ask("/gradio_api/queue/join", body=fetched, **words)[0] == 403
    for named in ("/etc/passwd", str(server.temporary / "other.txt"), "pyproject.toml", __file__):
        assert server.ask(f"/gradio_api/file={named}")[0] in (403, 404)


# ---- for programs ---------------------------------------------------------------------------


def client_of(server: Server, folder: Path) -> Any:
    from gradio_client import Client

    return Client(server.address, verbose=False, download_files=folder)


def test_a_program_gets_a_video_and_says_what_is_wrong(
    server: Server, portrait: Path, speech: Path, clip: Path, tmp_path: Path
) -> None:
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    client = client_of(server, tmp_path)
    assert "plain" in client.predict(api_name="/styles")
    known = {one["name"]: one for one in client.predict(api_name="/options")}
    assert known["pose"]["high"] == 3
    given = {"image": handle_file(portrait), "audio": handle_file(speech), "style": "lively"}
    told, video = client.predict(**given, options=TINY | {"seed": 4}, api_name="/animate")
    assert told["state"] == "done"
    assert (told["facts"]["frames"], told["facts"]["style"], told["facts"]["seed"]) == (
        3,
        "lively",
        4,
    )
    assert len(media.read_video(Path(video))[0]) == 3
    small = {name: TINY[name] for name in ("fps", "separate")}
    told, _ = client.predict(
        **given | {"audio": handle_file(clip)}, options=small, preview=True, api_name="/animate"
    )
    facts = told["facts"]
    assert (facts["frames"], facts["width"]) == (30, 256), "a preview of a video's sound"
    refused: list[tuple[dict[str, object], str]] = [
        ({"options": {"pose": 7}}, "Pose cannot be 7"),
        ({"options": {"encoder_args": "-c:v x"}}, "no option of the page"),
        ({"options": {"vocals": "/etc/passwd"}}, "no upload"),
        ({"options": {"matte": {"path": "/etc/passwd"}}}, "no upload"),
        ({"options": {"background": "/etc/passwd"}}, "no upload"),
        ({"style": "/etc/passwd"}, "no style"),
        ({"format": ".exe"}, "no format"),
        ({"format": ".gif", "options": {"mark": False}}, "changes nothing in a GIF"),
    ]
    for words, said in refused:
        with pytest.raises(AppError, match=said):
            client.predict(**given | words, api_name="/animate")


def test_twenty_jobs_leak_neither_memory_nor_files(
    server: Server, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    from gradio_client import handle_file

    from stylehead.cli.page.desk import KEPT

    client = client_of(server, tmp_path)
    given = {"image": handle_file(portrait), "audio": handle_file(speech), "options": TINY}
    sizes: list[float] = []
    files: list[int] = []
    for _ in range(20):
        client.predict(**given, api_name="/animate")
        wait_for(lambda: not server.children(), 5, "a job's process stayed")
        sizes.append(server.resident())
        files.append(len(server.uploads()))
    assert len(server.results()) <= KEPT
    left = [[path.name for path in folder.iterdir()] for folder in server.results()]
    assert left == [["stylehead.mp4"]] * len(left)
    assert files[-1] == files[0], "uploads that are the same are kept once"
    assert sizes[-1] - sizes[4] < 15, sizes


def test_serve_is_the_interface_alone(
    home: Path, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    from gradio_client import handle_file

    del home
    temporary = tmp_path / "page"
    temporary.mkdir()
    for server in serve("serve", temporary):
        client = client_of(server, tmp_path / "got")
        given = {"image": handle_file(portrait), "audio": handle_file(speech), "options": TINY}
        told, video = client.predict(**given, api_name="/animate")
        assert told["state"] == "done"
        assert Path(video).suffix == ".mp4"
        shown = json.loads(server.ask("/config")[1])["components"]
        assert not [one for one in shown if one["type"] in ("button", "audio", "file")]


# ---- for people -----------------------------------------------------------------------------


@pytest.fixture
def page(server: Server) -> Iterator[Any]:
    """The page in a browser; it may ask the server alone, and nothing may fail in it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    asked: set[str] = set()
    failures: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 1280, "height": 1000})
        shown.set_default_timeout(60_000)
        shown.on("request", lambda request: asked.add(urlsplit(request.url)[:2]))
        shown.on("pageerror", lambda error: failures.append(str(error)))
        shown.goto(server.address)
        shown.wait_for_selector("#make")
        yield shown
        browser.close()
    assert {host for scheme, host in asked if scheme not in ("data", "blob")} == {
        urlsplit(server.address).netloc
    }
    assert not failures


def fill(page: Any, portrait: Path, voice: Path) -> None:
    """Give a portrait and a recording, and ask for little work."""
    page.locator("#portrait input[type=file]").set_input_files(str(portrait))
    page.wait_for_selector(".faces svg")
    page.locator("#recording input[type=file]").set_input_files(str(voice))
    page.wait_for_selector("#recording audio", state="attached")
    page.get_by_role("radio", name="lively").check(force=True)
    page.locator("#more > button").click()
    page.locator("#more button", has_text="Picture and sound").click()
    page.get_by_label("Separate", exact=False).first.fill("filter")
    page.keyboard.press("Enter")


def test_a_video_is_made_watched_and_sought_and_the_second_cancelled(
    server: Server, page: Any, portrait: Path, voice: Path, tmp_path: Path
) -> None:
    fill(page, portrait, voice)
    before = server.results()
    page.locator("#make").click()
    progress: list[float] = []
    pictures: list[str] = []
    read = """() => [document.querySelector("#status progress")?.value ?? 0,
        document.querySelector("#status .live")?.src ?? "",
        document.querySelector("#status")?.innerText ?? "",
        !!document.querySelector("#player video")]"""
    lefts = 0
    until = time.monotonic() + 120
    made = False
    while not made and time.monotonic() < until:
        value, picture, said, made = page.evaluate(read)
        if "Rendering" in said and value and (not progress or value != progress[-1]):
            progress.append(value)
        if picture and picture not in pictures:
            pictures.append(picture)
        lefts += " left" in said
        time.sleep(0.05)
    assert made, page.locator("#status").inner_text()
    assert len(progress) > 3 and progress == sorted(progress)
    assert len(pictures) >= 3, "the live picture changes"
    assert lefts, "the time left is said"
    assert "style lively" in page.locator("#status").inner_text()

    video = page.locator("#player video")
    page.wait_for_function("document.querySelector('#player video').readyState >= 2")
    assert abs(video.evaluate("v => v.duration") - 4) < 0.1
    video.evaluate("v => { v.muted = true; return v.play(); }")
    page.wait_for_function("document.querySelector('#player video').currentTime > 0.3")
    video.evaluate("v => { v.pause(); v.currentTime = 3; }")
    page.wait_for_function("!document.querySelector('#player video').seeking")
    assert abs(video.evaluate("v => v.currentTime") - 3) < 0.05
    source = urlsplit(video.get_attribute("src")).path
    status, part, headers = server.ask(source, Range="bytes=100-199")
    assert (status, len(part)) == (206, 100)
    assert headers["content-range"].startswith("bytes 100-199/")
    with page.expect_download() as saved:
        page.locator("#download").click()
    copy = tmp_path / "saved.mp4"
    saved.value.save_as(copy)
    assert len(media.read_video(copy)[0]) == 120

    page.locator("#evaluation > button").click()
    page.locator("#evaluation input[type=file]").set_input_files(str(copy))
    page.locator("#evaluation .file-preview").wait_for()
    page.locator("#measure").click()
    page.wait_for_selector("iframe.report")
    assert "against" in page.frame_locator("iframe.report").locator("h1").inner_text()

    kept = server.results()
    assert len(set(kept) - set(before)) == 2, "the video and the report"
    # Longer ones, which are not done before the button is reached.
    page.locator("#more button", has_text="Output").click()
    page.get_by_label("Fps", exact=False).first.fill("60")
    page.keyboard.press("Enter")
    seconds: list[float] = []
    while len(seconds) < 3 and min(seconds, default=9) > 2:  # other tests may take its time
        # Of a video that was not made there is no other take.
        page.locator("#make" if seconds else "#again").click()
        page.wait_for_selector("#status .live")
        assert len(server.results()) == len(kept) + 1
        clicked = time.monotonic()
        page.locator("#cancel").click()
        page.wait_for_selector("#status .stopped")
        seconds.append(time.monotonic() - clicked)
        assert server.results() == kept
        assert not server.children()
    assert min(seconds) <= 2
    page.locator("#more button", has_text="Motion").click()
    seed = page.get_by_label("Seed", exact=False).first.input_value()
    assert seed == "1", "again is with another seed"


def test_a_preview_is_made_of_a_videos_sound_and_complaints_go_when_they_are_mended(
    page: Any, portrait: Path, clip: Path
) -> None:
    page.locator("#preview").click()
    page.get_by_text("There is no portrait yet").wait_for()
    page.locator("#portrait input[type=file]").set_input_files(str(portrait))
    page.wait_for_selector("#status .failed", state="detached")
    page.locator("#preview").click()
    page.get_by_text("There is no recording yet").wait_for()
    page.locator(".filmed input[type=file]").set_input_files(str(clip))
    page.wait_for_selector("#status .failed", state="detached")
    page.locator("#preview").click()
    page.wait_for_selector("#player video")
    page.wait_for_function("document.querySelector('#player video').readyState >= 2")
    video = page.locator("#player video")
    assert video.evaluate("v => [v.videoWidth, v.videoHeight]") == [256, 256]
    assert abs(video.evaluate("v => v.duration") - 3) < 0.1


def test_closing_the_page_ends_its_job(
    server: Server, page: Any, portrait: Path, voice: Path
) -> None:
    fill(page, portrait, voice)
    before = server.results()
    page.locator("#make").click()
    page.wait_for_selector("#status .running")
    wait_for(lambda: bool(server.children()), 10, "no job began")
    page.goto("about:blank")
    wait_for(lambda: not server.children(), 20, "the job goes on")
    assert server.results() == before


def test_several_faces_are_boxed_and_get_voices(page: Any, made: Path, voice: Path) -> None:
    two = media.save_picture(made / "two on a page.png", media.two_faces())
    page.locator("#portrait input[type=file]").set_input_files(str(two))
    page.wait_for_selector(".faces svg")
    assert page.locator(".faces rect").count() == 2
    assert page.locator(".faces text").all_text_contents() == ["1", "2"]
    page.get_by_text("Voice of face 2").first.wait_for()
    assert not page.get_by_text("Voice of face 3").first.is_visible()
    for face in (1, 2):
        place = page.locator(".voice", has_text=f"Voice of face {face}")
        place.locator("input[type=file]").set_input_files(str(voice))
    page.locator(".voice audio, .voice .file-preview").nth(1).wait_for(state="attached")
    page.locator("#recording input[type=file]").set_input_files(str(voice))
    page.wait_for_selector("#recording audio", state="attached")
    page.locator("#make").click()
    page.wait_for_selector("#player video")
    assert "a voice in" in page.locator("#status").inner_text()


def test_what_is_missing_or_wrong_is_said_on_the_page(page: Any, made: Path) -> None:
    page.locator("#make").click()
    page.wait_for_selector("#status .failed")
    assert "Give a portrait." in page.locator("#status").inner_text()
    empty = media.save_picture(made / "no face.png", media.landscape())
    page.locator("#portrait input[type=file]").set_input_files(str(empty))
    page.wait_for_selector("#given .failed")
    assert "shows no face" in page.locator("#given .failed").inner_text()


REACHABLE = """() => [...document.querySelectorAll(
    "button, input, textarea, select, a[href], [tabindex='0'], video[controls]")].filter(
    one => one.checkVisibility({visibilityProperty: true}) && !one.disabled && one.tabIndex >= 0
    && one.type !== "file")"""
NAME = """one => (one.dataset.number ??= String(window.numbered = (window.numbered ?? 0) + 1))"""


def test_all_of_it_works_with_the_keyboard(page: Any) -> None:
    for title in ("More", "Picture and sound", "Motion", "Output", "Delivery", "Evaluation"):
        page.locator("button.label-wrap", has_text=title).first.focus()
        page.keyboard.press("Enter")
    page.wait_for_selector("#measure")
    page.get_by_label("Frame", exact=False).first.wait_for()
    wanted = set(page.evaluate(f"() => ({REACHABLE})().map({NAME})"))
    page.locator("body").evaluate("body => document.activeElement.blur()")
    reached: set[str] = set()
    for _ in range(2 * len(wanted) + 10):
        page.keyboard.press("Tab")
        name = page.evaluate(f"() => document.activeElement && ({NAME})(document.activeElement)")
        reached.add(name)
    missing = page.evaluate(
        f"names => ({REACHABLE})().filter(one => names.includes(({NAME})(one)))"
        ".map(one => one.outerHTML.slice(0, 120))",
        sorted(wanted - reached),
    )
    assert not missing
    page.get_by_role("radio", name="orator").focus()
    page.keyboard.press("Space")
    assert page.locator("#styles input:checked").get_attribute("value") == "orator"
    page.locator("#make").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#status .failed")


def test_tab_leads_to_the_three_things_that_are_needed_is_seen_there_and_enter_starts(
    page: Any, portrait: Path, voice: Path
) -> None:
    within = """() => ["#portrait", "#recording", "#make"].find(
        place => document.activeElement?.closest(place))"""
    places: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        place = page.evaluate(within)
        if place is None or place in places:
            continue
        places.append(place)
        page.wait_for_timeout(400)  # until no colour fades any more
        focused = page.locator(":focus").first
        box = focused.bounding_box()
        around = {
            "x": max(box["x"] - 6, 0),
            "y": max(box["y"] - 6, 0),
            "width": box["width"] + 12,
            "height": box["height"] + 12,
        }
        seen = pixels(page.screenshot(clip=around))
        page.evaluate("() => (window.focused = document.activeElement).blur()")
        page.wait_for_timeout(400)
        assert (np.abs(seen - pixels(page.screenshot(clip=around))) > 40).mean() > 0.001, place
        page.evaluate("() => window.focused.focus()")
        if place == "#make":
            break
    assert places == ["#portrait", "#recording", "#make"]
    fill(page, portrait, voice)
    page.locator("#make").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#status .running")
    page.locator("#cancel").click()
    page.wait_for_selector("#status .stopped")


def pixels(screenshot: bytes) -> Any:
    with Image.open(io.BytesIO(screenshot)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_a_browser_shows_the_page_through_a_transparent_video(
    call: Command, portrait: Path, speech: Path, glance: tuple[object, ...], tmp_path: Path
) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    video = tmp_path / "me.webm"
    words = ("animate", "--image", portrait, "--audio", speech, "--fps", 10, *glance)
    assert call(*words, "--alpha", "-o", video).code == 0
    source = f"data:video/webm;base64,{base64.b64encode(video.read_bytes()).decode()}"
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 512, "height": 512})
        shown.set_content(
            f'<body style="margin: 0; background: rgb(255, 0, 255)"><video muted src="{source}">'
        )
        shown.wait_for_function("document.querySelector('video').readyState >= 2")
        face = (slice(90, 140), slice(205, 240))
        for _ in range(100):  # a frame that is there is not painted at once
            seen = pixels(shown.screenshot())
            if np.ptp(seen[face].reshape(-1, 3), axis=0).any():
                break
            shown.wait_for_timeout(100)
        browser.close()
    behind = seen[8:40, 8:60].reshape(-1, 3)
    assert np.abs(behind - [255, 0, 255]).max() <= 3
    wanted = media.portrait()[face].reshape(-1, 3).mean(0)
    assert np.abs(seen[face].reshape(-1, 3).mean(0) - wanted).max() < 10
