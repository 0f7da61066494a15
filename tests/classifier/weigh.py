"""Weigh the words of the labelled tickets: ``python -m tests.classifier.weigh`` writes ``lexicon/weights.tsv``.

A multinomial logistic regression (scikit-learn; ``pip install -e '.[weigh]'``) over the words that the classifier
weighs and their parts of three and four characters, against the verdicts of ``services/support/domain/weights.py``.
The sets apart are left out: they measure. Rows written by somebody who did not know the lexicon count twice, the
combinations of ``products.toml`` (a sample of each) less. Then run ``customer-ops lint-lexicon --record``.
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
LEAST_POINTS = 2
STRENGTH = 0.3
SAMPLE = 300

SIGNAL = {
    "SECURITY": "S", "DATA_LEAK": "L", "UNAUTHORIZED_SEND": "U", "WRONG_SEND": "W", "UNAUTHORIZED_CHARGE": "M",
    "OUTAGE": "O", "SERVICE_DOWN": "D", "PROOF_PACK": "PQ", "CONNECTOR": "C", "BILLING": "B",
}  # fmt: skip
HEADER = f"""\
# What words and parts of words (=whole word, < and > its borders) speak for: points of {UNIT} of the logarithm of odds
# against P3. Letters: P0 S security, L data leak, U unapproved send, W wrong send, M money taken, O outage; P1 D service
# down, P Proof Pack missing; P2 C connector, Q Proof Pack late or broken, B billing. The row * is where a text begins.
# Made by `python -m tests.classifier.weigh`; change labelled rows rather than points.
"""


def verdict(label: str, signals: Iterable[str]) -> str | None:
    """The column of a row; ``3`` for P3, None where the label's signals name no column of its priority."""
    if label == "P3":
        return "3"
    of_level = {v.code for v in VERDICTS if f"P{v.level}" == label}
    return next((code for signal in signals for code in SIGNAL.get(signal, "") if code in of_level), None)


def rows(classifier: Classifier) -> list[tuple[Row, float]]:
    """The rows to learn from, and how much each counts."""
    found = [(row, 2.0 if name == INDEPENDENT else 1.0) for name in SETS for row in read(name)]
    chance = random.Random(1)
    for product in PRODUCTS:
        if len(product["priorities"]) == 1:
            combined = list(texts(product))
            label = product["priorities"][0]
            for text in chance.sample(combined, min(SAMPLE, len(combined))):
                found.append((Row((label,), frozenset(), "product", text), 0.7 if label == "P3" else 0.2))
    return found


def main() -> None:
    classifier = Classifier(load_lexicon())
    counted, columns, shares = [], [], []
    for row, share in rows(classifier):
        # A row without signals is of the kind that the rules see in it.
        column = verdict(row.label, sorted(row.signals) or [str(s) for s in classifier.classify(row.text).signals])
        if column is not None:
            counted.append(Counter(part for word in classifier.words_weighed(row.text) for part in set(parts_of(word))))
            columns.append(column)
            shares.append(share)
    frequency = Counter(part for parts in counted for part in parts)
    vectors = DictVectorizer()
    table = vectors.fit_transform([{p: n for p, n in c.items() if frequency[p] >= LEAST_ROWS} for c in counted])
    model = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-4).fit(table, columns, sample_weight=shares)
    place = {str(code): number for number, code in enumerate(model.classes_)}
    codes = [v.code for v in VERDICTS]

    def row_of(values: list[float], least: int) -> str:
        points = [(code, round((values[place[code]] - values[place["3"]]) / UNIT)) for code in codes]
        return " ".join(f"{code}{value:+d}" for code, value in points if abs(value) >= least)

    lines = ["*\t" + row_of(list(model.intercept_), 0)]
    for part, number in sorted(vectors.vocabulary_.items()):
        row_text = row_of(list(model.coef_[:, number]), LEAST_POINTS)
        if row_text:
            lines.append(f"{part}\t{row_text}")
    (DEFAULT_DIRECTORY / FILE).write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(columns)} rows, {len(lines)} parts -> {FILE}")


if __name__ == "__main__":
    main()
