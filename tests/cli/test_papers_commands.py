"""Freezes and the papers of an incident from the command line, against a real stack."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from customer_ops.exits import EXIT_REFUSED, EXIT_USAGE
from tests.cli.conftest import Ended, run_command

AS = ("--as", "operator-1")
DPO = ("--as", "dpo-1", "--role", "dpo")
CUSTOMER = "yanbu-steel-test"


def done(stack: str, *arguments: str) -> str:
    """What a command prints that has to succeed."""
    ended = run_command(stack, *arguments)
    assert ended.code == 0, ended.err
    return ended.out


def answer_of(stack: str, *arguments: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(done(stack, *arguments, "--json"))
    return made


def written(folder: Path, name: str, content: object) -> str:
    """A file with JSON."""
    path = folder / name
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return str(path)


def after(**passed: float) -> str:
    return (datetime.now(UTC) + timedelta(**passed)).isoformat(timespec="seconds").replace("+00:00", "Z")


def both(arabic: str, english: str) -> dict[str, str]:
    return {"text_ar": arabic, "text_en": english}


@pytest.fixture(scope="module")
def leak(stack: str) -> str:
    declared = answer_of(
        stack,
        "incidents",
        "declare",
        "تسربت قائمة",
        "--data-leak",
        "--customer",
        CUSTOMER,
        "--aware",
        after(hours=-1),
        *AS,
    )
    incident_id: str = declared["incident"]["incident_id"]
    return incident_id


def refused_by(ended: Ended, reason: str) -> None:
    assert ended.code == EXIT_REFUSED, ended.out
    assert len(ended.error_lines) == 1
    assert reason in ended.err


def test_a_freeze_from_its_suggestion_to_its_release(stack: str, leak: str) -> None:
    said = done(stack, "freezes", "evaluate", "whatsapp", "--sent", "1000", "--blocked", "31", "--customer", CUSTOMER)
    for part in ("31 of 1,000", "above", "يُقترح تجميد القناة", "live_send_allowed=false"):
        assert part in said
    scope = ("--channel", "whatsapp", "--customer", CUSTOMER)
    made = answer_of(stack, "freezes", "freeze", "--reason", "الحظر فوق الحد", *scope, "--incident", leak, *AS)
    freeze_id = made["freeze"]["freeze_id"]
    listed = done(stack, "freezes", "list", "--customer", CUSTOMER)
    for part in (freeze_id, "holds", "whatsapp"):
        assert part in listed
    assert "Still frozen" not in listed
    other = answer_of(stack, "freezes", "freeze", "--reason", "شكاوى", *scope, *AS)["freeze"]["freeze_id"]
    released = done(stack, "freezes", "release", freeze_id, "--reason", "راجع المؤسس", "--as", "founder-1")
    for part in ("released by", "founder-1", "Still frozen by:", other, "ما زالت مجمّدة"):
        assert part in released
    refused_by(
        run_command(stack, "freezes", "release", freeze_id, "--reason", "again", "--as", "founder-1"), "FREEZE_RELEASED"
    )
    done(stack, "freezes", "release", other, "--reason", "راجع المؤسس", "--as", "founder-1")
    history = done(stack, "freezes", "history", "--customer", CUSTOMER)
    assert freeze_id in history
    assert other in history
    assert "No freezes" in done(stack, "freezes", "list", "--customer", CUSTOMER)


def test_a_freeze_without_a_scope_is_refused_by_name(stack: str) -> None:
    ended = run_command(stack, "freezes", "freeze", "--reason", "x", *AS)
    refused_by(ended, "channel")
    assert "customer_id" in ended.err


def test_a_post_mortem_to_its_gate(stack: str, leak: str, tmp_path: Path) -> None:
    begun = done(stack, "post-mortem", "draft", leak, *AS)
    for part in ("مسودة", "draft", "section missing", "summary_ar", "ينقص"):
        assert part in begun
    refused_by(run_command(stack, "post-mortem", "submit", leak, *AS), "POST_MORTEM_INCOMPLETE")
    text = both("سبب واضح", "A plain cause")
    content = {
        "summary": text,
        "timeline": [{"occur_time": after(hours=-2), "text": text}],
        "root_cause": text,
        "what_went_well": text,
        "what_went_wrong": text,
        "action_items": [{"title": text, "owner": "operator-17", "due_time": after(days=7)}],
    }
    done(stack, "post-mortem", "update", leak, "--file", written(tmp_path, "pm.json", content), *AS)
    done(stack, "post-mortem", "submit", leak, *AS)
    ended = run_command(stack, "post-mortem", "sign-off", leak, "legal_review", "--revision", "2", *AS)
    refused_by(ended, "LEGAL_ROLE_REQUIRED")
    signed = done(stack, "post-mortem", "sign-off", leak, "legal_review", "--revision", "2", *DPO)
    for part in ("قيد المراجعة", "legal review", "dpo-1", f"consent of customer {CUSTOMER}"):
        assert part in " ".join(signed.split())
    refused_by(run_command(stack, "post-mortem", "publishable", leak, *AS), "POST_MORTEM_INCOMPLETE")
    assert leak in done(stack, "post-mortem", "list")
    shown = answer_of(stack, "post-mortem", "show", leak)
    assert {gap["kind"] for gap in shown["post_mortem"]["missing"]} >= {"POST_MORTEM_GAP_KIND_CUSTOMER_CONSENT"}


def test_a_notice_filed_and_supplemented(stack: str, leak: str, tmp_path: Path) -> None:
    blocks: dict[str, Any] = {"event": {"description": both("وصلت رسالة إلى من لا يحق له", "")}}
    said = done(stack, "notice", "update", leak, "--file", written(tmp_path, "n.json", blocks), *AS)
    for part in ("ناقص", "partial", "غائب", "not filed yet", "Missing:", "إشعار بحادث تسرب"):
        assert part in said
    file = ("notice", "file", leak, "--reference", "SDAIA-7", *DPO)
    refused_by(run_command(stack, *file), "NOTICE_INCOMPLETE")
    assert "filed as it stands" in done(stack, *file, "--incomplete-reason", "التحقيق جارٍ")
    blocks["scope"] = {"people": 80}
    assert "a supplement is due" in done(
        stack, "notice", "update", leak, "--file", written(tmp_path, "n.json", blocks), *AS
    )
    assert "SDAIA-7/2" in done(stack, "notice", "supplement", leak, "--reference", "SDAIA-7/2", *DPO)
    assert "filed as it stands" in done(stack, "notice", "show", leak)


def test_a_communication_previewed_and_drafted(stack: str, leak: str, tmp_path: Path) -> None:
    facts = {
        "what_happened": both("توقف واتساب لدى 5 عملاء", "WhatsApp is down for 6 customers"),
        "next_update_time": after(hours=1),
    }
    ended = run_command(
        stack, "communication", "preview", "sev1_first_hour", "--file", written(tmp_path, "c.json", facts)
    )
    refused_by(ended, "PARITY_BROKEN")
    facts["what_happened"] = both("توقف واتساب لدى 5 عملاء", "WhatsApp is down for 5 customers")
    file = ("--file", written(tmp_path, "c.json", facts))
    preview = done(stack, "communication", "preview", "sev1_first_hour", *file)
    for part in ("DRAFT", "توقف واتساب لدى 5 عملاء", "WhatsApp is down for 5 customers", "not sent"):
        assert part in preview
    made = done(stack, "communication", "draft", leak, "sev1_first_hour", *file, "--channel", "email", *AS)
    for part in ("DRAFT", CUSTOMER, "WhatsApp is down for 5 customers"):
        assert part in made


def test_two_texts_compared(stack: str, tmp_path: Path) -> None:
    arabic, english = tmp_path / "ar.txt", tmp_path / "en.txt"
    arabic.write_text("تأثر 5 عملاء", encoding="utf-8")
    english.write_text("6 customers are affected", encoding="utf-8")
    files = ("--ar-file", str(arabic), "--en-file", str(english))
    assert "number" in done(stack, "communication", "parity", *files)
    english.write_text("5 customers are affected", encoding="utf-8")
    assert "same numbers" in done(stack, "communication", "parity", *files)


@pytest.mark.parametrize("text", ["not json", '{"no_such_field": 1}'])
def test_a_file_that_is_no_such_text_is_wrong_usage(stack: str, leak: str, tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    for arguments in (
        ("post-mortem", "update", leak),
        ("notice", "update", leak),
        ("communication", "preview", "sev2"),
    ):
        ended = run_command(stack, *arguments, "--file", str(path), *(AS if "preview" not in arguments else ()))
        assert ended.code == EXIT_USAGE
        assert len(ended.error_lines) == 1
