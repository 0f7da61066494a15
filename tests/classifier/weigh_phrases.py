"""Learn phrases from the labelled tickets: ``python -m tests.classifier.weigh_phrases`` writes ``lexicon/phrases.bin``.

A small convolutional network (PyTorch; ``pip install -e '.[weigh]'``) over the rows that `tests.classifier.weigh` learns
from, in some twenty minutes on two cores: the parts of words have embeddings and points; filters look at a word and up to two
words on each side; a filter's strongest answer in the text counts. Its numbers are then rounded to the whole numbers that
``services/support/domain/phrases.py`` reads. Run `tests.classifier.weigh` first if rows have changed, and
``customer-ops lint-lexicon --record`` afterwards.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from services.domain.arabic import HARD_STOPS
from services.support.domain.classifier import Classifier
from services.support.domain.forms import is_arabic
from services.support.domain.lexicon import DEFAULT_DIRECTORY, load_lexicon
from services.support.domain.phrases import FILE, POINTS, THRESHOLD, Shape, bucket_of, parts_of_marked, written
from services.support.domain.weights import VERDICTS
from tests.classifier.labelled import read_pieces
from tests.classifier.weigh import COMBINED, MOST_PIECES, Others, column_of, rows, with_slips

SHAPE = Shape(
    buckets=32_768,
    width=48,
    looks=((0, 128), (1, 96), (-1, 64), (-2, 32), (2, 32)),
    word_unit=1.0,
    filter_unit=1.0,
    start=(0.0,) * POINTS,
)
ROUNDS = 8
AT_ONCE = 64
RATE = 2e-3
# How many words are hidden, and how many filters silenced, while learning: no single one may decide.
HIDDEN_WORDS = 0.2
HIDDEN_FILTERS = 0.4
# How many tickets get others around them: what matters may be said in passing, and a long letter is not critical because it
# is long. What joins them, and how often: the empty one is none at all.
JOINED = 0.2
JOINTS = {".": 0.2, "\n": 0.15, ",": 0.1, "،": 0.1, "and": 0.25, "": 0.2}
# How often a ticket gets pieces that say nothing of the matter, also one of a list of combinations.
ACCOMPANIED = 0.25
# Combinations of phrases teach few things each; every round sees another part of them.
OF_COMBINATIONS = 0.3
LONGEST = 140
COLUMNS = [*(v.code for v in VERDICTS), "3"]


@dataclass(frozen=True)
class Example:
    """A ticket's tokens, the number of its verdict in `COLUMNS`, how much it counts, and whether it is a combination."""

    tokens: list[str]
    column: int
    share: float
    combined: bool = False


