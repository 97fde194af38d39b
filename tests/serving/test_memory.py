"""What a stream held is free as soon as it is over: Python's search for cycles comes some hundred streams later."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest
from websockets.sync.client import ClientConnection

from emovox.runtime.live_stream import LiveStream
from emovox.runtime.model import Model
from emovox.serving.session import Session
from emovox.serving.websocket_protocol import WebSocketProtocol
from tests.serving.running import END, Running, begin, pcm, rest, running, soon, word

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
    """Leave cycles where they are."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.fixture(scope="module")
def impatient(toy: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(toy, tmp_path_factory.mktemp("jobs"), idle_seconds=0.5, max_speed=1e6) as found:
        yield found


@pytest.mark.usefixtures("no_search")
@pytest.mark.parametrize("ending", [regular, wrong, idle, vanishing])
def test_nothing_of_a_stream_is_left(impatient: Running, monkeypatch: pytest.MonkeyPatch, ending: Ending) -> None:
    kept: list[weakref.ref[object]] = []
    for kind in (LiveStream, Session, WebSocketProtocol):
        note(kind, kept, monkeypatch)
    with impatient.connect() as socket:
        begin(socket)
        socket.send(pcm(word()))
        assert {type(one()) for one in kept} == {LiveStream, Session, WebSocketProtocol}
        ending(socket)
    assert impatient.settled()
    assert soon(lambda: all(one() is None for one in kept)), [one() for one in kept]


def note(kind: type[object], kept: list[weakref.ref[object]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch what is made of a kind from now on."""
    before = kind.__init__

    def make(self: object, *given: object, **named: object) -> None:
        before(self, *given, **named)
        kept.append(weakref.ref(self))

    monkeypatch.setattr(kind, "__init__", make)
