"""Draw `docs/pictures/listen.svg`: the screen of `emovox listen` during the demo recording.

Run: python examples/listen_picture.py docs/pictures/listen.svg
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from emovox.audio.decode import open_decoder
from emovox.audio.live import Playback
from emovox.audio.reader import open_live
from emovox.cli.live.picture import Painter
from emovox.cli.live.view import View
from emovox.runtime.listener import Listener
from emovox.runtime.pipeline import Pipeline
from emovox.runtime.predictor import load

DEMO = Path(__file__).parent / "demo.flac"
WIDTH, HEIGHT = 80, 23
AT_SECOND = 12.6
FRAME_SECONDS = 0.2

COLOURS = [(30, 30, 34), (205, 75, 75), (90, 180, 90), (210, 175, 70), (90, 140, 220), (185, 110, 200), (75, 180, 190)]
BRIGHT = [
    (120, 120, 120),
    (240, 110, 110),
    (130, 220, 130),
    (245, 215, 110),
    (130, 175, 250),
    (220, 150, 235),
    (120, 220, 230),
]
THEME = TerminalTheme(COLOURS[0], (220, 220, 220), [*COLOURS, (220, 220, 220)], [*BRIGHT, (255, 255, 255)])


def played() -> View:
    """Play the demo in real time up to the moment of the picture, and return the state of the screen."""
    predictor = load()
    card = predictor.card
    source = Playback(open_decoder(str(DEMO), name=DEMO.name), realtime=True, seconds=AT_SECOND)
    title = f"{card.name} {card.version}"
    view = View(card.labels, hop=card.hop, channels=[0], title=title, source=DEMO.name, keeping="nothing is kept")
    with open_live(source, name=DEMO.name) as reader, Pipeline(predictor) as pipeline:
        listener = Listener(source, reader, pipeline.open())
        listener.start()
        while listener.seconds < AT_SECOND - FRAME_SECONDS:
            for one in listener.take(FRAME_SECONDS):
                view.feed(one)
            view.listen(listener.meter.read(), listener.seconds)
        listener.close()
    return view


def main(path: str) -> None:
    """Write the picture to `path`."""
    console = Console(width=WIDTH, height=HEIGHT, record=True, file=io.StringIO(), force_terminal=True)
    view = played()
    for line in Painter(view.labels).paint(view, width=WIDTH, height=HEIGHT):
        console.print(line, soft_wrap=True)
    local = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)  # it loads fonts from the web
    Path(path).write_text(console.export_svg(title="emovox listen", theme=THEME, code_format=local), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
