"""Folding and tokenising of Arabic, English and mixed text, with offsets back to what was written.

*Folding* maps every spelling twin to one form: NFKD per character, format characters (bidi and zero-width controls,
soft hyphens) and combining marks (harakat, accents) dropped, tatweel dropped, upper case to lower, the Arabic letter
twins joined (أإآٱ to ا, ى to ي, ؤ to و, ئ to ي, ة to ه, Persian and Urdu letters to their Arabic neighbours), any
decimal digit to ASCII, any dash to ``-``, any apostrophe to ``'``. Every rule looks at one character alone, so the
offset map is a running sum.

*Tokens* are runs of Arabic letters, runs of Latin letters and digits (a change of script ends a token), opaque runs
(URLs, e-mail addresses, domain and file names, identifiers) and punctuation that ends a clause or a sentence.

Offsets are code points, half-open, in the text as it was given.
"""

from __future__ import annotations

import codecs
import functools
import itertools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from services.domain.errors import InvalidInput, Violation

MAX_CHARACTERS = 20_000
"""Longest text that is folded, in code points."""

MAX_FOLDED_CHARACTERS = 40_000
"""Longest folded text: one code point may fold to eighteen, so the first bound alone does not bound the work."""

# The letter twins of the pitfall list, plus letters that Arabic keyboards of other languages produce for the same word.
_LETTERS = {
    "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ٲ": "ا", "ٳ": "ا", "ٵ": "ا",
    "ى": "ي", "ئ": "ي", "ی": "ي", "ې": "ي", "ے": "ي", "ۓ": "ي", "ٸ": "ي",
    "ؤ": "و", "ٶ": "و", "ۇ": "و",
    "ة": "ه", "ۀ": "ه", "ە": "ه", "ہ": "ه", "ۂ": "ه", "ۃ": "ه", "ھ": "ه",
    "ک": "ك", "ڪ": "ك", "گ": "ك", "پ": "ب", "چ": "ج", "ژ": "ز", "ڤ": "ف",
}  # fmt: skip
_APOSTROPHES = "'`´ʹʻʼʽˈ‘’‛′＇"
_DROPPED = "\u0640\u06e5\u06e6\u3164\u115f\u1160\uffa0"  # tatweel, small waw and yeh, Hangul fillers
_BLOCKS = (
    range(0x0250), range(0x02B0, 0x0380), range(0x0600, 0x0780), range(0x08A0, 0x0900), range(0x2000, 0x2070),
    range(0x2100, 0x2150), range(0xFB50, 0xFE10), range(0xFE20, 0xFF00), range(0xFF00, 0xFFF0),
)  # fmt: skip

