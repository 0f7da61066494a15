"""The catalogue says what the business says, and a faulty one does not load."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from services.domain.claims import ClaimChecker, load_claims
from services.domain.texts import Bilingual, TextsError
from services.onboarding.domain import catalog as catalog_module
from services.onboarding.domain.catalog import Catalog, ConnectorMode, ConnectorState, Party, load_catalog

# id, minutes, approval, input, day
STEPS = [
    ("select_goal", 2, False, "goal", 1),
    ("select_bundle", 3, True, "bundle_id", 1),
    ("company_intake", 5, False, "company_profile", 1),
    ("connect_channels", 8, True, "channels_oauth", 2),
    ("upload_or_source", 5, True, "list_or_source", 3),
    ("risk_review", 4, True, None, 3),
    ("first_service_run", None, True, None, 4),
    ("first_proof_pack", None, False, None, 5),
]

# key, mode, phase, blocking, flag, requirement ids, scopes
CONNECTORS = [
    (
        "gmail",
        "draft_only",
        1,
        False,
        "GMAIL_ALLOW_LIVE_SEND",
        {"message_approval"},
        ("gmail.compose", "gmail.modify"),
    ),
    (
        "google_calendar",
        "draft_only",
        1,
        False,
        "CALENDAR_ALLOW_LIVE_INSERT",
        {"event_approval"},
        ("calendar.events",),
    ),
    (
        "google_sheets",
        "approved_execute",
        1,
        False,
        None,
        {"sensitive_fields_approval", "append_only", "never_overwrite"},
        ("sheets.readonly", "sheets"),
    ),
    (
        "moyasar",
        "manual",
        1,
        False,
        None,
        {"manual_in_phase_1", "no_api_keys", "invoice_by_founder", "amounts_in_halalas"},
        (),
    ),
    (
        "whatsapp_cloud",
        "draft_only",
        1,
        True,
        "WHATSAPP_ALLOW_LIVE_SEND",
        {"opt_in_per_number", "message_approval", "approved_template"},
        (),
    ),
    ("website_forms", "approved_execute", 1, False, None, {"opt_in_in_form"}, ()),
    (
        "linkedin_lead_forms",
        "ingest_only",
        2,
        False,
        None,
        {"lead_forms_only", "no_scraping", "no_automatic_dm", "hidden_fields"},
        (),
    ),
    (
        "google_business_profile",
        "draft_only",
        2,
        False,
        "GBP_ALLOW_LIVE_REPLY",
        {"reply_approval"},
        ("business.manage", "reviews.read"),
    ),
    (
        "crm_generic",
        "draft_only",
        2,
        False,
        None,
        {"known_system", "read_only_first_week", "write_approval", "owner_never_overwritten"},
        (),
    ),
    (
        "google_meet",
        "ingest_only",
        2,
        False,
        None,
        {"consent_of_every_participant"},
        ("meetings.space.readonly", "conferenceRecords.transcripts.readonly"),
    ),
    ("instagram_graph", "ingest_only", 3, False, None, {"ingest_only"}, ()),
]


def test_eight_steps_in_order_with_their_facts(catalog: Catalog) -> None:
    assert [(s.id, s.minutes, s.requires_approval, s.input, s.day) for s in catalog.steps] == STEPS
    assert [s.number for s in catalog.steps] == list(range(1, 9))
    assert [s.id for s in catalog.steps if s.asynchronous] == ["first_service_run", "first_proof_pack"]
    assert [s.id for s in catalog.steps if s.drafts_only] == ["connect_channels"]


def test_order_rules_are_the_two_of_the_business(catalog: Catalog) -> None:
    rules = {s.id: (s.requires, s.requires_readiness) for s in catalog.steps if s.requires or s.requires_readiness}
    assert rules == {
        "first_service_run": (("risk_review",), True),
        "first_proof_pack": (("first_service_run",), False),
    }


def test_eleven_connectors_with_their_facts(catalog: Catalog) -> None:
    found = [
        (
            c.key,
            c.default_mode.value,
            c.phase,
            c.blocking,
            c.live_action.flag,
            {r.id for r in c.live_action.requirements},
            c.scopes,
        )
        for c in catalog.connectors
    ]
    assert found == CONNECTORS


def test_particulars_of_single_connectors(catalog: Catalog) -> None:
    by_key = {c.key: c for c in catalog.connectors}
    assert by_key["linkedin_lead_forms"].hidden_fields == ("campaign_name", "sector", "sales_owner")
    assert by_key["crm_generic"].systems == ("HubSpot", "Salesforce", "Zoho", "Close")
    assert by_key["moyasar"].set_up_by is Party.FOUNDER
    assert [c.key for c in catalog.connectors if c.needs_opt_in_audit] == ["whatsapp_cloud"]


def test_live_action_needs_name_the_flag_and_every_requirement_in_both_languages(catalog: Catalog) -> None:
    for connector in catalog.connectors:
        needs = connector.live_action_needs
        for requirement in connector.live_action.requirements:
            assert requirement.text.ar in needs.ar
            assert requirement.text.en in needs.en
        flag = [connector.live_action.flag] if connector.live_action.flag else []
        assert needs.ar == " + ".join([*flag, *(one.text.ar for one in connector.live_action.requirements)])
        assert needs.en == " + ".join([*flag, *(one.text.en for one in connector.live_action.requirements)])
        if connector.live_action.flag:
            assert needs.ar.startswith(connector.live_action.flag)
            assert needs.en.startswith(connector.live_action.flag)


def test_six_bundles_four_recoveries_and_a_guide_for_each_connector(catalog: Catalog) -> None:
    assert [b.id for b in catalog.bundles] == list(catalog_module.BUNDLE_IDS)
    assert [(r.id, r.step_id, [a.id for a in r.actions]) for r in catalog.recoveries] == [
        ("gmail_oauth_failed", "connect_channels", ["check_scopes", "retry", "fall_back_to_drafts"]),
        ("moyasar_invoice_not_connected", "connect_channels", ["manual_dashboard"]),
        ("no_list_uploaded", "upload_or_source", ["free_diagnostic", "recommended_accounts"]),
        ("risk_review_found_problem", "risk_review", ["stop", "report_to_founder"]),
    ]
    assert list(catalog.guides) == [c.key for c in catalog.connectors]
    for connector in catalog.connectors:
        guide = catalog.guides[connector.key]
        assert guide.scopes == connector.scopes
        assert guide.steps
        assert guide.acceptance
        assert guide.troubleshooting


@pytest.mark.parametrize(
    ("key", "trouble", "words"),
    [
        ("gmail", "oauth_callback", "redirect_uri"),
        ("whatsapp_cloud", "webhook_401", "verify_token"),
        ("moyasar", "invoice_url_missing", "e-mail settings"),
        ("google_sheets", "quota_exceeded", "second sheet"),
        ("google_calendar", "calendar_conflict", "free/busy"),
    ],
)
def test_known_troubles_are_explained(catalog: Catalog, key: str, trouble: str, words: str) -> None:
    found = next(t for t in catalog.guides[key].troubleshooting if t.id == trouble)
    assert words in found.fix.en


def _texts(value: object) -> list[Bilingual]:
    """Every wording anywhere in the catalogue."""
    if isinstance(value, Bilingual):
        return [value]
    if value is None or isinstance(value, str | int):
        return []
    if isinstance(value, tuple):
        return [t for item in value for t in _texts(item)]
    if hasattr(value, "items"):
        return [t for item in value.values() for t in _texts(item)]
    return [t for name in value.__dataclass_fields__ for t in _texts(getattr(value, name))]  # type: ignore[attr-defined]


def test_every_text_stands_in_both_languages_and_claims_nothing_prohibited(catalog: Catalog) -> None:
    claims = ClaimChecker(load_claims())
    texts = _texts(catalog)
    assert len(texts) > 150
    for text in texts:
        assert re.search("[\u0621-\u064a]", text.ar), text
        assert text.en.strip(), text
        assert not re.search("[\u0621-\u064a]", text.en), text
        assert claims.check(text.ar) == ()
        assert claims.check(text.en) == ()
        assert text.ar == text.ar.strip()
        assert "  " not in text.ar + text.en


def test_ids_are_unique_where_one_is_looked_up(catalog: Catalog) -> None:
    for connector in catalog.connectors:
        for ids in (
            [r.id for r in connector.live_action.requirements],
            [t.id for t in catalog.guides[connector.key].troubleshooting],
        ):
            assert len(set(ids)) == len(ids), (connector.key, ids)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("steps.toml", 'id = "select_goal"', 'id = "pick_goal"', "step"),
        ("steps.toml", "minutes = 2", "minuets = 2", "minuets"),
        ("steps.toml", 'requires = ["risk_review"]', 'requires = ["first_proof_pack"]', "requires"),
        ("bundles.toml", 'id = "data_to_revenue"', 'id = "growth_starter"', "bundle"),
        ("bundles.toml", 'name_en = "Growth Starter"', 'name_en = ""', "name_en"),
        ("connectors.toml", 'default_mode = "manual"', 'default_mode = "live"', "default_mode"),
        ("connectors.toml", "phase = 3", "phase = 4", "phase"),
        ("connectors.toml", 'name_ar = "بريد Gmail"', 'name_ar = "Gmail"', "name_ar"),
        ("guides.toml", 'connector = "gmail"', 'connector = "hotmail"', "guide"),
        ("recovery.toml", 'step = "risk_review"', 'step = "risks"', "step"),
        ("rules.toml", "[fix.failed]", "[fix.broken]", "fix.failed"),
        ("rules.toml", "{connectors}.", "{channels}.", "placeholders"),
        ("rules.toml", 'gmail = "connected_draft_only"', 'gmail = "live"', "states"),
    ],
)
def test_a_faulty_file_does_not_load(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(catalog_module.CATALOG_DIR, folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TextsError) as refusal:
        load_catalog(folder)
    assert said in str(refusal.value)


def test_modes_and_states_are_the_ids_of_the_business() -> None:
    assert set(ConnectorMode) == {"draft_only", "approved_execute", "manual", "ingest_only"}
    assert [s for s in ConnectorState if s.connected] == ["connected_draft_only", "connected_approved_execute"]
