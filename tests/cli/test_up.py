"""`customer-ops up`: starts, plays the first week, keeps its state, ends when it should."""

from __future__ import annotations

import os
import pty
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import READY, address_of, environment, run_command, started


def test_it_serves_until_sigterm_and_ends_with_code_0(tmp_path: Path) -> None:
    with started(data=tmp_path / "data") as process:
        address = address_of(process)
        assert run_command(address, "status").code == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert run_command(address, "status").code == 3


def test_the_first_week_ends_by_itself_without_a_terminal_and_goes_on_with_what_is_kept(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shows = []
    for _ in range(2):
        with started("--demo", data=data) as process:
            out, _ = process.communicate(timeout=60)
            assert process.returncode == 0, out
            shows.append(out)
    first, second = shows
    assert "New customer riyadh-trading-demo" in first
    assert "refused: APPROVAL_REQUIRED" in first
    assert "refused: OPT_IN_AUDIT_REQUIRED" in first
    assert "Declared, with the plan" in first
    assert "riyadh-trading-demo is known: its checklist of 8 steps is at 100 %" in second
    assert "has 2 tickets from before; two more come in" in second
    assert "An incident of this customer is open already" in second
    for show in shows:
        assert show.count(" DRAFT ") == 4
        assert "SUPPORT_UNAUTHORIZED_SEND" in show
        assert "refused: CHECK_IN_SUPPRESSED" in show
        assert show.count("intact") == 4
        assert "live_send_allowed=true" not in show
        assert "live_send_allowed=false explicitly present in every one" in show
        assert "standard input is no terminal" in show


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
                if "goes on with what is kept" in line:
                    break
            found = READY.match(lines[0])
            assert found, lines[0]
            assert run_command(found[1], "status").code == 0
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_signal_ends_the_first_week_early_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with started("--demo", data=tmp_path) as process:
        address_of(process)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0, out
        assert "Traceback" not in out
    with started("--demo", data=tmp_path) as process:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out
        assert "first_proof_pack" in out
        assert out.count("intact") == 4


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the processor time of a process from /proc")
def test_it_is_ready_within_two_seconds_of_processor_time(tmp_path: Path) -> None:
    with started(data=tmp_path) as process:
        address_of(process)
        # Wall time would measure what else the machine does: user and system time are its own.
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        assert (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") < 2.0


def test_the_demo_plays_against_a_running_stack(stack: str) -> None:
    ended = run_command(stack, "demo")
    assert ended.code == 0, ended.err
    assert "The Action Ledgers" in ended.out


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
    variables = {
        "CUSTOMER_OPS_MAX_CALLS": "many",
        "CUSTOMER_OPS_GRACE_SECONDS": "-1",
        "CUSTOMER_OPS_DRAIN_SECONDS": "x",
    }
    with started(data=tmp_path, variables=variables) as process:
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert out.count("\n") == 1
    # The embedded stack sets its own grace time.
    for name in ("CUSTOMER_OPS_MAX_CALLS", "CUSTOMER_OPS_DRAIN_SECONDS"):
        assert name in out


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


def test_no_variable_of_the_environment_turns_live_sends_on(tmp_path: Path) -> None:
    names = ("LIVE_SEND_ALLOWED", "WHATSAPP_ALLOW_LIVE_SEND", "GMAIL_ALLOW_LIVE_SEND", "CALENDAR_ALLOW_LIVE_INSERT")
    variables = {f"{prefix}{name}": "true" for name in names for prefix in ("", "CUSTOMER_OPS_")}
    with started(data=tmp_path, variables=variables) as process:
        ended = run_command(address_of(process), "classify", "hello", "--json")
    assert '"live_send_allowed": false' in ended.out
    assert '"approval_required": true' in ended.out
