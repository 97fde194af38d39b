"""The memory of a stream or an upload is free at its end, without Python's search for cycles (hundreds later)."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from websockets.sync.client import ClientConnection

from emovox.audio.reader import AudioReader
from emovox.runtime.live_stream import LiveStream
from emovox.runtime.model import Model
from emovox.serving.http.analysis import Analysis
from emovox.serving.http.uploads import Upload
from emovox.serving.live.session import StreamSession
from tests.serving.running import BOUNDARY, END, PATIENCE, Running, begin, form, pcm, rest, running, soon, wav, word

Ending = Callable[[ClientConnection], None]


def regular(socket: ClientConnection) -> None:
    socket.send(END)
    rest(socket)


def wrong(socket: ClientConnection) -> None:
    socket.send("[]")
    assert rest(socket)[-1]["type"] == "error"


def idle(socket: ClientConnection) -> None:
    assert rest(socket)[-1]["type"] == "error"


def vanishing(socket: ClientConnection) -> None:
    socket.socket.close()


@pytest.fixture
def no_search() -> Iterator[None]:
    """Switch off the search for cycles."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.fixture(scope="module")
def impatient(toy: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(toy, tmp_path_factory.mktemp("jobs"), idle_seconds=0.5, max_speed=1e6) as server:
        yield server


@pytest.mark.usefixtures("no_search")
@pytest.mark.parametrize("ending", [regular, wrong, idle, vanishing])
def test_nothing_of_a_stream_is_left(impatient: Running, monkeypatch: pytest.MonkeyPatch, ending: Ending) -> None:
    kept: list[weakref.ref[object]] = []
    for kind in (LiveStream, StreamSession):
        note(kind, kept, monkeypatch)
    with impatient.connect() as socket:
        begin(socket)
        socket.send(pcm(word()))
        assert {type(one()) for one in kept} == {LiveStream, StreamSession}
        ending(socket)
    assert impatient.settled()
    assert soon(lambda: all(one() is None for one in kept)), [one() for one in kept]


LONG = np.concatenate([word()] * 10)


@pytest.mark.usefixtures("no_search")
@pytest.mark.parametrize(
    ("data", "path", "status"),
    [
        (wav(word()), "/v1/emotions", 200),
        (wav(LONG), "/v1/emotions", 202),
        (wav(np.stack([LONG, LONG], axis=1)), "/v1/emotions?channels=split", 202),
        (wav(np.concatenate([LONG] * 10)), "/v1/emotions", 413),
        (wav(word()), "/v1/emotions?channels=3", 422),
        (b"not audio at all" * 100, "/v1/emotions", 415),
    ],
)
def test_nothing_of_an_upload_is_left(
    toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, path: str, status: int
) -> None:
    kept: list[weakref.ref[object]] = []
    for kind in (Upload, Analysis, AudioReader):
        note(kind, kept, monkeypatch)
    with running(toy, tmp_path, answer_seconds=5.0, max_seconds=100.0) as impatient:
        assert impatient.post(data, path).status == status
        assert len(kept) >= 2
        assert soon(lambda: all(one() is None for one in kept)), [one() for one in kept]


@pytest.mark.usefixtures("no_search")
@pytest.mark.parametrize("body", [form(b"x")[:-9], b"nonsense", form(bytes(200_000), part="audio"), form(b"x") * 2])
def test_nothing_of_a_wrong_form_is_left(impatient: Running, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    kept: list[weakref.ref[object]] = []
    note(Upload, kept, monkeypatch)
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    assert impatient.ask("POST", "/v1/emotions", body=body, headers=kind).status in (400, 415)
    assert soon(lambda: len(kept) == 1 and kept[0]() is None)


@pytest.mark.usefixtures("no_search")
def test_nothing_is_left_of_an_upload_whose_client_leaves(impatient: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[weakref.ref[object]] = []
    for kind in (Upload, Analysis, AudioReader):
        note(kind, kept, monkeypatch)
    body = form(wav(np.concatenate([LONG] * 10)))
    head = f"POST /v1/emotions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=PATIENCE) as raw:
        raw.sendall(f"{head}Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n".encode() + body)
        assert soon(lambda: len(kept) == 3)
    assert soon(lambda: all(one() is None for one in kept)), [one() for one in kept]


def note(kind: type[object], kept: list[weakref.ref[object]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a weak reference to every new object of a class to `kept`."""
    before = kind.__init__

    def make(self: object, *given: object, **named: object) -> None:
        before(self, *given, **named)
        kept.append(weakref.ref(self))

    monkeypatch.setattr(kind, "__init__", make)
