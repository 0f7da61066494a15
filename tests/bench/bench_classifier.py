"""Benchmark of the classifier: ``python -m tests.bench.bench_classifier``.

Prints microseconds of CPU time per call (best of several rounds; the machine may be shared), beside plain substring
matching in the same run, and checks the bounds: 300 characters in 60 us, ten times the length in at most twelve times
the time, lexicon load in 150 ms, 23 MB for what stays of it and 28 more while it is loaded. A loop of fixed length
shows how fast the machine is. Exits with 1 when a bound does not hold.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable

from services.domain.errors import InvalidInput
from services.support.domain import phrases
from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import DEFAULT_DIRECTORY, load_lexicon
from services.support.domain.phrases import Phrases
from tests.classifier.labelled import substring_baseline

ARABIC = (
    "السلام عليكم ورحمة الله، نحتاج منكم مراجعة تقرير الأسبوع الماضي مع الفريق، وعندنا استفسار عن الباقة الجديدة "
    "وموعد الاجتماع القادم. كذلك البايلوت ماشي تمام والنتائج ممتازة، ونرغب بإضافة مستخدمين اثنين للوحة التحكم قبل "
    "نهاية الشهر إن أمكن، وشكراً لكم على المتابعة المستمرة والتعاون الدائم معنا."
)
ENGLISH = (
    "Hello team, thank you for the weekly check-in. We would like to review the report of last month together with "
    "our sales lead, and we have a question about the new bundle and the date of the next meeting. The pilot is going "
    "well and the results are good; please add two more users to the dashboard before Thursday."
)
CRITICAL = (
    "مساء الخير، تفاجأنا اليوم بأن أحد العملاء وصلته رسالة منكم باسمنا وحنا ما وافقنا عليها، والرسالة انرسلت الساعة 8 "
    "الصباح بدون علمنا. كذلك we noticed an unauthorized charge on our card، والموقع طايح من أمس ومحد يقدر يدخل. نرجو "
    "الرد بأسرع وقت لأن العميل زعلان."
)
SHORT = "السلام عليكم، متى موعد الاجتماع القادم مع مدير الحساب؟ وشكرا لكم"
SHORT_CRITICAL = "الموقع طايح من الصباح ومحد يقدر يدخل، نحتاج حل عاجل"
SHORT_SENT = "مرحبا، وصلت العميل رسالة بدون موافقتي وهذا غير مقبول أبدا"
SHORT_ENGLISH = "Hello, someone hacked our account last night, please help us now"
SHORT_MIXED = "تم خصم مبلغ من بطاقتنا بدون موافقتنا و we see a data breach"
SHORT_DENIED = "لا يوجد أي تسريب في البيانات والحمد لله، فقط استفسار عن الفاتورة"


def sized(text: str, size: int) -> str:
    """The text repeated and cut to ``size`` characters."""
    return (" ".join([text] * (size // len(text) + 1)))[:size]


def microseconds(call: Callable[[], object], seconds: float = 0.3, rounds: int = 40) -> float:
    """Best mean time of one call over some rounds, in microseconds."""
    start = time.process_time()
    call()
    once = max(time.process_time() - start, 1e-7)
    repeat = max(1, int(seconds / rounds / once))
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(repeat):
            call()
        best = min(best, (time.process_time() - start) / repeat)
    return best * 1e6


def load_milliseconds(rounds: int = 8) -> float:
    """Best time to read, check and compile the lexicon, in milliseconds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        load_lexicon()
        best = min(best, time.process_time() - start)
    return best * 1e3


FIRST_LOAD = """
import time
start = time.process_time()
from services.support.domain.classifier import Classifier
from services.support.domain.lexicon import load_lexicon
Classifier(load_lexicon())
print(time.process_time() - start)
"""


