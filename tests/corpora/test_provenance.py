from __future__ import annotations

from emovox.corpora.provenance import card_corpora, licence, licence_risk
from emovox.corpora.registry import CORPORA
from emovox.schema.card import CardCorpus
from tests.corpora.trees import clip


def test_corpora_in_order_with_known_speakers() -> None:
    clips = [clip("own", 1, "ada", "keen"), clip("own", 2, None, "keen"), clip("emodb", 3, "03", "sad")]
    assert card_corpora([*clips, clip("own", 4, "ada", "sad")]) == (
        CardCorpus("own", "your own recordings", 1, 3),
        CardCorpus("emodb", CORPORA["emodb"].licence, 1, 1),
    )


def test_one_published_corpus_is_enough_for_its_terms() -> None:
    assert "non-commercial" in licence(["own", "voxceleb"])
    assert licence_risk(["own", "emodb"]) == f"emodb: {CORPORA['emodb'].licence_risk}"
    assert licence(["own"]).startswith("yours")
    assert licence_risk(["own"]).startswith("none known")
