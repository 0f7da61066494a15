"""Weigh the words of the labelled tickets: ``python -m tests.classifier.weigh`` writes ``lexicon/weights.tsv``.

A multinomial logistic regression (scikit-learn; ``pip install -e '.[weigh]'``) over the words that the classifier
weighs, their parts of three and four characters and pairs of neighbours, against the verdicts of
``services/support/domain/weights.py``. The sets apart are left out: they measure. Rows written by somebody who did not
know the lexicon count twice, the lists of combinations (a sample of each, ``products*.toml``) less. Then run
``customer-ops lint-lexicon --record``.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import DEFAULT_DIRECTORY, load_lexicon
from services.support.domain.weights import FILE, UNIT, VERDICTS, parts_of
from tests.classifier.evaluate import SETS
from tests.classifier.labelled import Row, read
from tests.classifier.test_products import PRODUCTS, texts

INDEPENDENT = "independent"
LEAST_ROWS = 5
LEAST_ROWS_OF_A_PAIR = 3
# Fewer points for a verdict are left out, and a part or pair that has no more for any: what hangs on them is in doubt, and
# phrases are asked.
LEAST_POINTS = 2
LEAST_POINTS_OF_A_PART = 4
LEAST_POINTS_OF_A_PAIR = 6
STRENGTH = 0.25
SAMPLE = 300
# How many rows each list of combinations counts for, and at most each combination that is drawn: half of a list, or so.
MOST_FOR_A_COMBINATION = 1.3
OF_COMBINATIONS = 100.0
OF_HARMLESS_COMBINATIONS = 390.0
# Which share of a list's combinations must be of a kind of trouble for that to be one of the list's.
USUAL = 0.15

# How many rows are learnt once more among others: people speak of several matters in one ticket, and what is less urgent
# must not hide what is more.
JOINED = 0.6
# How many others at most, and how often one of them is less urgent than the row but not harmless: more often, and the words
# of one service that is down would speak for an outage.
MOST_JOINED = 3
LESS_URGENT = 0.15

SIGNAL = {
    "SECURITY": "S", "DATA_LEAK": "L", "UNAUTHORIZED_SEND": "U", "WRONG_SEND": "W", "UNAUTHORIZED_CHARGE": "M",
    "OUTAGE": "O", "SERVICE_DOWN": "D", "PROOF_PACK": "PQ", "CONNECTOR": "C", "BILLING": "B",
}  # fmt: skip
LEVEL_OF = {v.code: v.level for v in VERDICTS} | {"3": 3}
HEADER = f"""\
# What words, parts of words (=whole word, < and > its borders) and pairs of words speak for: points of {UNIT} of the
# logarithm of odds against P3. Letters: P0 S security, L data leak, U unapproved send, W wrong send, M money taken,
# O outage; P1 D service down, P Proof Pack missing; P2 C connector, Q Proof Pack late or broken, B billing. The row * is
# where a text begins; ¬ marks what stands within reach of a denial, ~ what is told as feared, supposed, taken back, long
# ago or elsewhere.
# Made by `python -m tests.classifier.weigh`; change labelled rows rather than points.
"""


def verdict(label: str, signals: Iterable[str]) -> str | None:
    """The column of a row; ``3`` for P3, None where the label's signals name no column of its priority."""
    if label == "P3":
        return "3"
    of_level = {v.code for v in VERDICTS if f"P{v.level}" == label}
    return next((code for signal in signals for code in SIGNAL.get(signal, "") if code in of_level), None)


def column_of(classifier: Classifier, row: Row) -> str | None:
    """The `verdict` of a row; one without signals is of the kind that the rules see in it."""
    return verdict(row.label, sorted(row.signals) or [str(s) for s in classifier.classify(row.text).signals])


