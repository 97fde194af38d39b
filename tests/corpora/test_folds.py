"""No speaker on both sides: for every corpus, protocol and fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain, cycle, islice

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.corpora.folds import GROUPS, MOST_LEFT_OUT, PROTOCOLS, make_folds, speaker_key
from emovox.corpora.hold_out import hold_out
from emovox.corpora.manifest import Clip
from emovox.corpora.registry import CORPORA
from emovox.corpora.views import view
from emovox.schema.errors import ProtocolError
from tests.corpora.trees import NAMED, clip, path_of

SPEAKERS_WITHOUT_LIST = {"urdu": 38, "iemocap": 10, "meld": 30}

RAVDESS_PAIR = ("03-01-03-01-02-01-07", "03-01-03-01-02-02-07")


def published(name: str) -> list[Clip]:
    """All clips of a corpus where its names are known, else a few of every speaker, with every label."""
    corpus = CORPORA[name]
    if name in NAMED and corpus.names:
        rows = [row for row in (corpus.parse(path_of(name, one)) for one in corpus.names()) if row]
        return [
            Clip(
                corpus=name,
                id=row.id,
                path=f"/{row.id}.wav",
                speaker=row.speaker,
                sex=row.sex,
                language=row.language,
                native=row.native or "",
                label=corpus.labels[row.native or ""],
                sentence=row.sentence,
                duration=1.0,
                sample_rate=16000,
            )
            for row in rows
        ]
    speakers = sorted(corpus.layout.speakers) or [f"s{n}" for n in range(SPEAKERS_WITHOUT_LIST[name])]
    labels = cycle(corpus.labels.values())
    numbers = range(10 * len(speakers))
    return [clip(name, n, speakers[n // 10], next(labels), corpus.languages[0]) for n in numbers]


@pytest.fixture(scope="module")
def corpora() -> dict[str, list[Clip]]:
    return {name: published(name) for name in CORPORA}


def check_speakers(clips: Sequence[Clip], train: Sequence[int], test: Sequence[int]) -> None:
    assert train
    assert test
    assert not {speaker_key(clips[n]) for n in train} & {speaker_key(clips[n]) for n in test}


N_FOLDS = {
    "ravdess": 6,
    "casia": 4,
    "emodb": 10,
    "tess": 2,
    "nemo": 9,
    "crema-d": 6,
    "savee": 4,
    "emovo": 6,
    "esd": 6,
    "shemo": 6,
    "urdu": 6,
    "iemocap": 10,
    "meld": 6,
    "cafe": 12,
    "ravdess-video": 6,
}


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_no_speaker_on_both_sides(name: str, corpora: dict[str, list[Clip]]) -> None:
    clips = corpora[name]
    folds = make_folds("si", clips)
    assert [fold.number for fold in folds] == list(range(1, N_FOLDS[name] + 1))
    for fold in folds:
        check_speakers(clips, fold.train, fold.test)
        assert not set(fold.train_speakers) & set(fold.test_speakers)
        assert sorted(fold.train + fold.test) == [n for n, one in enumerate(clips) if one.label is not None]
        fit, validation = hold_out(clips, fold.train)
        if len(fold.train_speakers) > 1:
            check_speakers(clips, fit, validation)
        assert not {speaker_key(clips[n]) for n in fit + validation} & set(fold.test_speakers)
    tested = list(chain.from_iterable(fold.test for fold in folds))
    assert sorted(tested) == [n for n, one in enumerate(clips) if one.label is not None]


def test_no_speaker_on_both_sides_in_fusion_folds(corpora: dict[str, list[Clip]]) -> None:
    folds = make_folds("si-fusion", corpora["ravdess"])
    videos = make_folds("si-fusion", corpora["ravdess-video"])
    assert [fold.test for fold in videos] == [fold.test for fold in folds]
    for fold in folds:
        check_speakers(corpora["ravdess"], fold.train, fold.test)
    assert [len(fold.test_speakers) for fold in folds] == [5, 5, 5, 5, 4]
    assert folds[4].test_speakers == ("ravdess/01", "ravdess/04", "ravdess/09", "ravdess/22")


def test_no_speaker_on_both_sides_in_joint_runs(corpora: dict[str, list[Clip]]) -> None:
    clips = list(chain.from_iterable(corpora.values()))
    folds = make_folds("joint", clips)
    assert [fold.number for fold in folds] == [1, 2, 3, 4, 5, 6]
    for fold in folds:
        check_speakers(clips, fold.train, fold.test)
        assert not any(clips[n].corpus == "tess" for n in fold.train)
    left_out = Counter(chain.from_iterable(fold.test_speakers for fold in folds))
    assert set(left_out.values()) == {1}
    assert set(left_out) == {speaker_key(one) for one in clips if one.label is not None}


def test_joint_runs_are_the_stated_ones(corpora: dict[str, list[Clip]]) -> None:
    clips = [one for name in ("ravdess", "casia", "emodb", "nemo", "tess") for one in corpora[name]]
    one, *_, five, six = make_folds("joint", clips)
    assert " ".join(one.test_speakers) == (
        "casia/liuchanhg emodb/03 emodb/08 nemo/EB0 nemo/IC0 ravdess/01 ravdess/11 ravdess/20 ravdess/21 "
        "tess/OAF tess/YAF"
    )
    assert " ".join(five.test_speakers) == "emodb/15 emodb/16 nemo/TP0 ravdess/02 ravdess/15 ravdess/16 ravdess/18"
    assert " ".join(six.test_speakers) == "nemo/WR0 ravdess/06 ravdess/13 ravdess/17 ravdess/22"


def test_joint_runs_keep_their_numbers(corpora: dict[str, list[Clip]]) -> None:
    assert [fold.number for fold in make_folds("joint", corpora["casia"])] == [1, 2, 3, 4]


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_zero_shot_crosses_the_language(name: str, corpora: dict[str, list[Clip]]) -> None:
    clips = list(chain.from_iterable(corpora.values()))
    (fold,) = make_folds("zero-shot", clips, target=name)
    check_speakers(clips, fold.train, fold.test)
    languages = {clips[n].language for n in fold.test}
    assert not languages & {clips[n].language for n in fold.train}
    assert {clips[n].corpus for n in fold.test} == {name}
    test_labels = {clips[n].label for n in fold.test} - {"calm"}
    assert test_labels <= {clips[n].label for n in fold.train} | {"neutral"}
    assert "boredom" not in test_labels
    assert {speaker_key(clips[n]) for n in fold.test} == {speaker_key(one) for one in corpora[name] if one.label}


def test_zero_shot_takes_the_classes_of_both_sides(corpora: dict[str, list[Clip]]) -> None:
    clips = corpora["casia"] + corpora["emodb"]
    (fold,) = make_folds("zero-shot", clips, target="emodb")
    common = {"angry", "fear", "happy", "neutral", "sad"}
    assert {clips[n].label for n in fold.train} == {clips[n].label for n in fold.test} == common
    assert len(fold.train) == 1000
    assert len(fold.test) == 127 + 69 + 71 + 79 + 62


def test_calm_counts_as_neutral_across_corpora(corpora: dict[str, list[Clip]]) -> None:
    clips = corpora["ravdess"] + corpora["casia"]
    (fold,) = make_folds("zero-shot", clips, target="ravdess")
    assert {clips[n].label for n in fold.test} >= {"calm", "neutral"}


def test_ravdess_folds_are_the_published_ones(corpora: dict[str, list[Clip]]) -> None:
    folds = make_folds("si", corpora["ravdess"])
    assert folds[0].test_speakers == ("ravdess/01", "ravdess/11", "ravdess/20", "ravdess/21")
    assert folds[5].test_speakers == ("ravdess/06", "ravdess/13", "ravdess/17", "ravdess/22")


def test_tess_tests_the_younger_first(corpora: dict[str, list[Clip]]) -> None:
    assert [fold.test_speakers for fold in make_folds("si", corpora["tess"])] == [("tess/YAF",), ("tess/OAF",)]


def test_casia_runs_in_the_stated_order(corpora: dict[str, list[Clip]]) -> None:
    names = [fold.test_speakers[0] for fold in make_folds("si", corpora["casia"])]
    assert names == ["casia/liuchanhg", "casia/wangzhe", "casia/zhaoquanyin", "casia/ZhaoZuoxiang"]


@pytest.mark.parametrize(("name", "labels"), [("ravdess", "ravdess-7"), ("ravdess", "ravdess-8"), ("casia", "casia")])
def test_speaker_dependent_folds_are_stratified(name: str, labels: str, corpora: dict[str, list[Clip]]) -> None:
    clips = corpora[name]
    _, names = view(clips, labels)
    folds = make_folds("sd", clips, labels=names)
    assert len(folds) == 5
    total = Counter(names)
    for fold in folds:
        assert sorted(fold.train + fold.test) == list(range(len(clips)))
        counts = Counter(names[n] for n in fold.test)
        assert all(abs(counts[label] - total[label] / 5) < 2 for label in total)
    assert sorted(chain.from_iterable(fold.test for fold in folds)) == list(range(len(clips)))
    assert make_folds("sd", clips, labels=names) == folds
    assert make_folds("sd", clips, labels=names, seed=1) != folds


@pytest.mark.parametrize("seed", range(8))
def test_same_samples_stay_in_one_fold(seed: int, corpora: dict[str, list[Clip]]) -> None:
    clips = corpora["ravdess"]
    pair = {n for n, one in enumerate(clips) if one.id in RAVDESS_PAIR}
    assert len(pair) == 2
    assert [len(pair & set(fold.test)) for fold in make_folds("sd", clips, seed=seed)].count(2) == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=30))
def test_own_recordings(sizes: list[int]) -> None:
    speakers = [f"speaker {k}" for k, size in enumerate(sizes) for _ in range(size)]
    clips = [clip("mine", n, speaker, "ab"[n % 2]) for n, speaker in enumerate(speakers)]
    folds = make_folds("si", clips)
    assert len(folds) == (len(sizes) if len(sizes) <= MOST_LEFT_OUT else GROUPS)
    for fold in folds:
        check_speakers(clips, fold.train, fold.test)
    assert sorted(chain.from_iterable(fold.test for fold in folds)) == list(range(len(clips)))
    held = [len(fold.test) for fold in folds]
    if len(sizes) > MOST_LEFT_OUT:
        assert max(held) - min(held) <= max(sizes)


def test_equal_names_in_two_corpora_are_two_speakers() -> None:
    clips = [clip(corpus, n, "01", "joy") for n, corpus in enumerate(("mine", "yours"))]
    assert [fold.test_speakers for fold in make_folds("si", clips)] == [("mine/01",), ("yours/01",)]


def test_dropped_clips_are_on_no_side() -> None:
    clips = [clip("mine", n, "ab"[n % 2], label) for n, label in enumerate(("joy", "joy", None, "awe"))]
    assert [(fold.train, fold.test) for fold in make_folds("si", clips)] == [((1, 3), (0,)), ((0,), (1, 3))]
    (first, _) = make_folds("si", clips, labels=("x", "x", "x", None))
    assert (first.train, first.test) == ((1,), (0, 2))


def test_without_speakers_nothing_speaker_independent() -> None:
    clips = [clip("mine", n, None if n == 3 else "ab"[n % 2], "joy") for n in range(10)]
    for protocol in ("si", "joint"):
        with pytest.raises(ProtocolError, match=rf"{protocol}: 1 of 10 clips have no speaker \(3 is the first\)"):
            make_folds(protocol, clips)
    assert len(make_folds("sd", clips)) == 5


def test_one_speaker_is_not_enough() -> None:
    clips = [clip("mine", n, "Max", "joy") for n in range(10)]
    with pytest.raises(ProtocolError, match=r"all clips are of one speaker \(mine/Max\), expected at least two"):
        make_folds("si", clips)


def test_stranger_in_a_published_corpus(corpora: dict[str, list[Clip]]) -> None:
    stranger = msgspec.structs.replace(corpora["ravdess"][0], speaker="25", id="x")
    with pytest.raises(ProtocolError, match="ravdess/25 are in no published fold"):
        make_folds("si", [*corpora["ravdess"], stranger])


def test_part_of_a_corpus_in_one_fold(corpora: dict[str, list[Clip]]) -> None:
    clips = [one for one in corpora["ravdess"] if one.speaker in ("01", "11")]
    with pytest.raises(ProtocolError, match=r"all speakers fall into one fold \(ravdess/01, ravdess/11\)"):
        make_folds("si", clips)


def test_joint_of_tess_alone_has_nothing_to_train(corpora: dict[str, list[Clip]]) -> None:
    with pytest.raises(ProtocolError, match="nothing is left to train on"):
        make_folds("joint", corpora["tess"])


def test_bad_questions(corpora: dict[str, list[Clip]]) -> None:
    casia = corpora["casia"]
    with pytest.raises(ProtocolError, match="no protocol is called 'loso', expected one of si, si-fusion, joint, sd"):
        make_folds("loso", casia)
    with pytest.raises(ProtocolError, match="si-fusion: got casia, expected ravdess or ravdess-video alone"):
        make_folds("si-fusion", casia)
    with pytest.raises(ProtocolError, match="zero-shot: got target None"):
        make_folds("zero-shot", casia)
    with pytest.raises(ProtocolError, match="si: got target emodb"):
        make_folds("si", casia, target="emodb")
    with pytest.raises(ProtocolError, match="no clip is of the corpus emodb, expected one of casia"):
        make_folds("zero-shot", casia, target="emodb")
    with pytest.raises(ProtocolError, match="no clip in a language other than zh"):
        make_folds("zero-shot", casia, target="casia")
    with pytest.raises(ProtocolError, match="clips of mine have no language"):
        make_folds("zero-shot", [*casia, clip("mine", 1, "Max", "happy", None)], target="casia")
    with pytest.raises(ProtocolError, match="got 1 labels for 1200 clips"):
        make_folds("si", casia, labels=["happy"])
    with pytest.raises(ProtocolError, match="none of the 1200 clips has a label"):
        make_folds("si", casia, labels=[None] * 1200)
    with pytest.raises(ProtocolError, match="sd: got 4 clips, expected at least 5"):
        make_folds("sd", casia[:4])
    assert all(PROTOCOLS.values())


def test_hold_out_is_deterministic_and_takes_every_corpus(corpora: dict[str, list[Clip]]) -> None:
    clips = corpora["emodb"] + corpora["casia"]
    train = make_folds("joint", clips)[0].train
    fit, validation = hold_out(clips, train)
    check_speakers(clips, fit, validation)
    assert sorted(fit + validation) == sorted(train)
    assert {clips[n].corpus for n in validation} == {"casia", "emodb"}
    assert Counter(clips[n].corpus for n in fit).keys() == {"casia", "emodb"}
    assert hold_out(clips, train[::-1]) == (fit, validation)
    others = [hold_out(clips, train, seed=seed)[1] for seed in range(1, 6)]
    assert any(other != validation for other in others)


def test_hold_out_of_a_single_speaker_keeps_sentences_apart(corpora: dict[str, list[Clip]]) -> None:
    clips = corpora["tess"]
    fit, validation = hold_out(clips, make_folds("si", clips)[0].train)
    assert not {clips[n].sentence for n in fit} & {clips[n].sentence for n in validation}
    assert len(validation) == 7 * 40


def test_hold_out_refuses_what_it_cannot_do() -> None:
    clips = [clip("mine", 0, "Max", "joy")]
    with pytest.raises(ProtocolError, match="too few to take validation clips out"):
        hold_out(clips, [0])
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(ProtocolError, match="validation share is"):
            hold_out(list(islice(cycle(clips), 4)), [0, 1, 2, 3], share=share)
