"""Weigh the words of the labelled tickets: ``python -m tests.classifier.weigh`` writes ``lexicon/weights.tsv``.

A multinomial logistic regression (scikit-learn; ``pip install -e '.[weigh]'``) over the words that the classifier
weighs, their parts of three and four characters and pairs of neighbours, against the verdicts of
``services/support/domain/weights.py``. The sets apart are left out: they measure. Rows written by somebody who did not
know the lexicon count twice, the lists of combinations (a sample of each, ``products*.toml``) less. Many are learnt
again: among other tickets, with pieces that say nothing of the matter (``beside.tsv``), mistyped; letters in excerpts.
It takes some twelve minutes and 8 GB. Then run ``customer-ops lint-lexicon --record``.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from services.domain.arabic import HARD_STOPS
from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import DEFAULT_DIRECTORY, load_lexicon
from services.support.domain.weighing import TOLD_AT_ONCE
from services.support.domain.weights import FILE, UNIT, VERDICTS, Weights, parts_of
from tests.classifier.evaluate import SETS
from tests.classifier.labelled import Row, read, read_pieces
from tests.classifier.test_products import PRODUCTS, texts

INDEPENDENT = "independent"
COMBINED = "product"
"""The trap of a row that is a combination of phrases."""
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

# What ends a sentence; and how much an excerpt of a letter counts.
ENDS = "".join(sorted(HARD_STOPS)) + "\n"
SENTENCE = re.compile(rf"(?:[^{ENDS}]|\.(?=\S))*(?:[{ENDS}]+\s*|$)")
EXCERPT = 0.9

# How much a row counts that was written to mislead: half of all are P0, and none is of P1 or P2.
MISLEADING = 0.8

# How many rows are learnt once more with slips of the keyboard, in one or two words of at least so many letters.
MISTYPED = 0.3
LEAST_LETTERS = 5
# How many of these have two words joined instead of another slip, and where two words may be joined.
WITHOUT_SPACE = 0.3
JOINT = re.compile(r"(?<=[^\W\d_]) (?=[^\W\d_])")
# How many of these end with a question mark instead: people ask whether it is so, or what to do, when they know that it is.
ASKED = 0.2

# How many rows are learnt once more among others: people speak of several matters in one ticket, and what is less urgent
# must not hide what is more.
JOINED = 0.6
# How many others at most, and how often one of them is less urgent than the row but not harmless: more often, and the words
# of one service that is down would speak for an outage.
MOST_JOINED = 3
LESS_URGENT = 0.15
# How many rows are learnt once more with what people write beside any matter, and with how many pieces of it at most.
ACCOMPANIED = 0.6
MOST_PIECES = 3

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
# ago or elsewhere; =0 is a number of five digits or more, or an id, and =@ an address.
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
    signals = sorted(row.signals)
    if not signals and row.label != "P3":
        signals = [str(signal) for signal in classifier.classify(row.text).signals]
    return verdict(row.label, signals)


def rows(classifier: Classifier, *, misleading: bool = True) -> list[tuple[Row, float]]:
    """The rows to learn from, with or without pairs that mislead, and how much each counts."""
    rules = Classifier(replace(classifier.lexicon, weights=Weights({})))
    found = [(row, 2.0 if name == INDEPENDENT else 1.0) for name in SETS for row in read(name)]
    if misleading:
        found += [(row, MISLEADING) for row in read("misleading")]
    found += [(part, EXCERPT) for row, _ in found for part in excerpts(classifier, rules, row)]
    chance = random.Random(1)
    found += [(Row(("P3",), frozenset(), piece.kind, piece.text), 1.0) for piece in read_pieces("beside")]
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


def excerpts(classifier: Classifier, rules: Classifier, row: Row) -> list[Row]:
    """Each two neighbouring sentences of a letter, as it will be judged by them; ``rules``: without weights.

    Those where the classifier sees what the letter is about are about it; others are harmless, but for such in which a rule
    finds something, and those beside the first kind: they are left out.
    """
    sentences = [part for part in SENTENCE.findall(row.text) if any(map(str.isalnum, part))]
    if len(sentences) < 3 or len(row.text.split()) <= TOLD_AT_ONCE:
        return []
    pairs = ["".join(pair).strip() for pair in itertools.pairwise(sentences)]
    about = set()
    if row.label != "P3":
        seen = [classifier.classify(pair) for pair in pairs]
        about = {at for at, found in enumerate(seen) if found.priority == row.label and row.signals & {*found.signals}}
        if not about:
            return []
    near = {at + step for at in about for step in (-1, 0, 1)}
    harmless = [at for at in range(len(pairs)) if at not in near and rules.classify(pairs[at]).priority == "P3"]
    return [replace(row, text=pairs[at]) for at in sorted(about)] + [
        Row(("P3",), frozenset(), row.trap, pairs[at]) for at in harmless
    ]


def with_slips(some: Iterable[tuple[Row, float]]) -> list[tuple[Row, float]]:
    """Some of the rows that are no combinations, mistyped; each counts half."""
    chance = random.Random(4)
    single = [(row, share) for row, share in some if row.trap != COMBINED]
    return [
        (replace(row, text=mistyped(row.text, chance)), share / 2)
        for row, share in single
        if chance.random() < MISTYPED
    ]


def mistyped(text: str, chance: random.Random) -> str:
    """A text with a letter left out, doubled, or exchanged, in one or two words, or with two words joined, or asked."""
    if chance.random() < ASKED:
        return text.rstrip(" .!،,") + ("؟" if any("ء" <= letter <= "ي" for letter in text) else "?")
    joints = [found.start() for found in JOINT.finditer(text)]
    if joints and chance.random() < WITHOUT_SPACE:
        at = chance.choice(joints)
        return text[:at] + text[at + 1 :]
    words = text.split(" ")
    long = [at for at, word in enumerate(words) if len(word) >= LEAST_LETTERS and word.isalpha()]
    for at in chance.sample(long, min(len(long), chance.randint(1, 2))):
        word = words[at]
        letter = chance.randrange(1, len(word) - 1)
        slip = chance.choice(("", word[letter] * 2, word[letter + 1] + word[letter]))
        words[at] = word[:letter] + slip + word[letter + (2 if len(slip) == 2 and slip[0] != slip[1] else 1) :]
    return " ".join(words)


def combinations(classifier: Classifier, label: str, signals: list[str] | None, some: Iterable[str]) -> list[Row]:
    """Rows of a list's combinations.

    A list that names no signals is of the kinds that the classifier sees in it: each combination of its own, if that is a
    usual one of the list, otherwise of the most usual one. What is missed or taken for something else must be learnt.
    """
    if label == "P3" or signals:
        return [Row((label,), frozenset(signals or ()), COMBINED, text) for text in some]
    seen = {}
    for text in some:
        found = [str(signal) for signal in classifier.classify(text).signals]
        seen[text] = next((signal for signal in found if verdict(label, [signal])), "")
    kinds = Counter(filter(None, seen.values()))
    usual = {kind for kind, count in kinds.items() if count >= USUAL * len(seen)}
    most = max(kinds, key=kinds.__getitem__)
    return [Row((label,), frozenset([kind if kind in usual else most]), COMBINED, text) for text, kind in seen.items()]


class Weighed(NamedTuple):
    """What a row says by its words and pairs of words: the column, and how much the row counts."""

    words: frozenset[str]
    column: str
    share: float

    @property
    def parts(self) -> Counter[str]:
        """How many of the words have each part."""
        return Counter(part for word in self.words for part in set(parts_of(word)))


def weighed(classifier: Classifier, some: Iterable[tuple[Row, float]]) -> list[Weighed]:
    """Those of the rows that have a verdict."""
    found = []
    for row, share in some:
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


def accompanied(some: Sequence[Weighed], pieces: Sequence[frozenset[str]]) -> list[Weighed]:
    """Rows with pieces that say nothing of the matter: a signature, who writes, that it is urgent."""
    chance = random.Random(3)
    return [
        one._replace(words=one.words.union(*chance.choices(pieces, k=chance.randint(1, MOST_PIECES))))
        for one in some
        if one.share >= 1 and chance.random() < ACCOMPANIED
    ]


def main() -> None:
    classifier = Classifier(load_lexicon())
    written = rows(classifier)
    some = weighed(classifier, written)
    # What is only seen in slips is not worth its place in the table.
    frequency = Counter(part for one in some for part in one.parts)
    learnt = {p for p, n in frequency.items() if n >= (LEAST_ROWS_OF_A_PAIR if " " in p else LEAST_ROWS)}
    pieces = [classifier.words_weighed(piece.text) for piece in read_pieces("beside")]
    some += joined(some) + accompanied(some, pieces) + weighed(classifier, with_slips(written))
    vectors = DictVectorizer()
    table = vectors.fit_transform([{p: n for p, n in one.parts.items() if p in learnt} for one in some])
    model = LogisticRegression(C=STRENGTH, max_iter=400, tol=1e-4)
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