class Words:
    """The words of some examples by number, 0 for none, and the buckets of their parts."""

    def __init__(self, examples: Sequence[Example], buckets: int) -> None:
        self.numbers = numbers = {word: number for number, word in enumerate(filter(None, JOINTS), start=1)}
        self.rows = [np.array([numbers.setdefault(t, len(numbers) + 1) for t in e.tokens[:LONGEST]]) for e in examples]
        # The first word with «و» joined to it, where it is an Arabic one.
        self._and = {
            row: numbers.setdefault("و" + e.tokens[0], len(numbers) + 1)
            for row, e in enumerate(examples)
            if e.tokens and is_arabic(e.tokens[0])
        }
        self._stops = {numbers[stop] for stop in HARD_STOPS | {"\n"} if stop in numbers}
        parts = [[buckets], *([bucket_of(part, buckets) for part in parts_of_marked(word)] for word in numbers)]
        self._parts = np.array([bucket for few in parts for bucket in few])
        self._ends = np.cumsum([len(few) for few in parts])

    def joined(self, rows: Iterable[int], chance: random.Random) -> np.ndarray:
        """The words of some rows one after another, joined as people join what they have to say."""
        said: list[int] = []
        for row in rows:
            words = self.rows[row].tolist()
            if said:
                joint = chance.choices([*JOINTS], [*JOINTS.values()])[0]
                while joint not in (".", "\n") and len(said) > 1 and said[-1] in self._stops:
                    said.pop()
                if joint == "and" and row in self._and:
                    words[0] = self._and[row]
                elif joint:
                    said.append(self.numbers[joint])
            said += words
        return np.array(said)

    def bags(self, words: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """The buckets of some words one after another, and where each word begins."""
        counts = np.diff(self._ends, prepend=0)[words]
        starts = np.cumsum(counts) - counts
        places = np.repeat(self._ends[words] - counts - starts, counts) + np.arange(counts.sum())
        return torch.from_numpy(self._parts[places]), torch.from_numpy(starts)

    def batch(self, rows: Sequence[np.ndarray], around: int, hide: float = 0) -> tuple[torch.Tensor, ...]:
        """The bags of the words of some rows, which of them stands where, where words stand at all, and where new ones."""
        longest = max(1, *map(len, rows)) + 2 * around
        table = np.zeros((len(rows), longest), dtype=np.int64)
        there = np.zeros(table.shape, dtype=bool)
        new = np.zeros(table.shape, dtype=bool)
        for line, row in enumerate(rows):
            table[line, around : around + len(row)] = row
            there[line, around : around + len(row)] = True
            new[line, around + np.unique(row, return_index=True)[1]] = True
        if hide:
            table[np.random.rand(*table.shape) < hide] = 0
        words, places = np.unique(table, return_inverse=True)
        standing = torch.from_numpy(places.reshape(table.shape))
        return *self.bags(words), standing, torch.from_numpy(there), torch.from_numpy(new)


class Network(nn.Module):
    """The network of ``services/support/domain/phrases.py`` with fractions instead of whole numbers."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.around = max(abs(place) for place, _ in shape.looks)
        bag = {"mode": "sum", "padding_idx": shape.buckets}
        self.embeddings = nn.EmbeddingBag(shape.buckets + 1, shape.width, **bag)
        self.points = nn.EmbeddingBag(shape.buckets + 1, len(COLUMNS), **bag)
        self.looks = nn.ModuleList(nn.Linear(shape.width, count, bias=False) for _, count in shape.looks)
        self.thresholds = nn.Parameter(torch.zeros(shape.filters))
        self.voices = nn.Linear(shape.filters, len(COLUMNS))
        self.hide_filters = nn.Dropout(HIDDEN_FILTERS)
        self.hide_dimensions = nn.Dropout(HIDDEN_FILTERS / 2)
        nn.init.normal_(self.embeddings.weight, 0, 0.1)
        nn.init.zeros_(self.points.weight)
        self.embeddings.weight.data[shape.buckets] = 0

    def forward(
        self, parts: torch.Tensor, starts: torch.Tensor, places: torch.Tensor, there: torch.Tensor, new: torch.Tensor
    ) -> torch.Tensor:
        """The points of each verdict, a row for each text."""
        words = self.hide_dimensions(self.embeddings(parts, starts))
        answers = torch.zeros(*places.shape, self.shape.filters) + self.thresholds
        for look, (place, count) in zip(self.looks, self.shape.looks, strict=True):
            answers[:, :, :count] += torch.roll(look(words)[places], -place, 1)
        strongest = answers.masked_fill(~there[:, :, None], -1e4).max(1)[0].relu()
        own = (self.points(parts, starts)[places] * new[:, :, None]).sum(1)
        return self.voices(self.hide_filters(strongest)) + own


def learn(examples: Sequence[Example], pieces: Sequence[Example] = (), shape: Shape = SHAPE, seed: int = 1) -> Network:
    """A network that has learnt the examples; ``pieces`` stand beside any of them and say nothing."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    chance = random.Random(seed)
    words = Words([*examples, *pieces], shape.buckets)
    network = Network(shape)
    single = {row: COLUMNS[e.column] for row, e in enumerate(examples) if e.tokens and not e.combined}
    others = Others(single, chance)

    def row(number: int) -> np.ndarray:
        rows = [number]
        if number in single and chance.random() < JOINED:
            rows += others.beside(number)
        if pieces and chance.random() < ACCOMPANIED:
            rows += chance.choices(range(len(examples), len(words.rows)), k=chance.randint(1, MOST_PIECES))
        if len(rows) == 1:
            return words.rows[number]
        chance.shuffle(rows)
        return words.joined(rows, chance)

    learner = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    for turn in range(ROUNDS):
        seen = [n for n, e in enumerate(examples) if e.tokens and (not e.combined or chance.random() < OF_COMBINATIONS)]
        # Texts of about the same length go together.
        seen.sort(key=lambda n: len(examples[n].tokens) + chance.random() * 6)
        batches = [seen[at : at + AT_ONCE] for at in range(0, len(seen), AT_ONCE)]
        chance.shuffle(batches)
        network.train()
        total = 0.0
        for done, batch in enumerate(batches):
            for group in learner.param_groups:
                group["lr"] = RATE * (1 - (turn + done / len(batches)) / ROUNDS)
            wanted = torch.tensor([examples[n].column for n in batch])
            shares = torch.tensor([examples[n].share for n in batch])
            loss = nn.functional.cross_entropy(
                network(*words.batch([*map(row, batch)], network.around, HIDDEN_WORDS)),
                wanted,
                reduction="none",
                label_smoothing=0.02,
            )
            loss = (loss * shares).sum() / shares.sum()
            learner.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            learner.step()
            total += loss.item()
        print(f"round {turn + 1} of {ROUNDS}: loss {total / len(batches):.3f}", flush=True)
    return network.eval()


def rounded(network: Network) -> bytes:
    """The file of a network: its numbers as signed bytes, on scales that fit nearly all of them."""
    shape = network.shape

    def in_bytes(values: torch.Tensor, share: float = 0.9999) -> tuple[np.ndarray, float]:
        found = values.detach().numpy()
        unit = float(np.quantile(np.abs(found), share)) / 127
        return np.clip(np.round(found / unit), -127, 127).astype(np.int8), unit

    def against_p3(values: torch.Tensor) -> torch.Tensor:
        return values[..., :POINTS] - values[..., POINTS:]

    embeddings, of_embedding = in_bytes(network.embeddings.weight[: shape.buckets])
    points, word_unit = in_bytes(against_p3(network.points.weight[: shape.buckets]))
    every_look = torch.cat([look.weight.T.flatten() for look in network.looks])
    looks, of_look = in_bytes(every_look)
    voices, of_voice = in_bytes(against_p3(network.voices.weight.T), 1.0)
    # What a threshold of 1 is in the whole numbers of an answer.
    scale = 1 / (of_embedding * of_look)
    thresholds = np.clip(np.round(network.thresholds.detach().numpy() * scale), -THRESHOLD, THRESHOLD)
    told = replace(
        shape,
        word_unit=word_unit,
        filter_unit=of_voice / scale,
        start=tuple(round(value, 4) for value in against_p3(network.voices.bias).tolist()),
    )
    sections = [embeddings, points, looks, thresholds.astype("<i4"), voices]
    return written(told, [section.tobytes() for section in sections])


def examples_of(classifier: Classifier) -> Iterator[Example]:
    """The labelled rows that have a verdict."""
    # Pairs that mislead brought phrases nothing.
    written = rows(classifier, misleading=False)
    for row, share in (*written, *with_slips(written)):
        column = column_of(classifier, row)
        if column is not None:
            tokens = classifier.tokens_read(row.text)
            yield Example(tokens, COLUMNS.index(column), share, combined=row.trap == COMBINED)


def main() -> None:
    classifier = Classifier(load_lexicon())
    examples = list(examples_of(classifier))
    pieces = [Example(classifier.tokens_read(piece.text), 0, 0.0) for piece in read_pieces("beside")]
    content = rounded(learn(examples, pieces))
    (DEFAULT_DIRECTORY / FILE).write_bytes(content)
    print(f"{len(examples)} rows -> {FILE}, {len(content) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
