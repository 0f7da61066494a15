"""Who may know whom, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUSINESS = ("support", "incidents", "onboarding", "success")
STDLIB = sys.stdlib_module_names
GENERATED = ROOT / "protos" / "generated"


def sources(*folders: str) -> list[Path]:
    """Every Python file under folders of the project."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert found, folders
    return sorted(found)


@cache
def tree_of(source: Path) -> ast.Module:
    """A file, parsed once."""
    return ast.parse(source.read_text(encoding="utf-8"))


@cache
def imports(source: Path) -> tuple[str, ...]:
    """Every module or name that a file imports, wherever in it, by its full dotted name."""
    package = source.relative_to(ROOT).with_suffix("").parts[:-1]
    found: list[str] = []
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{module}.{alias.name}" for alias in node.names]
    return tuple(found)


def within(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def strangers(folder: str, *allowed: str, standard_library: bool = True) -> dict[str, list[str]]:
    """What files of a folder import beyond what is allowed, by file."""
    found: dict[str, list[str]] = {}
    for source in sources(folder):
        wrong = [
            name
            for name in imports(source)
            if not within(name, *allowed) and not (standard_library and name.split(".")[0] in STDLIB)
        ]
        if wrong:
            found[str(source.relative_to(ROOT))] = wrong
    return found


def users(package: str, *folders: str) -> set[str]:
    """The files under folders that import a package."""
    return {
        source.relative_to(ROOT).as_posix()
        for source in sources(*folders)
        if any(within(name, package) for name in imports(source))
    }


@pytest.mark.parametrize("service", BUSINESS)
def test_a_domain_knows_the_standard_library_itself_and_the_shared_kernel(service: str) -> None:
    assert strangers(f"services/{service}/domain", f"services.{service}.domain", "services.domain") == {}


def test_the_shared_kernel_knows_the_standard_library() -> None:
    assert strangers("services/domain", "services.domain") == {}


# `random`, `time` and the like are standard library, and still none of a domain's business.
_NOT_PURE = {"asyncio", "os", "random", "secrets", "socket", "sqlite3", "subprocess", "threading", "time", "uuid"}
# What a file may use all the same, and why: a lock around what is read once changes no answer.
_ALLOWED = {"services/support/domain/forms.py": {"threading"}}
_CLOCKS = {"now", "utcnow", "today"}


def test_a_domain_has_no_clock_no_chance_no_waiting_and_makes_no_ids() -> None:
    found = []
    for source in sources("services/domain", *(f"services/{service}/domain" for service in BUSINESS)):
        where = str(source.relative_to(ROOT))
        found += [
            (where, name) for name in imports(source) if name.split(".")[0] in _NOT_PURE - _ALLOWED.get(where, set())
        ]
        for node in ast.walk(tree_of(source)):
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor):
                found.append((where, f"line {node.lineno} waits"))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CLOCKS:
                found.append((where, f"line {node.lineno} reads a clock"))
    assert found == []


@pytest.mark.parametrize("service", BUSINESS)
def test_services_do_not_know_each_other_nor_what_stands_in_front_of_them(service: str) -> None:
    others = [f"services.{other}" for other in BUSINESS if other != service]
    for package in (*others, "gateway", "customer_ops", "tests"):
        assert users(package, f"services/{service}") == set(), package


def _part(name: str) -> str:
    """Which part of a service a file is: ``store_freezes.py`` is a store as ``store.py`` is, in the service's own folder."""
    path = Path(name)
    return path.stem.partition("_")[0] if len(path.parts) == 3 else ""


@pytest.mark.parametrize("service", BUSINESS)
def test_the_contract_is_known_to_the_translators_only(service: str) -> None:
    folder = f"services/{service}"
    known_to = users("dealix", folder) | users("google", folder) | users("grpc", folder)
    assert {name for name in known_to if _part(name) not in ("servicer", "wire", "service")} == set()
    assert f"{folder}/servicer.py" in known_to


@pytest.mark.parametrize("service", BUSINESS)
def test_sql_is_known_to_the_store_and_the_migrations_only(service: str) -> None:
    folder = f"services/{service}"
    known_to = users("sqlalchemy", folder) | users("alembic", folder) | users("sqlite3", folder)
    assert f"{folder}/store.py" in known_to
    outside = {name for name in known_to if not name.startswith(f"{folder}/migrations/")}
    assert {name for name in outside if _part(name) != "store"} == set()