# Text of these characters alone folds by an eight-bit code page, each to one: ten times faster than a table.
_PLAIN = (
    "".join(map(chr, (*range(0x80), *range(0x0621, 0x063B), *range(0x0641, 0x064B), *range(0x0660, 0x066A)))).translate(
        dict.fromkeys((*range(1, 9), *range(11, 13), *range(14, 32), ord("`"), 0x7F))
    )
    + "،؛؟«»‘’“”–—…\u00a0ٱیکگپچڤژہھ•·€£"
)
# Marks, tatweel and the usual format characters: what most vocalised or copied text has beyond the above.
_MARKS = (
    "".join(
        map(chr, (0xAD, 0x061C, 0x0640, *range(0x064B, 0x0653), 0x0670, *range(0x200B, 0x2010), *range(0x202A, 0x202F)))
    )
    + "\u2066\u2067\u2068\u2069\ufeff"
)
_LIGHT = re.compile(f"[{_MARKS}]+")
_ELONGATED = re.compile(r"([a-zا-ي])\1\1+")
# The classes of folded characters. A: Arabic letter, L: Latin letter, D: digit, S: punctuation that is a token of its own,
# Q: other punctuation, X: what needs a pattern.
_CLASSES = {" ": " ", "\t": " ", "\n": "S", "-": "-", ".": ".", "'": "'"}
_CLASSES |= dict.fromkeys(",،؟?!:;؛…", "S") | dict.fromkeys('"()[]{}<>«»“”%&*+=#|~^$\\€£•·', "Q")
# Between which classes these need no pattern: at the end of a sentence, within a word.
_FINE_BEFORE_AND_AFTER = ((b".", b" ALDQS.'-", b" AQS.'-"), (b"-", b"ALDQ.'", b"ALQ.'"))
_WITHIN_A_NUMBER = re.compile(r"(?<=[0-9])[:،,](?=[0-9])")
# What parts a text without being punctuation: bars, bullets, a slash or plus between spaces, and pictures.
_PARTING = re.compile(r"[|•]|(?<=\s)[/+](?=\s)")
_PICTURES = re.compile("[\u2023\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]+")
_MARKUP = re.compile(
    r"</?(?:(p|br|div|li|ul|ol|tr|td|th|table|h[1-6]|hr|html|body|head|blockquote|pre)"
    r"|a|b|i|u|s|em|strong|span|font|small|big|code|img|sub|sup)(?:\s[^<>]*)?/?>|&nbsp;"
)
_STOPS_TO_SPACE = (".", ",", "،", "؟", "?", "!", ":", "\n", ";", "؛", "…")
_UNUSED = "\ufffe"
# A comma or colon between digits is part of a number or a time.
_TOKEN = (
    r"[ء-يٮ-ۓ]+|[a-z0-9ß-ɏ]+(?:'[a-rt-z][a-z]*)?|[!?؟;؛…\n]|(?<![0-9])[:،,]|[:،,](?![0-9])|\.(?![0-9])|(?<=\s)--?(?=\s)"
)
# The spaces that follow are taken along: trying every alternative at each of them costs more.
_WITHOUT_OPAQUE = re.compile(f"({_TOKEN}) *")
_JOINED = re.compile(r"\.[a-z0-9]|-[0-9]")
_WITH_OPAQUE = re.compile(
    # URL and e-mail address
    r"[a-z][a-z0-9+.]*://[^\s<>«»\"]+|www\.[^\s<>«»\"]+|[a-z0-9][a-z0-9._%+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)*"
    # domain name with path, file name
    r"|(?<![a-z0-9.@])[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|sa|io|co|ai|app|dev|info|biz|gov|edu|example|test|local"
    r"|txt|pdf|csv|xlsx?|docx?|pptx?|json|ya?ml|toml|png|jpe?g|gif|zip|html?|php|py|js|env|log|key|pem)"
    r"(?![a-z0-9])(?:/[^\s<>«»\"]*)?"
    # identifier: snake_case that is not a hashtag, or a hyphenated word that ends in a number of three digits or more
    r"|(?<![#a-z0-9_-])[a-z0-9-]+(?:_+[a-z0-9-]+)+|(?<![#a-z0-9_-])[a-z][a-z0-9]*(?:-[a-z0-9]+)*-[0-9]{3,}(?![a-z0-9])|"
    + _TOKEN
)

HARD_STOPS = frozenset(".!?؟;؛:…")
"""Tokens that end a sentence or a statement."""

SOFT_STOPS = frozenset(["،", ",", "-", "--", "\n"])
"""Tokens that end a clause: commas, a dash between spaces, a line end."""


def fold_character(character: str) -> str:
    """Fold one code point; the result has 0 to 18 code points."""
    if character in _DROPPED:
        return ""
    if character in _APOSTROPHES:
        return "'"
    if character in "\t\n":
        return character
    if character in "\r\x0b\x0c\x85\u2028\u2029":
        return "\n"
    category = unicodedata.category(character)
    if category in ("Cf", "Mn", "Me"):
        return ""
    if category in ("Pd",) or character in "−⁃":
        return "-"
    if category == "Nd":
        return str(unicodedata.decimal(character))
    letters = "".join(
        c for c in unicodedata.normalize("NFKD", character) if unicodedata.category(c) not in ("Cf", "Mn", "Me")
    )
    if letters.isspace() and not character.isspace():
        return ""  # the isolated forms of Arabic marks decompose to a space and the mark
    out = []
    # Upper case first: «ı» and «ſ» have an upper case whose lower case is another letter.
    for c in unicodedata.normalize("NFKD", letters.upper().casefold()):
        if c in _DROPPED or unicodedata.category(c) in ("Cf", "Mn", "Me"):
            continue
        if c in _LETTERS:
            out.append(_LETTERS[c])
        elif unicodedata.category(c) == "Nd":
            out.append(str(unicodedata.decimal(c)))
        else:
            out.append("'" if c in _APOSTROPHES else " " if c.isspace() else c)
    return "".join(out)


Folded = Literal["one to one", "lightly", "by table"]
"""How a text was folded: each character to one; beyond that, marks and controls were dropped; each by the table."""


class _FoldTable(dict[int, str]):
    """Translation table, filled as characters are met; of those outside the usual blocks none is kept: it is bounded."""

    def __missing__(self, code_point: int) -> str:
        folded = fold_character(chr(code_point))
        if any(code_point in block for block in _BLOCKS):
            self[code_point] = folded
        return folded


@functools.cache
def _table() -> _FoldTable:
    return _FoldTable()