def rows(classifier: Classifier) -> list[tuple[Row, float]]:
    """The rows to learn from, and how much each counts."""
    found = [(row, 2.0 if name == INDEPENDENT else 1.0) for name in SETS for row in read(name)]
    chance = random.Random(1)
    for product in PRODUCTS:
        label = product["priorities"][0]
        # What is denied is P3, or P2 with a review; other lists of two priorities teach neither.
        if label == "P3" or len(product["priorities"]) == 1:
            combined = list(texts(product))
            some = chance.sample(combined, min(SAMPLE, len(combined), max(100, len(combined) // 2)))
            share = min(
                MOST_FOR_A_COMBINATION, (OF_HARMLESS_COMBINATIONS if label == "P3" else OF_COMBINATIONS) / len(some)
            )
            found += [(row, share) for row in combinations(classifier, label, product.get("signals"), some)]
    return found


def combinations(classifier: Classifier, label: str, signals: list[str] | None, some: Iterable[str]) -> list[Row]:
    """Rows of a list's combinations.

    A list that names no signals is of the kinds that the classifier sees in it: each combination of its own, if that is a
    usual one of the list, otherwise of the most usual one. What is missed or taken for something else must be learnt.
    """
    if label == "P3" or signals:
        return [Row((label,), frozenset(signals or ()), "product", text) for text in some]
    seen = {}
    for text in some:
        found = [str(signal) for signal in classifier.classify(text).signals]
        seen[text] = next((signal for signal in found if verdict(label, [signal])), "")
    kinds = Counter(filter(None, seen.values()))
    usual = {kind for kind, count in kinds.items() if count >= USUAL * len(seen)}
    most = max(kinds, key=kinds.__getitem__)
    return [Row((label,), frozenset([kind if kind in usual else most]), "product", text) for text, kind in seen.items()]


class Weighed(NamedTuple):
    """What a row says by its words and pairs of words: the column, and how much the row counts."""

    words: frozenset[str]
    column: str
    share: float

    @property
    def parts(self) -> Counter[str]:
        """How many of the words have each part."""
        return Counter(part for word in self.words for part in set(parts_of(word)))


def weighed(classifier: Classifier) -> list[Weighed]:
    """The rows that have a verdict."""
    found = []
    for row, share in rows(classifier):
        column = column_of(classifier, row)
        if column is not None:
            found.append(Weighed(classifier.words_weighed(row.text), column, share))
    return found


class Others:
    """What else people say in a ticket: other rows, by their numbers, that are less urgent."""

    def __init__(self, columns: Mapping[int, str], chance: random.Random) -> None:
        """``columns``: those of the rows that may be joined, by their numbers."""
        self._level = {row: LEVEL_OF[column] for row, column in columns.items()}
        self._harmless = [row for row, level in self._level.items() if level == 3]
        self._less_urgent = [[row for row, level in self._level.items() if of < level < 3] for of in range(4)]
        self._chance = chance

    def beside(self, row: int) -> list[int]:
        """One to `MOST_JOINED` rows to go with a row."""
        chance = self._chance
        others = chance.choices(self._harmless, k=chance.randint(1, MOST_JOINED))
        less_urgent = self._less_urgent[self._level[row]]
        if less_urgent and chance.random() < LESS_URGENT:
            others[0] = chance.choice(less_urgent)
        return others


def joined(some: Sequence[Weighed]) -> list[Weighed]:
    """Rows among others; most combinations, which have only their phrases, are left out."""
    chance = random.Random(2)
    single = {row: one for row, one in enumerate(some) if one.share >= 1}
    others = Others({row: one.column for row, one in single.items()}, chance)
    return [
        one._replace(words=one.words.union(*[some[other].words for other in others.beside(row)]))
        for row, one in single.items()
        if chance.random() < JOINED
    ]


def main() -> None:
    some = weighed(Classifier(load_lexicon()))
    frequency = Counter(part for one in some for part in one.parts)
    learnt = {p for p, n in frequency.items() if n >= (LEAST_ROWS_OF_A_PAIR if " " in p else LEAST_ROWS)}
    some += joined(some)
    vectors = DictVectorizer()
    table = vectors.fit_transform([{p: n for p, n in one.parts.items() if p in learnt} for one in some])
    model = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-4)
    model.fit(table, [one.column for one in some], sample_weight=[one.share for one in some])
    place = {str(code): number for number, code in enumerate(model.classes_)}
    codes = [v.code for v in VERDICTS]

    def row_of(values: list[float], least: int, most: int) -> str:
        points = [(code, round((values[place[code]] - values[place["3"]]) / UNIT)) for code in codes]
        if max(abs(value) for _, value in points) < most:
            return ""
        return " ".join(f"{code}{value:+d}" for code, value in points if abs(value) >= least)

    lines = ["*\t" + row_of(list(model.intercept_), 0, 0)]
    for part, number in sorted(vectors.vocabulary_.items()):
        most = LEAST_POINTS_OF_A_PAIR if " " in part else LEAST_POINTS_OF_A_PART
        row_text = row_of(list(model.coef_[:, number]), LEAST_POINTS, most)
        if row_text:
            lines.append(f"{part}\t{row_text}")
    (DEFAULT_DIRECTORY / FILE).write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(some)} rows, {len(lines)} parts -> {FILE}")


if __name__ == "__main__":
    main()