def first_load_milliseconds(rounds: int = 5) -> float:
    """Best time to import the modules (as bytecode) and load the lexicon in a new process, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}
        command = [sys.executable, "-c", FIRST_LOAD]
        return 1e3 * min(float(subprocess.check_output(command, env=environment)) for _ in range(rounds))


def megabytes() -> tuple[float, float]:
    """What a classifier with its lexicon keeps, and what loading takes beyond that for a while."""
    gc.collect()
    tracemalloc.start()
    classifier = Classifier(load_lexicon())
    gc.collect()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del classifier
    return kept / 1e6, (peak - kept) / 1e6


def fixed_loop() -> int:
    total = 0
    for i in range(1_000):
        total += i
    return total


def main() -> int:
    failures = []

    def bound(label: str, value: float, limit: float, unit: str) -> None:
        held = value <= limit
        print(f"{label:44}{value:10.1f} {unit}   bound {limit:g} {unit}   {'ok' if held else 'EXCEEDED'}")
        if not held:
            failures.append(label)

    print(f"{'a loop of 1,000 additions':44}{microseconds(fixed_loop):10.1f} us")
    bound("first load, with imports", first_load_milliseconds(), 150, "ms")
    bound("lexicon load", load_milliseconds(), 150, "ms")
    kept, passing = megabytes()
    bound("lexicon and classifier, kept", kept, 23, "MB")
    bound("more while loading", passing, 28, "MB")
    classifier = Classifier(load_lexicon())

    print(f"\n{'':44}{'classifier':>12}{'substring':>12}  us a call")
    for label, text in (
        ("short, Arabic, nothing found", SHORT),
        ("short, Arabic, P0: outage", SHORT_CRITICAL),
        ("short, Arabic, P0: sent without approval", SHORT_SENT),
        ("short, English, P0: hacked", SHORT_ENGLISH),
        ("short, mixed, P0: charge and breach", SHORT_MIXED),
        ("short, Arabic, denied", SHORT_DENIED),
        ("300 characters, Arabic, nothing found", sized(ARABIC, 300)),
        ("300 characters, English, nothing found", sized(ENGLISH, 300)),
        ("300 characters, Arabic, one P0", sized(ARABIC, 285) + " الموقع طايح"),
        ("300 characters, English, one P0", sized(ENGLISH, 280) + " someone hacked us"),
        ("300 characters, mixed, several P0", sized(CRITICAL, 300)),
    ):
        ours = microseconds(lambda text=text: classifier.classify(text))
        plain = microseconds(lambda text=text: substring_baseline(text))
        print(f"{label:44}{ours:12.1f}{plain:12.1f}")
        if label.startswith("300"):
            bound(f"  {label}", ours, 60, "us")

    print("\nWhere words leave a doubt, beside the above:")
    for label, text in (("Arabic", ARABIC), ("English", ENGLISH)):
        tokens = classifier.tokens_read(sized(text, 300))
        network = Phrases((DEFAULT_DIRECTORY / phrases.FILE).read_bytes())
        network.odds(["ready"])
        start = time.process_time()
        network.odds(tokens)
        new = (time.process_time() - start) * 1e6
        known = microseconds(lambda network=network, tokens=tokens: network.odds(tokens))
        print(f"{'300 characters, ' + label:44}{known:10.1f} us   {new:.0f} us when all its words are new")

    print()
    for label, text in (("Arabic", ARABIC), ("English", ENGLISH), ("mixed, several P0", CRITICAL)):
        small = microseconds(lambda text=text: classifier.classify(sized(text, 2_000)))
        large = microseconds(lambda text=text: classifier.classify(sized(text, 20_000)))
        bound(f"20,000 to 2,000 characters, {label}", large / small, 12, "x")

    print()
    for label, text in (
        ("one word of 20,000 letters", "ا" * 20_000),
        ("50 marks on each letter", ("ت" + "\u064e" * 50) * 392),
        ("20,000 x leak", ("leak " * 4_000)[:20_000]),
        ("20,000 x no", ("no " * 6_667)[:20_000]),
        ("20,000 x sent without approval", ("sent without approval " * 910)[:20_000]),
        ("U+FDFA to the folded bound", "\ufdfa" * 2_200),
    ):
        print(f"hostile: {label:35}{microseconds(lambda text=text: classifier.classify(text)) / 1e3:10.1f} ms")
    for label, text in (("U+FDFA x 20,000", "\ufdfa" * 20_000), ("100,000-character word", "a" * 100_000)):
        start = time.process_time()
        try:
            classifier.classify(text)
        except InvalidInput:
            print(f"hostile: {label:35}{(time.process_time() - start) * 1e3:10.1f} ms, refused")
        else:
            failures.append(label)
    if failures:
        print("\nexceeded: " + ", ".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
