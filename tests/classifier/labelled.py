"""Labelled tickets: reading them, and how a verdict is judged against a label.

A row has ``label`` (``P0`` … ``P3``; ``P3|P2`` where a denied critical word may also land at P2 with a review),
``signals`` (a space-separated list that the verdict must hold), ``trap`` (what the row probes) and ``text``, in which a line
end is written as two characters, a backslash and an n.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from services.support.domain.classifier import Classification, Classifier

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Row:
    labels: tuple[str, ...]
    signals: frozenset[str]
    trap: str
    text: str

    @property
    def label(self) -> str:
        return self.labels[0]

    def accepts(self, priority: str, *, review_required: bool) -> bool:
        """Whether a verdict is right; the second label of a denied row needs the review."""
        return priority == self.label or (priority in self.labels and review_required)

    def right(self, verdict: Classification) -> bool:
        return self.accepts(verdict.priority, review_required=verdict.review_required)


def read(name: str) -> list[Row]:
    """The rows of ``development``, ``held_out`` or another set of the data folder."""
    lines = (DATA / f"{name}.tsv").read_text(encoding="utf-8").split("\n")
    rows = []
    for line in lines[1:]:
        if line:
            label, signals, trap, text = line.split("\t")
            rows.append(Row(tuple(label.split("|")), frozenset(signals.split()), trap, text.replace("\\n", "\n")))
    return rows


@dataclass(frozen=True, slots=True)
class Piece:
    """What people write beside any matter, and which says nothing of it: ``place`` is ``before``, ``after`` or ``either``."""

    place: str
    kind: str
    text: str

    def beside(self, text: str) -> str:
        """A ticket with the piece before or after it."""
        joint = "\n" if "\n" in self.text else " "
        if self.place == "before":
            return self.text + joint + text
        return text + (joint if text.endswith((".", "!", "?", "؟")) else "." + joint) + self.text


def read_pieces(name: str) -> list[Piece]:
    """The pieces of ``beside`` or ``beside_apart``; a line end is written as two characters."""
    lines = (DATA / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [
        Piece(place, kind, text.replace("\\n", "\n")) for place, kind, text in (line.split("\t") for line in lines[1:])
    ]


BASELINE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "P0",
        (
            "أمان", "تسريب", "إرسال خاطئ", "إرسال بدون موافقة", "بدون موافقتي", "secret", "leak", "data breach", "outage",
            "completely down", "live charge", "charge بدون موافقة", "unauthorized",
        ),
    ),
    ("P1", ("service down", "خدمة معطلة", "service failed", "pilot stopped", "proof pack مفقود")),
    ("P2", ("connector", "gmail", "calendar", "sheets", "whatsapp setup", "moyasar invoice")),
)  # fmt: skip


def substring_baseline(text: str) -> str:
    """The usual way, to compare with: the first base keyword that is a substring of the lower-cased text."""
    lowered = text.lower()
    for priority, keywords in BASELINE:
        if any(keyword in lowered for keyword in keywords):
            return priority
    return "P3"


@dataclass(frozen=True, slots=True)
class Score:
    total: int
    right: int
    p0_total: int
    p0_found: int
    other_total: int
    other_as_p0: int

    @property
    def accuracy(self) -> float:
        return self.right / self.total

    @property
    def p0_recall(self) -> float:
        return self.p0_found / self.p0_total if self.p0_total else 1.0

    @property
    def false_p0_rate(self) -> float:
        """Share of the rows that are not P0 and were called P0."""
        return self.other_as_p0 / self.other_total if self.other_total else 0.0


def score(judged: Iterable[tuple[Row, str, bool]]) -> Score:
    """Score (row, priority given, review required) triples."""
    total = right = p0_total = p0_found = other_total = other_as_p0 = 0
    for row, priority, review in judged:
        total += 1
        right += row.accepts(priority, review_required=review)
        if row.label == "P0":
            p0_total += 1
            p0_found += priority == "P0"
        else:
            other_total += 1
            other_as_p0 += priority == "P0"
    return Score(total, right, p0_total, p0_found, other_total, other_as_p0)


def scored(classifier: Classifier, rows: Iterable[Row]) -> Score:
    """`score` of what the classifier says to some rows."""
    verdicts = [(row, classifier.classify(row.text)) for row in rows]
    return score((row, verdict.priority, verdict.review_required) for row, verdict in verdicts)
