from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from emovox.evaluation.report.call.content import call_lines
from emovox.evaluation.report.call.page import MOST_ROWS, ROW_SECONDS, CallReport, call_page
from emovox.evaluation.report.call.texts import LANGUAGES, call_texts
from emovox.fusion.transcript import Line
from emovox.runtime.registry import read_card, shipped
from emovox.schema.card import ModelCard
from emovox.schema.result import Notice, Result, Segment
from emovox.testing import write_toy

EVIL = "</title><script>alert(1)</script><img src=x>\u202e.wav"
ADDRESS = re.compile(r"https?://|src=|href=|url\(|@import", re.IGNORECASE)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return read_card(write_toy(tmp_path_factory.mktemp("card")))


def part(card: ModelCard, start: float, end: float, best: str | None, channel: int = 1) -> Segment:
    sure = 0.8 if best else 0.3
    scores = {label: sure if label == (best or "happy") else 0.02 for label in card.labels}
    return Segment(start, end, channel, best, sure, scores)


def report(card: ModelCard, **given: object) -> CallReport:
    segments = (part(card, 1, 4, "angry"), part(card, 14, 17, None), part(card, 20, 23, "neutral"))
    fields: dict[str, object] = {"file": "call.wav", "duration": 30.0, "segments": segments, "warnings": ()}
    fields |= {key: value for key, value in given.items() if key in fields}
    rest = {key: value for key, value in given.items() if key not in fields}
    result = Result(label=None, confidence=None, scores=None, shares={}, **fields)  # type: ignore[arg-type]
    return CallReport(result, card, 0.4, **({"channels": 2, "customer": 1} | rest))  # type: ignore[arg-type]


class Checker(HTMLParser):
    """Checks that tags are closed in order, and collects their names and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_has_all_parts_and_loads_nothing(card: ModelCard, language: str) -> None:
    made = report(card)
    lines = call_lines(made.result, [Line(1, 4, "give me my money"), Line(6, 8, "of course")], threshold=0.4)
    page = call_page(report(card, lines=lines), language=language)
    texts = call_texts(language)
    seen = Checker(page)
    words = texts.words
    for part_of in ("summary", "shares", "timeline", "moments", "sure", "transcript", "card", "about"):
        assert words[part_of] in seen.text
    assert f'lang="{texts.lang}"' in page
    assert ADDRESS.search(page) is None
    assert "script" not in seen.tags
    assert "default-src 'none'" in page
    assert "@media print" in page
    assert "prefers-color-scheme: dark" in page
    assert texts.customer.format(channel=1) in seen.text
    assert seen.text.count("give me my money") == 2  # in the transcript and beside its moment
    assert seen.text.count("of course") == 1
    assert texts.labels.get("angry", "angry") in seen.text
    assert page.count("<rect") == 4  # one of the three crosses a row of 15 s
    assert call_page(report(card, lines=lines), language=language) == page


def test_both_languages_have_the_same_words_with_the_same_gaps() -> None:
    english, chinese = (call_texts(language) for language in LANGUAGES)
    assert english.words.keys() == chinese.words.keys()
    for key, text in english.words.items():
        gaps = sorted(re.findall(r"{\w+}", text))
        assert sorted(re.findall(r"{\w+}", chinese.words[key])) == gaps, key
    assert english.protocols.keys() == chinese.protocols.keys()
    assert len(english.about) == len(chinese.about)


def test_chinese_covers_what_shipped_models_say() -> None:
    texts = call_texts("zh")
    for path in shipped().values():
        card = read_card(path)
        assert card.description.split("; learnt from ")[0] in texts.card
        assert card.licence in texts.card
        assert {figure.protocol for figure in card.figures} <= texts.protocols.keys()
        assert set(card.labels) <= texts.labels.keys()


def test_chinese_has_every_warning_of_a_recording() -> None:
    page = (Path(__file__).parents[4] / "docs" / "predict.md").read_text(encoding="utf-8")
    table = page.partition("| warning | when |")[2].partition("\n\n")[0]
    codes = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) - {"lost", "video"}  # of emovox listen, of faces
    assert codes
    assert codes <= call_texts("zh").warnings.keys()


@pytest.mark.parametrize(("channels", "customer"), [(2, None), (1, None), (1, 0)])
def test_who_must_not_be_analysed_is_said(card: ModelCard, channels: int, customer: int | None) -> None:
    page = call_page(report(card, channels=channels, customer=customer), language="en")
    texts = call_texts("en")
    assert (texts.both if channels == 2 else texts.mono) in Checker(page).text


def test_both_parties_stand_side_by_side(card: ModelCard) -> None:
    segments = (part(card, 1, 4, "sad", 0), part(card, 5, 8, "angry", 1))
    page = call_page(report(card, segments=segments, customer=None), language="en")
    assert page.count('<section class="party') == 2
    assert Checker(page).text.count("Channel 0") == 5  # glance, shares, moment, how sure, segments


def test_text_from_strangers_stays_text(card: ModelCard) -> None:
    notices = (Notice("odd", EVIL),)
    made = report(card, file=EVIL, warnings=notices)
    lines = call_lines(made.result, [Line(1, 4, EVIL, EVIL)], threshold=0.4)
    page = call_page(report(card, file=EVIL, warnings=notices, lines=lines), language="zh")
    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert Checker(page).text.count("alert(1)") == 6
    page.encode()


def test_without_speech_the_page_says_so(card: ModelCard) -> None:
    page = call_page(report(card, segments=()), language="en")
    seen = Checker(page)
    assert "No speech was found" in seen.text
    assert "svg" not in seen.tags


def test_a_call_without_moments_says_so(card: ModelCard) -> None:
    page = call_page(report(card, segments=(part(card, 0, 3, "neutral"),)), language="en")
    assert call_texts("en").words["no_moments"] in Checker(page).text
    none = call_page(report(card, segments=(part(card, 0, 3, None),)), language="en")
    assert call_texts("en").words["sure_none"] in Checker(none).text


@pytest.mark.parametrize("duration", [0.5, 30.0, 600.0, 1200.5, 5 * 3600.0])
def test_the_timeline_fits_a_page(card: ModelCard, duration: float) -> None:
    segment = part(card, 0.75 * duration, duration, "sad")
    page = call_page(report(card, duration=duration, segments=(segment,)), language="en")
    rows = page.count('<div class="row">')
    assert 1 <= rows <= MOST_ROWS
    widths = [float(width) for width in re.findall(r'<rect [^>]* width="([\d.]+)"', page)]
    assert sum(widths) == pytest.approx(0.25 * duration, abs=0.02 * rows)
    assert max(widths) <= ROW_SECONDS[-1]


def test_a_call_of_ten_minutes_is_one_small_file(card: ModelCard) -> None:
    segments = tuple(part(card, 3.0 * i, 3.0 * i + 2.9, ("angry", None, "neutral")[i % 3]) for i in range(200))
    made = report(card, duration=600.0, segments=segments)
    lines = call_lines(
        made.result, [Line(3.0 * i, 3.0 * i + 2.9, "some words " * 10) for i in range(200)], threshold=0.4
    )
    page = call_page(report(card, duration=600.0, segments=segments, lines=lines), language="en")
    assert len(page.encode()) < 200_000  # a tenth of what a mail takes
