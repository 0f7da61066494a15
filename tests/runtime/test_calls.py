"""What every call meets, over a real socket: errors, limits, deadlines, health, a graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import uuid

import grpc
import pytest
from dealix.common.v1 import actor_pb2
from dealix.support.v1 import ledger_service_pb2 as ledger_pb
from dealix.support.v1 import ledger_service_pb2_grpc as ledger_rpc
from dealix.support.v1 import support_service_pb2 as pb
from dealix.support.v1 import support_service_pb2_grpc as rpc
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.domain import errors
from services.runtime.failure import RpcFailure, failure_of
from services.runtime.methods import methods_of
from services.runtime.testing import running_service
from services.storage import errors as storage
from services.support.service import DEFINITION

CLASSIFY = "/dealix.support.v1.SupportService/ClassifyTicket"
PERSON = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="operator-1")


@pytest.fixture
async def running(tmp_path):
    async with running_service(DEFINITION, data_dir=tmp_path) as running:
        yield running


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(packed).details[0].Unpack(info)
    return info


def violations_of(error: grpc.aio.AioRpcError) -> list[error_details_pb2.BadRequest.FieldViolation]:
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    for detail in status_pb2.Status.FromString(packed).details:
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            return list(bad.field_violations)
    return []


def fields_of(error: grpc.aio.AioRpcError) -> list[str]:
    return [violation.field for violation in violations_of(error)]


def ticket(**fields) -> pb.RouteTicketRequest:
    return pb.RouteTicketRequest(**{"request_id": str(uuid.uuid4()), "actor": PERSON, "customer_id": "c-1", **fields})


@pytest.mark.parametrize(
    ("path", "payload", "code", "reason"),
    [
        (CLASSIFY, b"\xff\xff\xff", "INVALID_ARGUMENT", "MALFORMED_REQUEST"),
        (CLASSIFY, b"\x0a\x02\xc3\x28", "INVALID_ARGUMENT", "MALFORMED_REQUEST"),  # text that is not UTF-8
        (CLASSIFY, b"\x0a\x03a\x00b", "INVALID_ARGUMENT", "INVALID_FIELDS"),  # NUL
        (
            CLASSIFY,
            pb.ClassifyTicketRequest(text="ط" * 20_001).SerializeToString(),
            "INVALID_ARGUMENT",
            "INVALID_FIELDS",
        ),
        ("/dealix.support.v1.SupportService/Nothing", b"", "UNIMPLEMENTED", "UNKNOWN_METHOD"),
        ("/no.such.Service/Nothing", b"", "UNIMPLEMENTED", "UNKNOWN_METHOD"),
        ("/dealix.success.v1.SuccessService/BuildSuccessPlan", b"", "UNIMPLEMENTED", "UNKNOWN_METHOD"),
    ],
)
async def test_what_cannot_be_answered_ends_with_our_reason_and_says_that_nothing_is_sent(
    running, path, payload, code, reason
):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.channel.unary_unary(path)(payload)
    assert caught.value.code().name == code
    info = info_of(caught.value)
    assert (info.reason, info.domain) == (reason, "dealix.com")
    assert info.metadata["live_send_allowed"] == "false"
    assert caught.value.details().isascii()


async def test_every_faulty_field_is_named_at_once(running):
    request = pb.RouteTicketRequest(request_id="no", subject="a\0", minimum_priority=77, follows_ticket_id="7")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rpc.SupportServiceStub(running.channel).RouteTicket(request)
    expected = {"request_id", "actor", "customer_id", "subject", "minimum_priority", "follows_ticket_id"}
    assert set(fields_of(caught.value)) == expected


async def test_what_is_wrong_with_a_text_is_said_in_words(running):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rpc.SupportServiceStub(running.channel).ClassifyTicket(pb.ClassifyTicketRequest(text="a\0b"))
    assert violations_of(caught.value)[0].description == "must not hold a NUL character (U+0000)."


async def test_a_message_above_the_size_limit_is_refused_unread(tmp_path):
    async with running_service(DEFINITION, data_dir=tmp_path, max_request_bytes=4096) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.channel.unary_unary(CLASSIFY)(b"\x0a" + b"\x80\x40" + b"x" * 8192)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_of_two_keys_that_may_stand_once_neither_counts(running):
    for key in ("x-correlation-id", "authorization"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.channel.unary_unary(CLASSIFY)(b"", metadata=((key, "a"), (key, "b")))
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert info_of(caught.value).reason == "DUPLICATE_METADATA"


async def test_calls_above_the_limit_are_refused_and_later_ones_answered(tmp_path):
    async with running_service(DEFINITION, data_dir=tmp_path, max_calls=1) as running:
        running.service.pipeline.environment.active = 1
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.channel.unary_unary(CLASSIFY)(b"")
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(info_of(caught.value).metadata)["limit"] == "1"
        running.service.pipeline.environment.active = 0
        await running.channel.unary_unary(CLASSIFY)(b"")
        assert running.service.pipeline.environment.active == 0


async def test_a_write_whose_deadline_passed_is_not_done(running):
    stub = rpc.SupportServiceStub(running.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RouteTicket(ticket(), timeout=0.001)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    listed = await stub.ListTickets(pb.ListTicketsRequest())
    assert len(listed.tickets) == 0


async def test_an_unexpected_fault_tells_the_client_an_error_id_and_nothing_else(running, monkeypatch):
    secret = "the customer's phone number"

    def fail(*_):
        raise RuntimeError(secret)

    monkeypatch.setattr("services.support.handlers.open_ticket", fail)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rpc.SupportServiceStub(running.channel).RouteTicket(ticket())
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    info = info_of(caught.value)
    assert info.reason == "INTERNAL"
    assert info.metadata["error_id"] in caught.value.details()
    assert secret not in str(caught.value.trailing_metadata()) + caught.value.details()


async def test_a_stray_cancellation_ends_with_a_status_instead_of_silence(running, monkeypatch):
    async def cancelled(*_):
        inner = asyncio.get_running_loop().create_future()
        inner.cancel()
        await inner

    monkeypatch.setattr(running.service.database, "write", cancelled)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rpc.SupportServiceStub(running.channel).RouteTicket(ticket(), timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert info_of(caught.value).reason == "INTERRUPTED"


async def test_a_store_that_is_away_shows_in_health_and_in_the_answer(running, monkeypatch):
    health = health_pb2_grpc.HealthStub(running.channel)
    for name in ("", "dealix.support.v1.SupportService", "dealix.support.v1.LedgerService"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    watch = health.Watch(health_pb2.HealthCheckRequest(service=""))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    await running.service.database.close()
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watch.cancel()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rpc.SupportServiceStub(running.channel).RouteTicket(ticket())
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert info_of(caught.value).reason == "STORAGE_UNAVAILABLE"


async def test_a_damaged_ledger_entry_hides_none_of_the_others(running, tmp_path):
    for _ in range(2):
        await rpc.SupportServiceStub(running.channel).RouteTicket(ticket())
    ledger = ledger_rpc.LedgerServiceStub(running.channel)
    before = (await ledger.ListLedger(ledger_pb.ListLedgerRequest())).entries
    with contextlib.closing(sqlite3.connect(tmp_path / "support.db")) as edit, edit:
        edit.execute("DROP TRIGGER ledger_no_update")
        edit.execute(
            "UPDATE ledger SET time_us = 'soon', actor_kind = 'ghost', actor_role = 'emperor', subject = x'ff', "
            "fields = 'x', attributes = 'not json', hash = 'h' WHERE sequence = 2"
        )
    damaged = before[1]
    for name in ("record_time", "fields", "attributes", "hash", "subject"):
        damaged.ClearField(name)
    damaged.hash, damaged.subject = b"h", "\ufffd"
    damaged.actor.ClearField("kind")
    damaged.actor.ClearField("role")
    listed = await ledger.ListLedger(ledger_pb.ListLedgerRequest())
    assert list(listed.entries) == list(before)
    verified = await ledger.VerifyLedger(ledger_pb.VerifyLedgerRequest())
    assert (verified.intact, verified.first_bad_sequence) == (False, 2)


async def test_a_second_process_on_the_same_port_is_refused(running, tmp_path):
    with pytest.raises(OSError, match="cannot listen"):
        async with running_service(DEFINITION, data_dir=tmp_path / "other", listen=running.address):
            pass


async def test_reflection_can_be_switched_off(tmp_path):
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    for switched, expected in ((True, "dealix.support.v1.SupportService"), (False, None)):
        async with running_service(DEFINITION, data_dir=tmp_path / str(switched), reflection=switched) as running:
            stub = reflection_pb2_grpc.ServerReflectionStub(running.channel)
            call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
            if expected is None:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call.read()
                assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
            else:
                answer = await call.read()
                assert expected in {s.name for s in answer.list_services_response.service}
                call.cancel()


class _Reason(errors.NotFound):
    reason = "TICKET_NOT_FOUND"


class _Precondition(errors.PreconditionFailed):
    reason = "STEP_BLOCKED"


class _Exists(errors.AlreadyExists):
    reason = "CHECKLIST_EXISTS"


FUNNEL = [
    (errors.InvalidInput([errors.Violation("f", "R", "d")]), "INVALID_ARGUMENT", "INVALID_FIELDS"),
    (_Reason("x", ticket_id="t"), "NOT_FOUND", "TICKET_NOT_FOUND"),
    (_Exists("x"), "ALREADY_EXISTS", "CHECKLIST_EXISTS"),
    (_Precondition("x", [("STEP", "risk_review", "first")]), "FAILED_PRECONDITION", "STEP_BLOCKED"),
    (errors.EtagMismatch("x", current_etag="r2"), "ABORTED", "ETAG_MISMATCH"),
    (errors.PersonRequired("x"), "PERMISSION_DENIED", "PERSON_REQUIRED"),
    (storage.StorageFull("x"), "RESOURCE_EXHAUSTED", "STORAGE_FULL"),
    (storage.RequestIdReused("x", request_id="r"), "ALREADY_EXISTS", "REQUEST_ID_REUSED"),
    (storage.StorageUnavailable("x"), "UNAVAILABLE", "STORAGE_UNAVAILABLE"),
    (storage.DeadlinePassed("x"), "DEADLINE_EXCEEDED", "DEADLINE_PASSED"),
    (storage.WorkFault("x"), "INTERNAL", "INTERNAL"),
    (RuntimeError("x"), "INTERNAL", "INTERNAL"),
    (RpcFailure(grpc.StatusCode.UNAVAILABLE, "INTERRUPTED", "x"), "UNAVAILABLE", "INTERRUPTED"),
]


@pytest.mark.parametrize(("error", "code", "reason"), FUNNEL, ids=[type(e).__name__ for e, _, _ in FUNNEL])
def test_the_funnel_gives_each_error_its_code_and_reason(error, code, reason):
    failure = failure_of(error)
    assert (failure.code.name, failure.reason) == (code, reason)
    status = status_pb2.Status.FromString(failure.details_bytes())
    assert status.code == failure.code.value[0]
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    assert info.metadata["live_send_allowed"] == "false"


def test_a_status_message_with_arabic_is_escaped_and_bounded():
    failure = failure_of(_Reason("غير موجود " * 500))
    assert failure.message.isascii()
    assert len(failure.message) <= 1000


def test_a_response_that_cannot_carry_the_flags_is_refused_when_the_server_is_built():
    with pytest.raises(TypeError, match="live_send_allowed"):
        methods_of([health_pb2])