class _Page(NamedTuple):
    """An eight-bit code page of the usual characters: which are marks, and of the others what each is folded to.

    ``spaced``: the same with a space for what separates; ``classes``: the class of what each is folded to.
    """

    encoding: Any
    folded: str
    marks: bytes
    spaced: str
    classes: bytes


@functools.cache
def _page() -> _Page:
    characters = _PLAIN + _MARKS
    # An ellipsis folds to three characters, here to itself: it ends a sentence either way.
    folded = [f if len(f := fold_character(c)) == 1 else c for c in _PLAIN]
    classes = [_CLASSES.get(f) or _class_of(f) for f in folded]
    unused = 256 - len(folded)
    return _Page(
        encoding=codecs.charmap_build(characters + _UNUSED * (256 - len(characters))),
        folded="".join(folded) + _UNUSED * unused,
        marks=bytes(range(len(_PLAIN), len(characters))),
        spaced="".join(" " if of in " -Q" else f for f, of in zip(folded, classes, strict=True)) + _UNUSED * unused,
        classes="".join(classes).encode() + b"X" * unused,
    )


def _class_of(character: str) -> str:
    if "a" <= character <= "z":
        return "L"
    if "0" <= character <= "9":
        return "D"
    return "A" if "ء" <= character <= "ي" and character != "\u0640" else "X"


def _too_long(field: str, bound: str) -> InvalidInput:
    return InvalidInput([Violation(field, "TEXT_TOO_LONG", f"must be at most {bound}")])


def fold(text: str, *, field: str = "text") -> str:
    """Fold a text.

    Raises InvalidInput (``TEXT_TOO_LONG``) over 20,000 code points as given, or over 40,000 once folded.
    """
    return fold_noting(text, field=field)[0]


def fold_noting(text: str, *, field: str = "text") -> tuple[str, Folded]:
    """``fold``, and how: ``Offsets`` need not find it out again."""
    folded, how, _ = _fold(text, field)
    return folded, how


def fold_and_tokenize(text: str, *, field: str = "text") -> tuple[str, Folded, list[str]]:
    """``fold_noting`` and the tokens of the folded and `parted` text, in two thirds of the time of one after the other."""
    folded, how, letters = _fold(text, field)
    cut = parted(folded, how)
    if cut is not folded:
        return cut, how, tokenize(cut)
    return folded, how, (_tokenize_simple(letters) if letters else None) or _tokenize_by_pattern(folded)


def parted(folded: str, how: Folded) -> str:
    """A folded text with commas for what parts it without being punctuation, and spaces for the marks of HTML.

    As long as before: what stands where does not change.
    """
    if how == "by table":
        folded = _PICTURES.sub(lambda some: ",".ljust(len(some[0])), folded)
    if "|" in folded or "•" in folded or "/" in folded or "+" in folded:
        folded = _PARTING.sub(",", folded)
    if "\t" in folded:
        folded = "\n".join(map(_cells, folded.split("\n")))
    if "<" in folded or "&nbsp;" in folded:
        folded = _MARKUP.sub(lambda mark: ("\n" if mark[1] else " ").ljust(len(mark[0])), folded)
    return folded


def _cells(line: str) -> str:
    """A line with commas for tabs, if it is a row of a table: it has two or more, and spaces in its cells."""
    return line.replace("\t", ",") if line.count("\t") > 1 and " " in line else line


def _fold(text: str, field: str) -> tuple[str, Folded, bytes]:
    """The folded text, how it was folded, and its letters by the code page, none where it does not hold all."""
    if len(text) > MAX_CHARACTERS:
        raise _too_long(field, f"{MAX_CHARACTERS} characters")
    page = _page()
    try:
        encoded, _ = codecs.charmap_encode(text, "strict", page.encoding)
    except UnicodeEncodeError:
        return _folded_by_table(text, field), "by table", b""
    letters = encoded.translate(None, page.marks)
    folded, _ = codecs.charmap_decode(letters, "strict", page.folded)
    return folded, "one to one" if len(letters) == len(text) else "lightly", letters


def _folded_by_table(text: str, field: str) -> str:
    folded = text.translate(_table())
    if len(folded) > MAX_FOLDED_CHARACTERS:
        ligatures = "which writes out ligatures and signs: U+FDFA alone becomes 18"
        raise _too_long(field, f"{MAX_FOLDED_CHARACTERS} characters after folding, {ligatures}")
    return folded


def tokenize(folded: str) -> list[str]:
    """The tokens of a folded text, in order, as they are written in it."""
    page = _page()
    try:
        letters, _ = codecs.charmap_encode(folded, "strict", page.encoding)
    except UnicodeEncodeError:
        return _tokenize_by_pattern(folded)
    return _tokenize_simple(letters) or _tokenize_by_pattern(folded)


