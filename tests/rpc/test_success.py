"""The success service over a socket: on a SQLite file, and where SQL decides on every engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from dealix.common.v1 import approval_pb2
from dealix.success.v1 import ledger_service_pb2, ledger_service_pb2_grpc, success_service_pb2_grpc
from dealix.success.v1 import success_pb2 as model
from dealix.success.v1 import success_service_pb2 as pb

from services.runtime.testing import Running, running_service
from services.storage.database import Actor
from services.storage.errors import ConstraintBroken
from services.storage.ledger import fold
from services.success import store
from services.success.service import DEFINITION
from tests.rpc.client import PERSON, SATURDAY_EVENING, Clock, Refusal, ledger_of, new_request_id, pages, refused

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
UNKNOWN_ID = "chk_" + "a" * 26
# The Sunday of the week that SATURDAY_EVENING ends, and the next.
THIS_WEEK, NEXT_WEEK = "2026-03-01", "2026-03-08"


@dataclass(frozen=True, slots=True)
class Client:
    """A running service with its stubs and its clock."""

    running: Running
    stub: Any
    ledger: Any
    clock: Clock

    async def create(self, **fields: Any) -> model.WeeklyCheckIn:
        """Creates a check-in."""
        answer: pb.CreateWeeklyCheckInResponse = await self.stub.CreateWeeklyCheckIn(creation(**fields))
        return answer.check_in

    async def entries(self, prefix: str = "") -> list[Any]:
        """The ledger, or what it holds of actions that begin so."""
        found = await ledger_of(self.ledger, ledger_service_pb2)
        return [entry for entry in found if entry.action.startswith(prefix)]


@asynccontextmanager
async def started(folder: Path, database_url: str = "") -> AsyncIterator[Client]:
    """The service on a database, or on its file in a folder."""
    clock = Clock()
    async with running_service(
        DEFINITION, database_url=database_url, data_dir=folder, clock=clock, log_level="error"
    ) as running:
        yield Client(
            running,
            success_service_pb2_grpc.SuccessServiceStub(running.channel),
            ledger_service_pb2_grpc.LedgerServiceStub(running.channel),
            clock,
        )


@pytest.fixture
async def success(tmp_path: Path) -> AsyncIterator[Client]:
    async with started(tmp_path) as client:
        yield client


@pytest.fixture
async def on_each_engine(tmp_path: Path, database_url: str) -> AsyncIterator[Client]:
    async with started(tmp_path, database_url) as client:
        yield client


WEEK = model.WeekMetrics(drafts_approved=12, replies=3, meetings=2, risks_blocked=1, pipeline_sar=48_500)


def creation(**fields: Any) -> pb.CreateWeeklyCheckInRequest:
    """A check-in of one customer, asked for by a person."""
    return pb.CreateWeeklyCheckInRequest(
        **{"request_id": new_request_id(), "actor": PERSON, "customer_id": "acme", "metrics": WEEK, **fields}
    )


async def test_a_check_in_has_five_items_of_five_minutes_and_says_the_numbers(success: Client) -> None:
    answer = await success.stub.BuildWeeklyCheckIn(pb.BuildWeeklyCheckInRequest(customer_id="acme", metrics=WEEK))
    check_in = answer.check_in
    assert answer.type == model.CADENCE_TYPE_WEEKLY_CHECK_IN
    assert [(item.number, item.minutes) for item in check_in.agenda] == [(n, 5) for n in range(1, 6)]
    assert list(answer.agenda_ar) == [item.text_ar for item in check_in.agenda]
    assert answer.talking_points_ar == check_in.talking_points_ar
    assert len(check_in.talking_points_ar) == len(check_in.talking_points_en) == 5
    assert "12" in check_in.talking_points_ar[0]
    assert "Pipeline" in check_in.talking_points_ar[4]
    assert "48,500" in check_in.talking_points_ar[4]
    assert check_in.metrics == WEEK
    assert (check_in.check_in_id, check_in.week_start, check_in.customer_id) == ("", "", "acme")
    assert check_in.draft_state == approval_pb2.DRAFT_STATE_DRAFTED


async def test_a_week_without_metrics_is_a_week_of_zeros(success: Client) -> None:
    unset = await success.stub.BuildWeeklyCheckIn(pb.BuildWeeklyCheckInRequest())
    zeros = await success.stub.BuildWeeklyCheckIn(pb.BuildWeeklyCheckInRequest(metrics=model.WeekMetrics()))
    assert unset == zeros


@pytest.mark.parametrize("method", ["BuildWeeklyCheckIn", "CreateWeeklyCheckIn"])
@pytest.mark.parametrize(
    ("metrics", "fields"),
    [
        (
            {"drafts_approved": -1, "replies": -1, "meetings": -1, "risks_blocked": -1, "pipeline_sar": -0.5},
            {"drafts_approved", "replies", "meetings", "risks_blocked", "pipeline_sar"},
        ),
        ({"pipeline_sar": float("nan")}, {"pipeline_sar"}),
        ({"pipeline_sar": float("inf")}, {"pipeline_sar"}),
        ({"replies": 1_000_001}, {"replies"}),
    ],
)
async def test_negative_and_endless_metrics_are_all_named(
    success: Client, method: str, metrics: dict[str, Any], fields: set[str]
) -> None:
    faulty = model.WeekMetrics(**metrics)
    request = (
        creation(metrics=faulty)
        if method == "CreateWeeklyCheckIn"
        else pb.BuildWeeklyCheckInRequest(customer_id="acme", metrics=faulty)
    )
    refusal = await refused(getattr(success.stub, method)(request))
    assert (refusal.code, refusal.reason) == INVALID
    assert set(refusal.fields) == {f"metrics.{name}" for name in fields}
    assert not await success.entries()


@pytest.mark.parametrize(
    ("given", "score", "severity", "points"),
    [
        ({"days_inactive": 0, "drafts_pending": 0}, 0, "LOW", {}),
        ({"days_inactive": 6, "drafts_pending": 4, "days_since_proof_pack": 13}, 0, "LOW", {}),
        ({"days_inactive": 7, "drafts_pending": 4}, 20, "LOW", {"days_inactive": 20}),
        ({"days_inactive": 7, "drafts_pending": 5}, 30, "MEDIUM", {"days_inactive": 20, "drafts_pending": 10}),
        (
            {"days_inactive": 0, "drafts_pending": 0, "days_since_proof_pack": 14},
            30,
            "MEDIUM",
            {"days_since_proof_pack": 30},
        ),
        ({"days_inactive": 14, "drafts_pending": 5}, 50, "MEDIUM", {"days_inactive": 40, "drafts_pending": 10}),
        ({"days_inactive": 14, "drafts_pending": 10}, 65, "HIGH", {"days_inactive": 40, "drafts_pending": 25}),
        (
            {"days_inactive": 90, "drafts_pending": 50, "days_since_proof_pack": 60},
            95,
            "HIGH",
            {"days_inactive": 40, "days_since_proof_pack": 30, "drafts_pending": 25},
        ),
    ],
)
async def test_risk_is_a_score_with_the_points_of_each_reason(
    success: Client, given: dict[str, int], score: int, severity: str, points: dict[str, int]
) -> None:
    answer = await success.stub.BuildAtRiskAlert(pb.BuildAtRiskAlertRequest(**given))
    assert answer.type == model.CADENCE_TYPE_AT_RISK_ALERT
    assert answer.risk_score == score
    assert model.RiskSeverity.Name(answer.severity) == f"RISK_SEVERITY_{severity}"
    assert {reason.factor: reason.points for reason in answer.reasons} == points
    assert list(answer.reasons_ar) == [reason.text_ar for reason in answer.reasons]
    assert all(str(reason.points) in reason.text_ar for reason in answer.reasons)
    assert answer.recommended_action_ar
    assert answer.recommended_action_en
    assert not answer.unknown_inputs


@pytest.mark.parametrize(
    ("given", "severity", "unknown"),
    [
        ({}, "UNKNOWN", ["days_inactive", "drafts_pending"]),
        ({"drafts_pending": 0}, "UNKNOWN", ["days_inactive"]),
        ({"days_inactive": 0}, "LOW", ["drafts_pending"]),
        ({"days_inactive": 14}, "MEDIUM", ["drafts_pending"]),
        ({"days_inactive": 14, "days_since_proof_pack": 14}, "HIGH", ["drafts_pending"]),
    ],
)
async def test_what_is_not_known_never_makes_a_customer_safe(
    success: Client, given: dict[str, int], severity: str, unknown: list[str]
) -> None:
    answer = await success.stub.BuildAtRiskAlert(pb.BuildAtRiskAlertRequest(**given))
    assert model.RiskSeverity.Name(answer.severity) == f"RISK_SEVERITY_{severity}"
    assert list(answer.unknown_inputs) == unknown


BUNDLES = {
    "growth_starter": [1, 3, 7, 14, 30],
    "executive_growth_os": [1, 7, 14, 21, 30],
    "partnership_growth": [1, 5, 10, 14, 30],
    "data_to_revenue": None,
    "local_growth_os": None,
    "full_growth_control_tower": None,
}


@pytest.mark.parametrize("bundle", BUNDLES)
async def test_a_plan_has_a_line_for_each_of_its_days(success: Client, bundle: str) -> None:
    answer = await success.stub.BuildSuccessPlan(pb.BuildSuccessPlanRequest(bundle_id=bundle))
    days = [line.day for line in answer.milestones]
    assert answer.bundle_id == bundle
    assert days == (BUNDLES[bundle] or sorted(set(days)))
    assert (days[0], days[-1]) == (1, 30)
    assert list(answer.cadence_ar) == [line.text_ar for line in answer.milestones]
    assert list(answer.cadence_en) == [line.text_en for line in answer.milestones]
    for day, ar, en in zip(days, answer.cadence_ar, answer.cadence_en, strict=True):
        assert ar.startswith(f"Day {day}:")
        assert en.startswith(f"Day {day}:")


async def test_the_executive_plan_has_its_shadow_board(success: Client) -> None:
    answer = await success.stub.BuildSuccessPlan(pb.BuildSuccessPlanRequest(bundle_id="executive_growth_os"))
    (line,) = [line for line in answer.milestones if line.day == 14]
    assert "Founder Shadow Board" in line.text_ar


@pytest.mark.parametrize(
    ("method", "request_", "fields"),
    [
        ("BuildSuccessPlan", pb.BuildSuccessPlanRequest(bundle_id="enterprise"), {"bundle_id": "UNKNOWN_VALUE"}),
        ("BuildSuccessPlan", pb.BuildSuccessPlanRequest(), {"bundle_id": "STRING_PATTERN"}),
        (
            "BuildAtRiskAlert",
            pb.BuildAtRiskAlertRequest(days_inactive=-1, drafts_pending=-2, days_since_proof_pack=-3),
            dict.fromkeys(("days_inactive", "drafts_pending", "days_since_proof_pack"), "INT32_GTE_LTE"),
        ),
        (
            "BuildHealthScore",
            pb.BuildHealthScoreRequest(csat=10.1, approval_rate=1.5, meetings=-1),
            {"csat": "DOUBLE_GTE_LTE", "approval_rate": "DOUBLE_GTE_LTE", "meetings": "INT32_GTE_LTE"},
        ),
        (
            "CreateWeeklyCheckIn",
            creation(request_id="", customer_id="", actor=None, open_incident_severities=["SEV4"]),
            {
                "request_id": "STRING_UUID_EMPTY",
                "actor": "REQUIRED",
                "customer_id": "STRING_PATTERN",
                "open_incident_severities[0]": "STRING_IN",
            },
        ),
        ("GetWeeklyCheckIn", pb.GetWeeklyCheckInRequest(check_in_id="7"), {"check_in_id": "STRING_PATTERN"}),
        ("ListWeeklyCheckIns", pb.ListWeeklyCheckInsRequest(page_size=201), {"page_size": "INT32_GTE_LTE"}),
    ],
)
async def test_bad_input_is_refused_with_every_faulty_field(
    success: Client, method: str, request_: Any, fields: dict[str, str]
) -> None:
    refusal = await refused(getattr(success.stub, method)(request_))
    assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, fields)


KNOWN = {
    "csat": 8.0,
    "pipeline_sar": 10_000.0,
    "meetings": 2,
    "approval_rate": 0.7,
    "days_inactive": 3,
    "drafts_pending": 5,
}


@pytest.mark.parametrize(
    ("given", "score", "verdict"),
    [
        (KNOWN, 90.0, "HEALTHY"),
        ({**KNOWN, "drafts_pending": 20}, 75.0, "HEALTHY"),
        ({**KNOWN, "drafts_pending": 21}, 74.0, "WATCH"),
        ({**KNOWN, "drafts_pending": 45}, 50.0, "WATCH"),
        ({**KNOWN, "drafts_pending": 46}, 49.0, "AT_RISK"),
        ({**KNOWN, "days_inactive": 100}, 0.0, "AT_RISK"),
        ({**KNOWN, "meetings": 50}, 100.0, "HEALTHY"),
    ],
)
async def test_health_is_the_sum_of_its_factors_within_bounds(
    success: Client, given: dict[str, Any], score: float, verdict: str
) -> None:
    answer = await success.stub.BuildHealthScore(pb.BuildHealthScoreRequest(**given))
    assert answer.health_score == score == answer.score_low == answer.score_high
    assert model.HealthVerdict.Name(answer.verdict) == f"HEALTH_VERDICT_{verdict}"
    assert answer.coverage == 1.0
    assert {factor.factor for factor in answer.factors} == set(KNOWN)
    assert min(100.0, max(0.0, sum(factor.points for factor in answer.factors))) == pytest.approx(score)
    assert answer.summary_ar
    assert answer.summary_en


@pytest.mark.parametrize(
    ("known", "coverage", "low", "high"),
    [
        ((), 0.0, 0.0, 100.0),
        (("csat",), 1 / 6, 0.0, 100.0),
        (tuple(KNOWN)[:4], 4 / 6, 0.0, 100.0),
        (tuple(KNOWN)[1:], 5 / 6, 50.0, 100.0),
    ],
)
async def test_health_that_is_not_known_is_unknown(
    success: Client, known: tuple[str, ...], coverage: float, low: float, high: float
) -> None:
    answer = await success.stub.BuildHealthScore(pb.BuildHealthScoreRequest(**{name: KNOWN[name] for name in known}))
    assert not answer.HasField("health_score")
    assert answer.verdict == model.HEALTH_VERDICT_UNKNOWN
    assert answer.coverage == pytest.approx(coverage)
    assert (answer.score_low, answer.score_high) == (low, high)
    assert {f.factor for f in answer.factors if f.HasField("value")} == set(known)
    assert {f.factor for f in answer.factors if f.HasField("points")} == set(known)


async def test_a_stored_check_in_is_a_draft_and_stays_as_it_was_written(on_each_engine: Client) -> None:
    created = await on_each_engine.stub.CreateWeeklyCheckIn(creation())
    check_in = created.check_in
    asked = pb.GetWeeklyCheckInRequest(check_in_id=check_in.check_in_id)
    built = await on_each_engine.stub.BuildWeeklyCheckIn(pb.BuildWeeklyCheckInRequest(metrics=WEEK))
    assert (await on_each_engine.stub.GetWeeklyCheckIn(asked)).check_in == check_in
    assert (check_in.customer_id, check_in.week_start) == ("acme", THIS_WEEK)
    assert check_in.draft_state == approval_pb2.DRAFT_STATE_DRAFTED
    assert check_in.create_time.ToDatetime(tzinfo=SATURDAY_EVENING.tzinfo) > SATURDAY_EVENING
    for part in ("agenda", "talking_points_ar", "talking_points_en", "metrics"):
        assert getattr(check_in, part) == getattr(built.check_in, part)


async def test_an_unknown_check_in_is_not_found(success: Client) -> None:
    assert await refused(success.stub.GetWeeklyCheckIn(pb.GetWeeklyCheckInRequest(check_in_id=UNKNOWN_ID))) == Refusal(
        grpc.StatusCode.NOT_FOUND, "CHECK_IN_NOT_FOUND", {"check_in_id": UNKNOWN_ID}
    )


async def test_a_customer_has_one_check_in_a_week_and_weeks_begin_on_sunday_in_riyadh(success: Client) -> None:
    first = await success.create()
    # 23:59 on Saturday in Riyadh, then midnight.
    success.clock.now = SATURDAY_EVENING + timedelta(hours=1, minutes=59)
    assert await refused(success.stub.CreateWeeklyCheckIn(creation(metrics=None))) == Refusal(
        grpc.StatusCode.ALREADY_EXISTS,
        "CHECK_IN_EXISTS",
        {"customer_id": "acme", "week_start": THIS_WEEK, "check_in_id": first.check_in_id},
    )
    other = await success.create(customer_id="zain")
    assert other.week_start == THIS_WEEK
    success.clock.now = SATURDAY_EVENING + timedelta(hours=2)
    assert (await success.create()).week_start == NEXT_WEEK
    assert len(await success.entries("check_in.")) == 3


async def test_of_many_askers_at_once_one_gets_the_week(on_each_engine: Client) -> None:
    answers = await asyncio.gather(
        *(on_each_engine.stub.CreateWeeklyCheckIn(creation()) for _ in range(12)), return_exceptions=True
    )
    refusals = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert [error.code() for error in refusals] == [grpc.StatusCode.ALREADY_EXISTS] * 11
    assert [e.action for e in await on_each_engine.entries()] == ["draft.drafted", "check_in.drafted"]


async def test_the_table_itself_refuses_a_second_check_in_of_a_week(on_each_engine: Client) -> None:
    created = await on_each_engine.create()
    database = on_each_engine.running.service.database
    stored = await database.read(lambda tx: store.get_check_in(tx, created.check_in_id))
    assert stored is not None
    with pytest.raises(ConstraintBroken):
        await database.write_internal(
            Actor("service", "test"),
            lambda unit: store.insert_check_in(unit.tx, replace(stored, check_in_id=UNKNOWN_ID)),
        )


@pytest.mark.parametrize(
    ("severities", "gravest"),
    [(["SEV1"], "SEV1"), (["SEV2"], "SEV2"), (["SEV3", "SEV2"], "SEV2"), (["SEV2", "SEV1", "SEV3"], "SEV1")],
)
async def test_no_check_in_while_a_grave_incident_is_open(success: Client, severities: list[str], gravest: str) -> None:
    refusal = await refused(success.stub.CreateWeeklyCheckIn(creation(open_incident_severities=severities)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CHECK_IN_SUPPRESSED")
    assert refusal.metadata == {"customer_id": "acme", "severity": gravest}
    ((kind, subject, text),) = refusal.missing
    assert (kind, subject) == ("OPEN_INCIDENT", "customer/acme")
    arabic, english = text.split("\n")
    assert gravest in arabic
    assert "المراجعة الأسبوعية" in arabic
    assert gravest in english
    assert not await success.entries()


async def test_a_light_incident_holds_no_check_in_back(success: Client) -> None:
    assert (await success.create(open_incident_severities=["SEV3"])).week_start == THIS_WEEK


async def test_the_same_request_twice_is_one_check_in(success: Client) -> None:
    request = creation()
    first = await success.stub.CreateWeeklyCheckIn(request)
    success.clock.pass_time(timedelta(days=14))
    assert await success.stub.CreateWeeklyCheckIn(request) == first
    changed = creation(request_id=request.request_id, customer_id="zain")
    assert await refused(success.stub.CreateWeeklyCheckIn(changed)) == Refusal(
        grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", {"request_id": request.request_id}
    )
    assert [entry.action for entry in await success.entries()] == ["draft.drafted", "check_in.drafted"]


async def test_a_refused_request_can_be_repeated_once_nothing_stands_in_the_way(success: Client) -> None:
    held_back = creation(open_incident_severities=["SEV1"])
    await refused(success.stub.CreateWeeklyCheckIn(held_back))
    held_back.open_incident_severities[:] = []
    assert (await success.stub.CreateWeeklyCheckIn(held_back)).check_in.check_in_id


async def written(success: Client) -> list[str]:
    """Three weeks of two customers; what was written as ``customer week``, oldest first."""
    made = []
    for _ in range(3):
        for customer in ("acme", "zain"):
            check_in = await success.create(customer_id=customer)
            made.append(f"{customer} {check_in.week_start}")
        success.clock.pass_time(timedelta(days=7))
    return made


@pytest.mark.parametrize("customer", ["", "acme", "nobody"])
@pytest.mark.parametrize("size", [0, 1, 4])
async def test_lists_hold_every_check_in_once_newest_first(on_each_engine: Client, customer: str, size: int) -> None:
    made = await written(on_each_engine)
    seen = [
        f"{check_in.customer_id} {check_in.week_start}"
        async for page in pages(
            lambda token: on_each_engine.stub.ListWeeklyCheckIns(
                pb.ListWeeklyCheckInsRequest(customer_id=customer, page_size=size, page_token=token)
            )
        )
        for check_in in page.check_ins
    ]
    assert seen == [name for name in reversed(made) if name.startswith(customer)]


async def test_a_page_token_belongs_to_its_list(success: Client) -> None:
    await written(success)
    first = await success.stub.ListWeeklyCheckIns(pb.ListWeeklyCheckInsRequest(page_size=1))
    for request, reason in (
        (
            pb.ListWeeklyCheckInsRequest(page_token=first.next_page_token, customer_id="acme"),
            "PAGE_TOKEN_OF_OTHER_QUERY",
        ),
        (pb.ListWeeklyCheckInsRequest(page_token="bm90IGEgdG9rZW4"), "PAGE_TOKEN_INVALID"),
    ):
        refusal = await refused(success.stub.ListWeeklyCheckIns(request))
        assert (refusal.code, refusal.reason, refusal.fields) == (*INVALID, {"page_token": reason})


async def test_the_ledger_folds_to_what_the_table_holds(on_each_engine: Client) -> None:
    await written(on_each_engine)
    stored = await on_each_engine.running.service.database.read(lambda tx: store.page_of_check_ins(tx, None, None, 100))
    assert len(stored) == 6
    assert fold(await on_each_engine.entries("check_in.")) == {
        f"check_in/{c.check_in_id}": {
            "customer_id": c.customer_id,
            "week_start": c.week_start.isoformat(),
            "draft_id": c.draft_id,
            "revision": str(c.revision),
            "texts_version": c.draft.texts_version,
        }
        for c in stored
    }
    verified = await on_each_engine.ledger.VerifyLedger(ledger_service_pb2.VerifyLedgerRequest())
    assert (verified.intact, verified.checked) == (True, 12)


async def test_check_ins_outlive_the_process(tmp_path: Path) -> None:
    request = creation()
    async with started(tmp_path) as before:
        answer = await before.stub.CreateWeeklyCheckIn(request)
    async with started(tmp_path) as after:
        asked = pb.GetWeeklyCheckInRequest(check_in_id=answer.check_in.check_in_id)
        assert (await after.stub.GetWeeklyCheckIn(asked)).check_in == answer.check_in
        assert await after.stub.CreateWeeklyCheckIn(request) == answer
        refusal = await refused(after.stub.CreateWeeklyCheckIn(creation()))
        assert refusal.reason == "CHECK_IN_EXISTS"


async def test_every_answer_says_that_nothing_is_sent_and_drafts_need_approval(success: Client) -> None:
    nobody = await success.stub.ListWeeklyCheckIns(pb.ListWeeklyCheckInsRequest(customer_id="acme"))
    created = await success.stub.CreateWeeklyCheckIn(creation())
    answers = {
        True: [
            await success.stub.BuildWeeklyCheckIn(pb.BuildWeeklyCheckInRequest()),
            await success.stub.BuildAtRiskAlert(pb.BuildAtRiskAlertRequest()),
            await success.stub.BuildSuccessPlan(pb.BuildSuccessPlanRequest(bundle_id="growth_starter")),
            created,
            await success.stub.GetWeeklyCheckIn(pb.GetWeeklyCheckInRequest(check_in_id=created.check_in.check_in_id)),
            await success.stub.ListWeeklyCheckIns(pb.ListWeeklyCheckInsRequest()),
        ],
        False: [
            nobody,
            await success.stub.BuildHealthScore(pb.BuildHealthScoreRequest()),
            await success.ledger.ListLedger(ledger_service_pb2.ListLedgerRequest()),
            await success.ledger.VerifyLedger(ledger_service_pb2.VerifyLedgerRequest()),
        ],
    }
    for approval, of_kind in answers.items():
        for answer in of_kind:
            assert answer.HasField("live_send_allowed"), answer
            assert answer.live_send_allowed is False, answer
            assert answer.HasField("approval_required"), answer
            assert answer.approval_required is approval, answer
