"""Evaluate the classifier on the labelled sets: ``python -m tests.classifier.evaluate [--errors] [SET …]``.

Without arguments the development set and the held-out sets, one after the other, never added up. The held-out sets
were each evaluated before anything was done about them: `data/README.md` keeps the figures of that first time.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict

from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import load_lexicon
from tests.classifier.labelled import Row, Score, read, score, substring_baseline

SETS = ("development", "held_out", "held_out_2", "held_out_3", "independent")


def report(name: str, classifier: Classifier, *, errors: bool) -> str:
    """The report of one set, as text."""
    rows = read(name)
    verdicts = [(row, classifier.classify(row.text)) for row in rows]
    ours = score((row, verdict.priority, verdict.review_required) for row, verdict in verdicts)
    plain = score((row, substring_baseline(row.text), False) for row in rows)
    told = [(row.signals, verdict) for row, verdict in verdicts if row.signals and row.right(verdict) and verdict.hits]
    out = [f"== {name}: {len(rows)} rows ==", f"{'':22}{'classifier':>12}{'substring':>12}"]
    for label, value in (
        ("accuracy", lambda s: s.accuracy),
        ("P0 recall", lambda s: s.p0_recall),
        ("false P0 rate", lambda s: s.false_p0_rate),
    ):
        out.append(f"{label:22}{_percent(value(ours)):>12}{_percent(value(plain)):>12}")
    # Of the rows with signals that came out right: all found, the deciding hit has one of them, none that they lack.
    for label, right in (
        ("signals found", [signals <= set(verdict.signals) for signals, verdict in told]),
        ("deciding hit's", [not signals.isdisjoint(verdict.hits[0].signals) for signals, verdict in told]),
        ("no other signals", [_allowed(signals) >= set(verdict.signals) for signals, verdict in told]),
    ):
        out.append(f"{label:22}{_percent(sum(right) / max(len(right), 1)):>12}")
    out += ["", f"{'trap':16}{'rows':>6}{'right':>7}{'substring':>11}  wrong as (label>given)"]
    by_trap: dict[str, list[tuple[Row, str, bool]]] = defaultdict(list)
    for row, verdict in verdicts:
        by_trap[row.trap].append((row, verdict.priority, verdict.review_required))
    for trap, judged in sorted(by_trap.items()):
        mine: Score = score(judged)
        baseline = score((row, substring_baseline(row.text), False) for row, _, _ in judged)
        wrong = Counter(
            f"{row.label}>{priority}"
            for row, priority, review in judged
            if not row.accepts(priority, review_required=review)
        )
        confusion = " ".join(f"{pair}x{count}" for pair, count in sorted(wrong.items()))
        out.append(f"{trap:16}{mine.total:>6}{mine.right:>7}{baseline.right:>11}  {confusion}".rstrip())
    if errors:
        out.append("")
        out += [
            f"{row.label}>{verdict.priority} [{row.trap}] {verdict.matched_keyword or '-'}"
            f" {[hit.text for hit in verdict.hits + verdict.negated_hits]} | {row.text}"
            for row, verdict in verdicts
            if not row.right(verdict)
        ]
        out += [
            f"signals {sorted(row.signals)} not in {sorted(verdict.signals)} | {row.text}"
            for row, verdict in verdicts
            if row.right(verdict) and not set(verdict.signals) >= row.signals
        ]
    return "\n".join(out)


def _allowed(signals: frozenset[str]) -> frozenset[str]:
    """What a verdict may hold: an outage is told in the words of a service that is down."""
    return signals | {"SERVICE_DOWN"} if "OUTAGE" in signals else signals


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "sets", nargs="*", default=SETS, metavar="SET", help="development, held_out, held_out_2, held_out_3"
    )
    parser.add_argument("--errors", action="store_true", help="list the rows that came out wrong")
    arguments = parser.parse_args()
    lexicon = load_lexicon()
    classifier = Classifier(lexicon)
    print(f"lexicon {lexicon.version}\n")
    for name in arguments.sets or SETS:
        print(report(name, classifier, errors=arguments.errors), end="\n\n")


if __name__ == "__main__":
    main()
