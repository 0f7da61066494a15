"""What the compose file says, read without an engine: a misspelt variable would be ignored, not refused."""

import re
from pathlib import Path

import pytest

from services.runtime.settings import GatewaySettings, ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)


def test_every_variable_that_the_containers_get_is_a_setting() -> None:
    given = {name.lower() for name in re.findall(r"^\s+CUSTOMER_OPS_(\w+):", COMPOSE, re.MULTILINE)}
    assert given
    assert given <= set(ServiceSettings.model_fields) | set(GatewaySettings.model_fields)


def test_the_example_holds_every_required_variable_and_the_file_no_password() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE))
    assert required
    assert required <= set(EXAMPLE)
    assert not [value for name, value in EXAMPLE.items() if name.endswith("PASSWORD") and value in COMPOSE]
    assert not re.findall(r"PASSWORD:-", COMPOSE)


@pytest.mark.parametrize("fixed", ["container_name", "hostname:", "network_mode", "privileged"])
def test_nothing_stands_in_the_way_of_replicas(fixed: str) -> None:
    assert fixed not in COMPOSE


def test_one_port_is_published_and_on_loopback_only() -> None:
    assert re.findall(r"^    ports:\n((?:      - .*\n)+)", COMPOSE, re.MULTILINE) == [
        '      - "127.0.0.1:${CUSTOMER_OPS_PORT:-50050}:50050"\n'
    ]


@pytest.mark.parametrize("service", ["support", "incidents", "onboarding", "success"])
def test_each_service_has_a_database_a_role_and_a_password_of_its_own(service: str) -> None:
    password = f"${{{service.upper()}_DB_PASSWORD:?see .env.example}}"
    assert f"postgresql://{service}:{password}@postgres:5432/{service}\n" in COMPOSE
    made = (ROOT / "deploy/postgres/10-databases.sh").read_text(encoding="utf-8")
    loop = re.search(r"^for service in (.*); do$", made, re.MULTILINE)
    assert loop is not None
    assert service in loop[1].split()


def test_containers_get_longer_to_end_than_their_processes_take() -> None:
    def seconds(pattern: str) -> set[int]:
        return {int(value) for value in re.findall(pattern, COMPOSE)}

    (drain,) = seconds(r'CUSTOMER_OPS_DRAIN_SECONDS: "(\d+)"')
    (grace,) = seconds(r'CUSTOMER_OPS_GRACE_SECONDS: "(\d+)"')
    assert min(seconds(r"stop_grace_period: (\d+)s")) > drain + grace
