from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from emovox.evaluation.figures import metrics
from emovox.evaluation.figures.calibration import reliability
from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.report import plots
from emovox.evaluation.report.colours import EMOTION_COLOURS, colours_of
from emovox.evaluation.report.style import png_of
from emovox.schema.labels import EMOTIONS
from tests.evaluation.pictures import assert_drawn, has_colour, texts

LABELS = [("yes", "no"), EMOTIONS, ("悲伤", "zażółć gęślą jaźń i coś jeszcze", *(f"label {i}" for i in range(18)))]


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("labels", LABELS, ids=len)
def test_pictures_of_two_to_twenty_labels(generated: Callable[..., Predictions], labels: tuple[str, ...]) -> None:
    made = generated(400, classes=labels, skill=2)
    found = metrics.summary(made, draws=50)
    title = "模型 on my-corpus, speaker-independent, a rather long title of a report with many words in it"
    assert_drawn(png_of(plots.confusion_figure(found, title=title)))
    assert_drawn(png_of(plots.recall_figure(found, title=title)))
    assert_drawn(png_of(plots.reliability_figure(reliability(made.scores, made.label_index), title=title)))


def test_the_matrix_says_the_true_counts_and_shares(hand_made: Predictions) -> None:
    figure = plots.confusion_figure(metrics.summary(hand_made, draws=20), title="by hand")
    written = texts(figure)
    assert {"75\n3", "25\n1", "50\n1"} <= written
    assert {"zen  (4)", "hangry  (2)", "meh  (2)", "no answer"} <= written


def test_a_matrix_without_silent_clips_has_no_column_for_them(hand_made: Predictions) -> None:
    figure = plots.confusion_figure(metrics.summary(hand_made.select(hand_made.answered), draws=20), title="by hand")
    assert "no answer" not in texts(figure)


def test_a_class_without_clips_has_a_column_only_where_it_was_predicted(hand_made: Predictions) -> None:
    figure = plots.confusion_figure(metrics.summary(hand_made.select(np.arange(5)), draws=20), title="by hand")
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    columns = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert rows == ["zen  (4)", "hangry  (1)"]
    assert columns == ["zen", "hangry"]


def test_recalls_stand_as_long_as_they_are_in_their_colours(hand_made: Predictions) -> None:
    figure = plots.recall_figure(metrics.summary(hand_made, draws=20), title="by hand")
    widths = [bar.get_width() for bar in figure.axes[0].patches]  # type: ignore[attr-defined]
    assert widths == [0.75, 0.5, 0.5]
    assert {"75", "50"} <= texts(figure)
    png = png_of(figure)
    assert all(has_colour(png, colour) for colour in colours_of(hand_made.classes).values())
    assert not has_colour(png, EMOTION_COLOURS["fear"])


def test_the_legend_of_recalls_gives_mean_and_chance(hand_made: Predictions) -> None:
    written = texts(plots.recall_figure(metrics.summary(hand_made, draws=20), title="by hand"))
    assert {"mean (UAR) 58.3", "chance 33.3"} <= written


def test_the_reliability_diagram_gives_the_error(hand_made: Predictions) -> None:
    figure = plots.reliability_figure(reliability(hand_made.scores, hand_made.label_index), title="by hand")
    assert any("expected calibration error 18.6 %" in text for text in texts(figure))
