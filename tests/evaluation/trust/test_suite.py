"""The list of tests: its conditions exist, its ids are unique, its limits are those of the sources."""

from __future__ import annotations

from emovox.augment.conditions import CHANGES
from emovox.evaluation.trust import suite
from emovox.evaluation.trust.outcome import Where, judged
from emovox.evaluation.trust.suite import CORRUPTIONS, MIXES, QUICK, SUITE, TOPICS, conditions_of, quick_suite
from emovox.schema.figure import CONDITIONS


def test_every_condition_of_the_list_can_be_made_and_has_words() -> None:
    names = conditions_of(SUITE)
    assert set(names) <= set(CHANGES)
    assert set(names) <= set(CONDITIONS)
    assert set(suite.BURSTS) | set(suite.ROOMS) | {level for each in CORRUPTIONS.values() for level in each} <= set(
        names
    )


def test_ids_are_unique_and_every_topic_has_tests() -> None:
    ids = [judged(check, Where("own", what), 0.0, n=1).id for check in SUITE for what in (check.over or ("",))]
    assert len(set(ids)) == len(ids)
    assert {check.topic for check in SUITE} == set(TOPICS)
    assert {check.name for check in SUITE if check.topic == "adaptation"} == set(MIXES)


def test_the_quick_form_is_a_part_of_the_full_one() -> None:
    quick = quick_suite()
    assert set(conditions_of(quick)) == set(QUICK)
    full = {(check.topic, check.name, check.limit, name) for check in SUITE for name in (check.over or ("",))}
    assert {(check.topic, check.name, check.limit, name) for check in quick for name in (check.over or ("",))} < full


def test_published_limits_are_those_of_the_source() -> None:
    limits = {
        (f"{check.topic}.{check.name}", name): check.limit
        for check in SUITE
        for name in (check.over or ("",))
        if check.source == suite.SER
    }
    assert limits["correctness.uar", ""] == 0.5
    assert limits["fairness.sex-uar", ""] == 0.075
    assert limits["fairness.pitch-recall", ""] == 0.225
    assert limits["speakers.ranking", ""] == 0.7
    assert limits["robustness.unchanged", "white-20"] == 0.9
    assert limits["robustness.unchanged", "highpass-150"] == 0.95
    assert limits["robustness.unchanged", "phone-low"] == 0.5
    assert limits["robustness.uar-change", "tilt-up"] == -0.02
