"""`customer-ops up`: starts, plays the week where nothing is kept, keeps its state, ends when it should."""

from __future__ import annotations

import itertools
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from customer_ops.client import SERVICES
from customer_ops.script import load_today
from tests.cli.conftest import READY, address_of, environment, run_command, started
from tests.ports import free_port


@dataclass(frozen=True, slots=True)
class Week:
    """A played week."""

    data: Path
    out: str


def test_it_serves_until_sigterm_and_ends_with_code_0(tmp_path: Path) -> None:
    with started(data=tmp_path / "data") as process:
        address = address_of(process)
        assert run_command(address, "status").code == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert run_command(address, "status").code == 3


REFUSALS = [
    *("APPROVAL_REQUIRED", "PROHIBITED_CLAIM", "OPT_IN_AUDIT_REQUIRED", "CHANNEL_FROZEN", "FOUNDER_REQUIRED"),
    *("CHECK_IN_SUPPRESSED", "LATE_REASON_REQUIRED", "NOTICE_INCOMPLETE", "POST_MORTEM_INCOMPLETE"),
    *("INCIDENT_NOT_CLOSABLE", "STEP_BLOCKED", "CONNECTOR_ACCOUNT_MISMATCH", "ACCEPTANCE_INCOMPLETE"),
]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """The week played once in an empty folder: its folder and what was printed."""
    data = tmp_path_factory.mktemp("week") / "data"
    # So narrow that the languages stand below each other: what is said can be found as it was written.
    with started("--demo", data=data, variables={"COLUMNS": "80"}) as process:
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    return Week(data, out)


def test_the_week_ends_by_itself_without_a_terminal(week: Week) -> None:
    assert "standard input is no terminal" in week.out
    assert "live_send_allowed=true" not in week.out
    assert "live_send_allowed=false explicitly present in every one" in week.out
    assert week.out.count("intact") == 4


@pytest.mark.parametrize("reason", REFUSALS)
def test_the_week_shows_what_is_refused(week: Week, reason: str) -> None:
    assert f"✗ {reason}  " in week.out


def test_the_week_is_told_in_its_order_by_riyadhs_clock(week: Week) -> None:
    days = re.findall(r"^  (Sun|Mon|Tue|Wed|Thu|Fri|Sat) (\d\d:\d\d)  ", week.out, re.MULTILINE)
    assert days[0] == ("Sun", "08:30")
    order = [day for day, _ in itertools.groupby(day for day, _ in days)]
    assert order == ["Sun", "Mon", "Tue", "Wed", "Thu", "Sun", "Mon"]
    for _, of_a_day in itertools.groupby(days, key=lambda told: told[0]):
        clocks = [clock for _, clock in of_a_day]
        assert clocks == sorted(clocks)


def test_what_fell_due_happened_at_its_own_time_though_the_clock_leapt(week: Week) -> None:
    # A question of Sunday 10:05 with 24 hours: three quarters of them are over at 04:05.
    assert "At 04:05 yesterday's question" in " ".join(week.out.split())
    # An invoice of Thursday 17:20 with 8 hours: 75, 100 and 150 per cent, all over the weekend.
    assert "(Thursday 23:20, Friday 01:20, Friday 05:20, Saturday 23:20)" in " ".join(week.out.split())


def test_the_week_is_told_in_words_not_in_identifiers(week: Week) -> None:
    arabic = " ".join(re.findall("\u2067(.*?)\u2069", week.out))
    for said in (
        "موعد آخرها يوم الخميس",
        "اكتملت خطوة «اختيار الهدف»: 12.5٪",
        "«باقة بداية النمو»",
        "الخميس 23:20، الجمعة 01:20",
    ):
        assert said in arabic
    for identifier in ("select_goal", "growth_starter", "thanks_flagged", "Thu"):
        assert identifier not in arabic
    assert " %" not in week.out


def test_a_ticket_shows_its_clocks_in_every_state(week: Week) -> None:
    for state in ("running", "paused", "at_risk", "breached", "met"):
        assert re.search(rf"(first_response|next_response|resolution) +{state} +[█░▶]{{20}}", week.out), state


