"""Weigh the words of the labelled tickets: ``python -m tests.classifier.weigh`` writes ``lexicon/weights.tsv``.

A multinomial logistic regression (scikit-learn; ``pip install -e '.[weigh]'``) over the words that the classifier
weighs, their parts of three and four characters and pairs of neighbours, against the verdicts of
``services/support/domain/weights.py``. The sets apart are left out: they measure. Rows written by somebody who did not
know the lexicon count twice, the combinations of ``products.toml`` (a sample of each) less. Then run
``customer-ops lint-lexicon --record``.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

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
LEAST_POINTS_OF_A_PAIR = 5
STRENGTH = 0.3
SAMPLE = 300
# How many rows each list of combinations counts for, at most two for each that is drawn.
OF_COMBINATIONS = 120.0
OF_HARMLESS_COMBINATIONS = 420.0

SIGNAL = {
    "SECURITY": "S", "DATA_LEAK": "L", "UNAUTHORIZED_SEND": "U", "WRONG_SEND": "W", "UNAUTHORIZED_CHARGE": "M",
    "OUTAGE": "O", "SERVICE_DOWN": "D", "PROOF_PACK": "PQ", "CONNECTOR": "C", "BILLING": "B",
}  # fmt: skip
HEADER = f"""\
# What words, parts of words (=whole word, < and > its borders) and pairs of words speak for: points of {UNIT} of the
# logarithm of odds against P3. Letters: P0 S security, L data leak, U unapproved send, W wrong send, M money taken,
# O outage; P1 D service down, P Proof Pack missing; P2 C connector, Q Proof Pack late or broken, B billing. The row * is
# where a text begins; ¬ marks what stands within reach of a denial.
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
        if len(product["priorities"]) == 1:
            combined = list(texts(product))
            label = product["priorities"][0]
            some = chance.sample(combined, min(SAMPLE, len(combined)))
            share = min(2.0, (OF_HARMLESS_COMBINATIONS if label == "P3" else OF_COMBINATIONS) / len(some))
            found += [(Row((label,), frozenset(), "product", text), share) for text in some]
    return found


def main() -> None:
    classifier = Classifier(load_lexicon())
    counted, columns, shares = [], [], []
    for row, share in rows(classifier):
        column = column_of(classifier, row)
        if column is not None:
            counted.append(Counter(part for word in classifier.words_weighed(row.text) for part in set(parts_of(word))))
            columns.append(column)
            shares.append(share)
    frequency = Counter(part for parts in counted for part in parts)
    learnt = {p for p, n in frequency.items() if n >= (LEAST_ROWS_OF_A_PAIR if " " in p else LEAST_ROWS)}
    vectors = DictVectorizer()
    table = vectors.fit_transform([{p: n for p, n in c.items() if p in learnt} for c in counted])
    model = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-4).fit(table, columns, sample_weight=shares)
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
    print(f"{len(columns)} rows, {len(lines)} parts -> {FILE}")


if __name__ == "__main__":
    main()