@pytest.mark.parametrize("service", BUSINESS)
def test_a_service_speaks_of_its_own_part_of_the_contract(service: str) -> None:
    for other in (*BUSINESS, "gateway"):
        if other != service:
            assert users(f"dealix.{other}", f"services/{service}") == set(), other


def test_the_machinery_knows_no_business() -> None:
    for folder in ("runtime", "storage", "policy", "domain"):
        for package in (*(f"services.{service}" for service in BUSINESS), "gateway", "customer_ops", "tests"):
            assert users(package, f"services/{folder}") == set(), (folder, package)
    # Below the runtime nobody knows the contract, and below storage nobody knows the runtime.
    for folder in ("storage", "policy", "domain"):
        assert users("dealix", f"services/{folder}") == set(), folder
        assert users("services.runtime", f"services/{folder}") == set(), folder
    for folder in ("runtime", "policy", "domain"):
        assert users("sqlalchemy", f"services/{folder}") == set(), folder


def test_the_gateway_is_known_to_the_command_line_only() -> None:
    assert users("gateway", "services") == set()
    assert users("customer_ops", "services", "gateway") == set()
    assert any(name.startswith("customer_ops/") for name in users("gateway", "customer_ops"))


def test_the_gateway_knows_no_business_and_no_database() -> None:
    for package in (*(f"services.{service}" for service in BUSINESS), "services.storage", "sqlalchemy"):
        assert users(package, "gateway") == set(), package


def documentation(tree: ast.AST) -> set[int]:
    """The nodes that are text for readers: strings that stand as statements."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def mentions(source: Path) -> Iterator[tuple[int, str]]:
    """Where a file's code names the flag: line, and whether it ``reads`` or ``writes`` it."""
    tree = tree_of(source)
    text = documentation(tree)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "live_send_allowed":
            yield node.lineno, "reads" if isinstance(node.ctx, ast.Load) else "writes"
        elif isinstance(node, ast.keyword) and node.arg == "live_send_allowed":
            yield node.value.lineno, "writes"
        elif isinstance(node, ast.Constant) and node.value == "live_send_allowed" and id(node) not in text | parts:
            yield node.lineno, "reads"


def test_the_flag_is_named_in_one_place_and_written_nowhere_else() -> None:
    found = {
        source.relative_to(ROOT).as_posix(): list(mentions(source))
        for source in sources("services", "gateway", "customer_ops")
    }
    naming = {name for name, where in found.items() if where}
    writing = {name for name, where in found.items() if any(how == "writes" for _, how in where)}
    assert writing == {"services/policy/live_send.py"}
    # Clients read it; no part of the system does but by way of the policy.
    assert {name for name in naming if not name.startswith("customer_ops/")} == writing


def test_no_text_of_ours_says_that_sending_is_allowed() -> None:
    for source in sources("services", "gateway", "customer_ops"):
        code = source.read_text(encoding="utf-8").replace(" ", "").replace('"', "").replace("'", "").lower()
        assert "live_send_allowed=true" not in code, source
        assert "live_send_allowed:true" not in code, source


def test_the_protos_wheel_needs_nothing_of_ours() -> None:
    project = tomllib.loads((ROOT / "protos/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {d.split(">")[0].split("=")[0].strip() for d in project["dependencies"]} == {
        "protobuf",
        "grpcio",
        "grpcio-status",
        "googleapis-common-protos",
    }
    allowed = ("dealix", "buf", "google", "grpc", "grpc_status")
    assert strangers("protos/generated", *allowed) == {}


def test_the_stubs_import_where_nothing_of_ours_is_installed() -> None:
    modules = sorted(
        ".".join(path.relative_to(GENERATED).with_suffix("").parts)
        for path in (GENERATED / "dealix").rglob("*_pb2*.py")
    )
    assert len(modules) > 20
    # A finder that refuses the rest of the project stands for its absence, however the project was installed.
    script = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("services", "gateway", "customer_ops", "tests", "protovalidate"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
sys.path.insert(0, {str(GENERATED)!r})
import importlib
for name in {modules!r}:
    importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