def _tokenize_by_pattern(folded: str) -> list[str]:
    pattern = _WITHOUT_OPAQUE
    if "@" in folded or "_" in folded or "/" in folded or _JOINED.search(folded) is not None:
        pattern = _WITH_OPAQUE
    tokens: list[str] = pattern.findall(folded)
    return tokens


def _tokenize_simple(letters: bytes) -> list[str] | None:
    """The tokens of a text that can be cut at spaces, as most can; a pattern costs four times as much."""
    page = _page()
    classes = b" " + letters.translate(page.classes) + b" "
    if b"X" in classes:
        return None
    if b"A" in classes:
        for other in (b"L", b"D"):
            if other in classes and (b"A" + other in classes or other + b"A" in classes):
                return None
    for mark, fine_before, fine_after in _FINE_BEFORE_AND_AFTER:
        at = classes.find(mark)
        while at > 0:
            if classes[at - 1] not in fine_before or classes[at + 1] not in fine_after:
                return None
            at = classes.find(mark, at + 1)
    spaced, _ = codecs.charmap_decode(letters, "strict", page.spaced)
    if b"DSD" in classes:
        spaced = _WITHIN_A_NUMBER.sub(" ", spaced)
    for stop in _STOPS_TO_SPACE:
        if stop in spaced:
            spaced = spaced.replace(stop, f" {stop} ")
    # Not split(), which would lose the line ends.
    tokens = [token for token in spaced.split(" ") if token] if "\n" in spaced else spaced.split()
    if "'" in spaced:
        tokens = [part for token in tokens for part in (_WITHOUT_OPAQUE.findall(token) if "'" in token else (token,))]
    return tokens


def written_once(folded: str, tokens: list[str], *, every_letter: bool = False) -> list[str]:
    """The tokens with letters drawn out three times or more («طااااح») written once.

    Looks for the letters that people draw out, or with ``every_letter``, which costs more, for all of them.
    """
    if every_letter or _drawn_out(folded):
        return [_ELONGATED.sub(r"\1", token) for token in tokens]
    return tokens


def _drawn_out(folded: str) -> bool:
    # Written out: a loop would cost twice as much, a regular expression five times.
    return (
        "ااا" in folded or "ووو" in folded or "ييي" in folded or "ههه" in folded or "ححح" in folded
        or "ررر" in folded or "للل" in folded or "aaa" in folded or "eee" in folded or "iii" in folded
        or "ooo" in folded or "uuu" in folded
    )  # fmt: skip


def token_starts(folded: str, tokens: Sequence[str], count: int) -> list[int]:
    """Where the first ``count`` tokens of ``tokenize`` begin in the folded text."""
    starts = []
    position = 0
    for token in itertools.islice(tokens, count):
        position = folded.index(token, position)
        starts.append(position)
        position += len(token)
    return starts


class Offsets:
    """Maps half-open spans of a folded text back to the text as it was given.

    A span grows to whole original characters, and takes along the marks and format characters inside it; those that
    follow its last letter (a final haraka) belong to it too.
    """

    __slots__ = ("_dropped", "_ends", "_positions", "_text")

    def __init__(self, text: str, how: Folded | None = None) -> None:
        self._text = text
        self._ends: list[int] | None = None
        # Where something was dropped, in the folded text, and how much up to there.
        self._positions: list[int] = []
        self._dropped: list[int] = [0]
        if how is None:
            how = fold_noting(text)[1]
        if how == "one to one":
            return
        if how == "lightly":
            dropped = 0
            for match in _LIGHT.finditer(text):
                start, end = match.span()
                self._positions.append(start - dropped)
                dropped += end - start
                self._dropped.append(dropped)
            return
        table = _table()
        self._ends = list(itertools.accumulate([len(table[ord(c)]) for c in text]))

    def _at(self, position: int) -> int:
        if self._ends is not None:
            return bisect_right(self._ends, position)
        return position + self._dropped[bisect_right(self._positions, position)]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span in the original text of ``folded[start:end]``, ``start < end``."""
        first = self._at(start)
        last = self._at(end - 1) + 1
        while last < len(self._text) and unicodedata.category(self._text[last]) == "Mn":
            last += 1
        return first, last


def _words(folded: str) -> list[str]:
    return written_once(folded, tokenize(folded))


def words(text: str) -> Iterator[str]:
    """Folded word tokens of a text, without punctuation."""
    return (token for token in _words(fold(text)) if token not in HARD_STOPS and token not in SOFT_STOPS)
