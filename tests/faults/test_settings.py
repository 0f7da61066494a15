"""What an operator sets wrongly ends a process at its start, by name, and never shows a value."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from sqlalchemy import make_url

from services.runtime.settings import GatewaySettings, ServiceSettings, SettingsFaulty, load_settings
from tests.faults.processes import ROOT, Processes
from tests.support_pg import PostgresServer

# What no message may show.
SECRET = "geheim"
UNREADABLE, NO_FILE = "cannot be read", "must name a file"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("CUSTOMER_OPS_"):
            monkeypatch.delenv(name)


def faults_of(kind: type[ServiceSettings | GatewaySettings]) -> dict[str, str]:
    """What is said of the settings in the environment, by variable."""
    try:
        load_settings(kind)
    except SettingsFaulty as error:
        said = dict(error.faults)
    else:
        said = {}
    assert SECRET not in str(said)
    return said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql://u:{SECRET}@h:notaport/db", UNREADABLE),
        (f"postgresql://u:{SECRET}@[::1/db", UNREADABLE),
        (f"postgresql://u:{SECRET}@/db?host=h1:1&host=h2", UNREADABLE),
        (f"postgresql://u:{SECRET}@h:99999/db", "port from 1 to 65535"),
        (f"postgresql://u:{SECRET}@h/db?foo={SECRET}", "(foo)"),
        (f"postgresql://u:{SECRET}@h/db?sslmode={SECRET}", "verify-full"),
        (f"mysql://u:{SECRET}@h/db", "postgresql://... or sqlite:///..."),
        ("sqlite:relative.db", "postgresql://... or sqlite:///..."),
        (" ", "postgresql://... or sqlite:///..."),
        ("sqlite://", NO_FILE),
        ("sqlite:///", NO_FILE),
        ("sqlite:///:memory:", NO_FILE),
        (f"sqlite:///a.db?mode={SECRET}", NO_FILE),
    ],
)
def test_a_database_url_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch, url: str, said: str) -> None:
    monkeypatch.setenv("CUSTOMER_OPS_DATABASE_URL", url)
    faults = faults_of(ServiceSettings)
    assert list(faults) == ["CUSTOMER_OPS_DATABASE_URL"]
    assert said in faults["CUSTOMER_OPS_DATABASE_URL"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h/db",
        "postgres://u:p%40ss@[::1]:5432/db?sslmode=require",
        "postgresql+asyncpg://u@/db?host=/run/postgresql",
        "postgresql://u@/db?host=h1:5432&host=h2:5432&target_session_attrs=primary",
        "sqlite:///relative.db",
        "sqlite:////absolute.db",
    ],
)
def test_a_database_url_that_can_be_used(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CUSTOMER_OPS_DATABASE_URL", url)
    assert faults_of(ServiceSettings) == {}


@pytest.mark.parametrize(
    "target",
    [
        *("", "nonsense", "127.0.0.1", "dns:///h:abc", "dns:///h:0", "dns:///h:70000", "h:1,h:2", "dns:///h:1 "),
        *("http://127.0.0.1:50051", "ipv4:1.2.3", "ipv4:1.2.3:50051", "xds:///foo", "unix:"),
    ],
)
def test_a_target_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setenv("CUSTOMER_OPS_SUPPORT_TARGET", target)
    monkeypatch.setenv("CUSTOMER_OPS_SUCCESS_TARGET", target)
    assert list(faults_of(GatewaySettings)) == ["CUSTOMER_OPS_SUPPORT_TARGET", "CUSTOMER_OPS_SUCCESS_TARGET"]


@pytest.mark.parametrize(
    "target",
    [
        "dns:///support:50051",
        "dns://10.0.0.2/support:50051",
        "[::1]:50051",
        "ipv4:10.0.0.3:1,10.0.0.4:1",
        "ipv6:[::1]:1",
        "unix:///run/support.sock",
        "passthrough:///support:50051",
    ],
)
def test_a_target_that_can_be_dialled(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setenv("CUSTOMER_OPS_SUPPORT_TARGET", target)
    assert faults_of(GatewaySettings) == {}


@pytest.mark.parametrize("kind", [ServiceSettings, GatewaySettings])
def test_a_misspelt_variable_is_named_with_the_nearest_right_one(
    monkeypatch: pytest.MonkeyPatch, kind: type[ServiceSettings | GatewaySettings]
) -> None:
    for name in ("AUTOMIGRATE", "loglevel", "MAX_CALL", "DATA_DRI"):
        monkeypatch.setenv(f"CUSTOMER_OPS_{name}", SECRET)
    # What means something to somebody else.
    for name in ("LIVE_SEND_ALLOWED", "METRICS_PORT", "DATABASE_USER", "DATABASE_URL_FILE", "SUPPORT_DATABASE_URL"):
        monkeypatch.setenv(f"CUSTOMER_OPS_{name}", SECRET)
    assert faults_of(kind) == {
        "CUSTOMER_OPS_DATA_DRI": "there is no such setting; the nearest is CUSTOMER_OPS_DATA_DIR",
        "CUSTOMER_OPS_MAX_CALL": "there is no such setting; the nearest is CUSTOMER_OPS_MAX_CALLS",
        "CUSTOMER_OPS_AUTOMIGRATE": "there is no such setting; the nearest is CUSTOMER_OPS_AUTO_MIGRATE",
        "CUSTOMER_OPS_loglevel": "there is no such setting; the nearest is CUSTOMER_OPS_LOG_LEVEL",
    }


def test_variables_of_others_and_of_other_processes_are_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADDRESS", "ACTOR", "PORT", "SUPPORT_TARGET", "DATA_DIR"):
        monkeypatch.setenv(f"CUSTOMER_OPS_{name}", "127.0.0.1:1")
    # As Kubernetes has them for services named customer-ops and customer-ops-support.
    for prefix in ("CUSTOMER_OPS_", "CUSTOMER_OPS_SUPPORT_"):
        for name in ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_GRPC", "PORT_50051_TCP", "PORT_50051_TCP_ADDR"):
            monkeypatch.setenv(f"{prefix}{name}", "10.0.0.7")
        monkeypatch.setenv(f"{prefix}PORT", "tcp://10.0.0.7:50051")
    assert faults_of(ServiceSettings) == faults_of(GatewaySettings) == {}


def test_an_empty_data_folder_is_not_the_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOMER_OPS_DATA_DIR", "")
    assert list(faults_of(ServiceSettings)) == ["CUSTOMER_OPS_DATA_DIR"]


def run_process(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """``python -m ARGUMENTS`` to its end, with ``settings`` as ``CUSTOMER_OPS_<NAME>``."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=os.environ | {f"CUSTOMER_OPS_{name.upper()}": value for name, value in settings.items()},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_fault_is_a_line_of_its_own_and_nothing_is_made(tmp_path: Path) -> None:
    ended = run_process(
        "services.support",
        data_dir=str(tmp_path / "data"),
        database_url=f"postgresql://u:{SECRET}@h:notaport/db",
        metrics_listen="x",
        automigrate="false",
    )
    assert ended.returncode == 2
    names = [line.partition(": ")[0] for line in ended.stderr.splitlines()]
    assert sorted(names) == [f"CUSTOMER_OPS_{name}" for name in ("AUTOMIGRATE", "DATABASE_URL", "METRICS_LISTEN")]
    assert SECRET not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("migrate",), ("serve", "--bogus")])
