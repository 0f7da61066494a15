"""What the README shows works as it stands there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from services.runtime.settings import PORTS, GatewaySettings, ServiceSettings
from tests.cli.conftest import address_of, environment, run_command, started

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def _identifiers(address: str) -> dict[str, Callable[[], str]]:
    """What stands for an identifier in the README, and where a reader would look it up."""

    def newest(field: str, key: str, *arguments: str) -> str:
        ended = run_command(address, *arguments, "--json")
        assert ended.code == 0, ended.err
        return str(json.loads(ended.out)[field][0][key])

    def waiting(key: str) -> str:
        ended = run_command(address, "approvals", "pending", "--service", "support", "--json")
        drafts = json.loads(ended.out)["support"]["drafts"]
        return str(next(draft[key] for draft in drafts if draft["kind"] == "DRAFT_KIND_FIRST_RESPONSE"))

    return {
        "tkt_…": lambda: newest("tickets", "ticket_id", "tickets", "list"),
        "inc_…": lambda: newest("incidents", "incident_id", "incidents", "list"),
        "frz_…": lambda: newest("freezes", "freeze_id", "freezes", "list"),
        "drf_…": lambda: waiting("draft_id"),
        "HASH": lambda: waiting("content_hash"),
    }


def test_every_command_runs_in_the_order_of_the_readme(tmp_path: Path) -> None:
    lines = re.findall(r"^customer-ops .*$", README, re.MULTILINE)
    assert len(lines) > 50
    files = {name: str(tmp_path / name) for name in ("mailbox.csv", "classified.csv", "report.csv")}
    Path(files["mailbox.csv"]).write_text("text\nتسريب بيانات\n", encoding="utf-8")
    with started(data=tmp_path / "data") as process:
        address = address_of(process)
        stands_for = _identifiers(address)
        for line in lines:
            arguments = shlex.split(line)[1:]
            if arguments[0] in ("up", "demo"):
                continue
            known = [stands_for[part]() if part in stands_for else files.get(part, part) for part in arguments]
            ended = run_command(address, *known)
            assert ended.code == 0, f"{line}: {ended.err}"
    for name in ("classified.csv", "report.csv"):
        assert Path(files[name]).stat().st_size > 0


def test_the_client_in_ten_lines_runs(stack: str) -> None:
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    assert len([line for line in found[1].splitlines() if line]) <= 10
    ended = subprocess.run(
        [sys.executable, "-c", found[1].replace("127.0.0.1:50050", stack)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(),
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "بدون موافقتي" in ended.stdout


def test_the_table_of_settings_is_complete_and_says_the_defaults() -> None:
    rows = dict(re.findall(r"^\| `CUSTOMER_OPS_([A-Z_]+)` \| (.*?) \|", README, re.MULTILINE))
    for name, field in ServiceSettings.model_fields.items():
        shown = rows.pop(name.upper())
        if name not in {"listen", "database_url", "metrics_listen"}:
            default = str(field.default).lower() if isinstance(field.default, bool) else f"{field.default}"
            assert shown == f"`{default.removesuffix('.0')}`", name
    assert rows == {}
    assert set(GatewaySettings.model_fields) - set(ServiceSettings.model_fields) == {
        f"{name}_target" for name in PORTS if name != "gateway"
    }
    for name, port in PORTS.items():
        assert f"{name} {port}" in README


def test_the_codes_of_the_readme_are_those_of_the_commands() -> None:
    from customer_ops import exits

    codes = {value for name, value in vars(exits).items() if name.startswith("EXIT_")}
    assert {int(code) for code in re.findall(r"^\| (\d) \|", README, re.MULTILINE)} == codes
