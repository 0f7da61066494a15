"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from services.runtime.settings import PORTS, GatewaySettings, ServiceSettings
from tests.cli.conftest import address_of, environment, run_command, started

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_every_command_runs_in_the_order_of_the_readme(tmp_path: Path) -> None:
    lines = re.findall(r"^customer-ops .*$", README, re.MULTILINE)
    assert len(lines) > 20
    mailbox, classified = tmp_path / "mailbox.csv", tmp_path / "classified.csv"
    mailbox.write_text("text\nتسريب بيانات\n", encoding="utf-8")
    with started(data=tmp_path / "data") as process:
        address = address_of(process)
        for line in lines:
            arguments = shlex.split(line)[1:]
            if arguments[0] == "up" or "tkt_…" in arguments:
                continue
            files = {"mailbox.csv": str(mailbox), "classified.csv": str(classified)}
            ended = run_command(address, *(files.get(part, part) for part in arguments))
            assert ended.code == 0, f"{line}: {ended.err}"
    assert classified.exists()


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
