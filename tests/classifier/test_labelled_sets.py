"""The labelled sets hold what is claimed of the classifier."""

from __future__ import annotations

import pytest

from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import BASE_KEYWORDS
from tests.classifier.evaluate import SETS
from tests.classifier.labelled import read, score, scored, substring_baseline

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("name", SETS)
def test_set_meets_the_targets(classifier: Classifier, name: str) -> None:
    result = scored(classifier, read(name))
    assert result.accuracy >= 0.97
    # Much of the independent set was written to avoid the usual words, or to resemble what is critical; of a small set two
    # rows may be wrong.
    assert result.p0_recall >= (0.965 if name == "independent" else 0.98)
    assert result.false_p0_rate <= (0.022 if name == "independent" else max(0.01, 2 / result.other_total))


@pytest.mark.parametrize(
    ("name", "accuracy", "p0_recall", "false_p0_rate"),
    [
        ("apart", 0.92, 0.88, 0.04),
        ("apart_2", 0.98, 0.98, 0.01),
        ("apart_3", 0.98, 0.985, 0.02),
        ("apart_4", 0.985, 0.985, 0.01),
        ("apart_5", 0.985, 0.985, 0.01),
        ("apart_6", 0.97, 0.955, 0.01),
        ("apart_7", 0.985, 0.985, 0.01),
        # Hard on purpose: denials, next sentences that undo an event, minimal pairs, several matters.
        ("apart_8", 0.89, 0.98, 0.165),
        # One half of it is hard but fair.
        ("apart_9", 0.975, 0.98, 0.02),
        ("apart_10", 0.98, 0.985, 0.01),
        # Most of it written to mislead, and not learnt yet.
        ("apart_11", 0.885, 0.86, 0.05),
        ("apart_12", 0.985, 0.985, 0.016),
        ("apart_13", 0.985, 0.985, 0.012),
        ("apart_14", 0.98, 0.985, 0.017),
        ("apart_15", 0.97, 0.975, 0.025),
        ("apart_16", 0.985, 0.985, 0.01),
        # Whole e-mails, and e-mails of kinds that mislead, not learnt yet.
        ("apart_17", 0.90, 0.97, 0.13),
        ("apart_18", 0.86, 0.93, 0.14),
        ("apart_19", 0.985, 0.985, 0.02),
        # Written to mislead in nearly every row.
        ("apart_20", 0.73, 0.97, 0.42),
        ("apart_21", 0.75, 0.94, 0.43),
        ("apart_22", 0.985, 0.985, 0.013),
        # Short wordings, each unlike the others.
        ("apart_23", 0.93, 0.92, 0.022),
        ("apart_24", 0.985, 0.985, 0.013),
        # Several matters in one message; and no usual words, or groups in the same words.
        ("apart_25", 0.95, 0.94, 0.03),
        ("apart_26", 0.84, 0.79, 0.07),
    ],
)
def test_sets_apart_do_not_fall_below_these_figures(
    classifier: Classifier, name: str, accuracy: float, p0_recall: float, false_p0_rate: float
) -> None:
    result = scored(classifier, read(name))
    assert result.accuracy >= accuracy
    assert result.p0_recall >= p0_recall
    assert result.false_p0_rate <= false_p0_rate


def test_every_row_with_a_base_keyword_as_the_trap_is_right(classifier: Classifier) -> None:
    rows = [row for name in SETS for row in read(name) if row.trap == "base"]
    wrong = [row.text for row in rows if not row.right(classifier.classify(row.text))]
    assert rows
    assert wrong == []


def test_classifier_beats_the_substring_baseline_by_far() -> None:
    rows = read("development")
    plain = score((row, substring_baseline(row.text), False) for row in rows)
    assert plain.accuracy < 0.6


def test_sets_are_disjoint_and_cover_every_priority() -> None:
    names = (*SETS, "misleading", "apart", *(f"apart_{n}" for n in range(2, 27)))
    sets = {name: read(name) for name in names}
    texts = [row.text for rows in sets.values() for row in rows]
    assert len(texts) >= 400
    assert len(texts) == len(set(texts))
    for name, rows in sets.items():
        of_pairs = name in ("misleading", "apart_20", "apart_21")
        assert {row.label for row in rows} == ({"P0", "P3"} if of_pairs else {"P0", "P1", "P2", "P3"}), name


@pytest.mark.parametrize(("keyword", "priority"), BASE_KEYWORDS.items())
def test_base_keyword_always_hits_and_names_itself(classifier: Classifier, keyword: str, priority: str) -> None:
    for text in (keyword, f"السلام عليكم، {keyword} من أمس", f"Hello, {keyword} since yesterday", keyword.upper()):
        verdict = classifier.classify(text)
        assert verdict.priority == priority, text
        assert verdict.matched_keyword == keyword, text