def test_the_gateway_takes_no_argument_that_it_does_not_know(arguments: tuple[str, ...]) -> None:
    ended = run_process("gateway", *arguments, listen="127.0.0.1:0")
    assert ended.returncode == 2
    assert "usage: python -m gateway" in ended.stderr
    assert run_process("gateway", "--help").returncode == 0


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_why_postgresql_lets_nobody_in_is_said_by_the_variable(postgres: PostgresServer, command: str) -> None:
    url = postgres.url("not_made")
    stranger = make_url(url).set(username="stranger").render_as_string(hide_password=False)
    for faulty, said in ((url, "database that CUSTOMER_OPS_DATABASE_URL names does not exist"), (stranger, "the user")):
        ended = run_process("services.support", command, database_url=faulty)
        assert ended.returncode == 3
        assert len(ended.stderr.splitlines()) == 1
        assert said in ended.stderr


def read(url: str) -> bytes:
    """What a web address answers."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        content: bytes = answer.read()
    return content


async def test_metrics_are_served_on_ipv6_and_a_place_that_is_taken_is_named(
    processes: Processes, tmp_path: Path
) -> None:
    process = await processes.service("support", tmp_path, metrics_listen="[::1]:0")
    address = (await process.event("metrics"))["address"]
    await process.address()
    assert b"customer_ops_timer_lag_seconds" in await asyncio.to_thread(read, f"http://{address}/metrics")
    taken = await processes.start("-m", "gateway", listen="127.0.0.1:0", metrics_listen=address)
    failed = await taken.event("failed")
    assert failed["detail"].startswith(f"CUSTOMER_OPS_METRICS_LISTEN: cannot listen on {address}")
    assert await taken.ended() == 1
    process.send(signal.SIGTERM)
    assert await process.ended() == 0