def test_a_second_run_shows_what_is_open_and_plays_nothing(week: Week) -> None:
    def entries() -> dict[str, int]:
        counts = {}
        for service in SERVICES:
            with closing(sqlite3.connect(week.data / f"{service}.db")) as database:
                (counts[service],) = database.execute("SELECT count(*) FROM ledger").fetchone()
        return counts

    before = entries()
    with started("--demo", data=week.data) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert "A week is kept here already" in out
    assert "Onboarding begins" not in out
    for title in load_today().values():
        if "{" not in title.en and title.en != "nothing":
            assert title.en.split()[0] in out
    assert "Moyasar invoice" in out
    assert before == entries()


def test_the_first_week_stays_on_a_terminal_until_ctrl_c(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "customer_ops", "up", "--demo", "--listen", "127.0.0.1:0"]
    try:
        with subprocess.Popen(
            [*command, "--data", str(tmp_path)],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=environment(),
        ) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "`make run` again" in line:
                    break
            found = READY.match(lines[0])
            assert found, lines[0]
            assert run_command(found[1], "status").code == 0
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_signal_ends_the_week_early_and_the_next_run_shows_what_there_is(tmp_path: Path) -> None:
    with started("--demo", data=tmp_path) as process:
        address_of(process)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0, out
        assert "Traceback" not in out
    with started("--demo", data=tmp_path) as process:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out
        assert "What waits for a person" in out


def test_the_demo_plays_a_week_needs_no_stack_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "100"}
    command = [sys.executable, "-m", "customer_ops", "demo"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "The Action Ledgers" in ended.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the processor time of a process from /proc")
def test_it_is_ready_within_five_seconds_of_processor_time(tmp_path: Path) -> None:
    with started(data=tmp_path) as process:
        address_of(process)
        # Wall time would measure what else the machine does: user and system time are its own.
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        assert (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") < 5.0


def test_a_second_stack_on_the_same_data_or_address_is_refused_in_one_line(tmp_path: Path) -> None:
    with started(data=tmp_path / "data") as process:
        address = address_of(process)
        with started(data=tmp_path / "data") as second:
            out, _ = second.communicate(timeout=30)
            assert second.returncode == 1
            assert out.startswith("customer-ops: must not start on")
            assert "in use" in out
            assert out.count("\n") == 1
        taken = ["--listen", address, "--data", str(tmp_path / "other")]
        ended = subprocess.run(
            [sys.executable, "-m", "customer_ops", "up", *taken],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=30,
            check=False,
        )
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"customer-ops: cannot start: cannot listen on {address}")
        assert ended.stderr.count("\n") == 1


def test_faulty_settings_are_named_all_at_once(tmp_path: Path) -> None:
    faulty = {
        "MAX_CALLS": "many",
        "GRACE_SECONDS": "-1",
        "DRAIN_SECONDS": "x",
        "LOG_LEVEL": "verbose",
        "LOG_JSON": "maybe",
        "AUTO_MIGRATE": "perhaps",
        "REFLECTION": "2",
        "DATABASE_URL": "postgresql://u:secret@127.0.0.1/db",
        "LOGLEVEL": "debug",
    }
    variables = {f"CUSTOMER_OPS_{name}": value for name, value in faulty.items()}
    with started("--listen", "nowhere", data=tmp_path / "data", variables=variables) as process:
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert out.count("\n") == 1
    for name in (*variables, "--listen"):
        assert f"{name}: " in out
    assert "secret" not in out
    assert list(tmp_path.iterdir()) == []


def test_settings_hold_where_no_option_says_otherwise(tmp_path: Path) -> None:
    variables = {
        "CUSTOMER_OPS_LISTEN": f"127.0.0.1:{free_port()}",
        "CUSTOMER_OPS_DATA_DIR": str(tmp_path / "kept"),
        "CUSTOMER_OPS_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
        "CUSTOMER_OPS_LOG_LEVEL": "info",
        "CUSTOMER_OPS_LOG_JSON": "true",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "customer_ops", "up"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | variables,
        cwd=tmp_path,
    ) as process:
        address = address_of(process)
        assert address == variables["CUSTOMER_OPS_LISTEN"]
        assert run_command(address, "tickets", "open", "c-1", "hello", "--as", "operator-1").code == 0
        with urlopen(f"http://{variables['CUSTOMER_OPS_METRICS_LISTEN']}/metrics", timeout=10) as answer:
            assert b"RouteTicket" in answer.read()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert any(json.loads(line)["event"] == "call" for line in said.splitlines())
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "support.db").exists()


def test_a_schema_is_not_made_where_that_is_forbidden_and_status_says_that_nothing_serves(tmp_path: Path) -> None:
    with started("--log-level", "error", data=tmp_path, variables={"CUSTOMER_OPS_AUTO_MIGRATE": "false"}) as process:
        ended = run_command(address_of(process), "status", "--json")
    assert ended.code == 3
    assert ended.error_lines == ["customer-ops: not serving now: support, incidents, onboarding, success"]
    assert '"live_send_allowed": false' in ended.out
    assert not list(tmp_path.glob("*.db"))


def test_an_altered_ledger_is_found_and_has_a_code_of_its_own(tmp_path: Path) -> None:
    with started(data=tmp_path) as process:
        opened = run_command(address_of(process), "tickets", "open", "c-1", "hello", "--as", "operator-1")
        assert opened.code == 0, opened.err
    with sqlite3.connect(tmp_path / "support.db") as database:
        database.execute("DROP TRIGGER ledger_no_update")
        database.execute("UPDATE ledger SET actor_id = 'somebody-else' WHERE sequence = 1")
    database.close()
    with started(data=tmp_path) as process:
        address = address_of(process)
        ended = run_command(address, "ledger", "verify")
        assert ended.code == 4
        assert "ledger broken: support at entry 1" in ended.err
        assert len(ended.error_lines) == 1
        assert "broken at 1" in ended.out
        assert run_command(address, "ledger", "verify", "--service", "success").code == 0


def test_a_ledger_cut_short_is_found_by_where_it_ended_before(tmp_path: Path) -> None:
    noted, data = tmp_path / "anchors.json", tmp_path / "data"
    with started(data=data) as process:
        address = address_of(process)
        for body in ("one", "two"):
            assert run_command(address, "tickets", "open", "c-1", body, "--as", "operator-1").code == 0
        noted.write_text(run_command(address, "ledger", "verify", "--json").out, encoding="utf-8")
        assert run_command(address, "tickets", "open", "c-1", "three", "--as", "operator-1").code == 0
        assert run_command(address, "ledger", "verify", "--anchors", str(noted)).code == 0
        single = tmp_path / "single.json"
        single.write_text(
            run_command(address, "ledger", "verify", "--service", "support", "--json").out, encoding="utf-8"
        )
        ended = run_command(address, "ledger", "verify", "--anchors", str(single))
        assert (ended.code, "nothing is said there of 'incidents'" in ended.err) == (2, True)
    with closing(sqlite3.connect(data / "support.db")) as database:
        database.execute("DROP TRIGGER ledger_no_delete")
        database.execute("DELETE FROM ledger WHERE sequence > 1")
        database.execute("UPDATE ledger_head SET sequence = 1, hash = (SELECT hash FROM ledger)")
        database.commit()
    with started(data=data) as process:
        address = address_of(process)
        assert run_command(address, "ledger", "verify").code == 0
        ended = run_command(address, "ledger", "verify", "--anchors", str(noted))
        assert ended.code == 4
        assert "ledger broken: support" in ended.err


def test_no_variable_of_the_environment_turns_live_sends_on(tmp_path: Path) -> None:
    names = ("LIVE_SEND_ALLOWED", "WHATSAPP_ALLOW_LIVE_SEND", "GMAIL_ALLOW_LIVE_SEND", "CALENDAR_ALLOW_LIVE_INSERT")
    variables = dict.fromkeys((*names, *(f"CUSTOMER_OPS_{name}" for name in names)), "true")
    with started(data=tmp_path, variables=variables) as process:
        ended = run_command(address_of(process), "classify", "hello", "--json")
    assert '"live_send_allowed": false' in ended.out
    assert '"approval_required": true' in ended.out
