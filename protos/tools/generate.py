"""Generates the stubs of the contract into ``protos/generated``.

Run as ``python protos/tools/generate.py [--check]`` with the development extras installed. With ``--check`` it writes
nothing and exits 1 where the committed stubs are not what the contract gives.

The imports that are not ours come from pinned packages and stand in ``protos/third_party``, which is not committed:
``google/api`` is copied from googleapis-common-protos, and ``buf/validate/validate.proto`` is printed from the descriptor
that protovalidate bundles, because its wheel ships no ``.proto`` file.
"""

from __future__ import annotations

import argparse
import filecmp
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import grpc_tools

PROTOS = Path(__file__).resolve().parent.parent
THIRD_PARTY = PROTOS / "third_party"
GENERATED = PROTOS / "generated"
GOOGLE_API = ("annotations.proto", "http.proto")


def make_third_party() -> None:
    """Fills ``protos/third_party`` from the installed packages."""
    from print_proto import validate_proto  # beside this file

    spec = importlib.util.find_spec("google.api")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("googleapis-common-protos is not installed")
    source = Path(next(iter(spec.submodule_search_locations)))
    target = THIRD_PARTY / "google" / "api"
    target.mkdir(parents=True, exist_ok=True)
    for name in GOOGLE_API:
        shutil.copyfile(source / name, target / name)
    validate = THIRD_PARTY / "buf" / "validate" / "validate.proto"
    validate.parent.mkdir(parents=True, exist_ok=True)
    validate.write_text(validate_proto(), encoding="utf-8")


def generate(target: Path) -> None:
    """Writes all stubs, with type hints, to ``target``."""
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    ours = sorted(str(p.relative_to(PROTOS)) for p in (PROTOS / "dealix").rglob("*.proto"))
    plugins = Path(sys.executable).parent
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{PROTOS}",
        f"-I{THIRD_PARTY}",
        f"-I{well_known}",
        f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
        f"--python_out={target}",
        f"--mypy_out=quiet:{target}",
    ]
    # Both run the protoc of this interpreter on files of this project.
    subprocess.run([*command, "buf/validate/validate.proto"], check=True, cwd=PROTOS)  # noqa: S603
    subprocess.run(  # noqa: S603
        [*command, f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}", *ours], check=True, cwd=PROTOS
    )
    # protoc writes a service file for every proto; only those with a service say anything.
    for stub in target.rglob("*_pb2_grpc.py"):
        if "class " not in stub.read_text(encoding="utf-8"):
            stub.unlink()
            stub.with_suffix(".pyi").unlink(missing_ok=True)
    for stub in target.rglob("*_pb2_grpc.pyi"):
        if not stub.with_suffix(".py").exists():
            stub.unlink()
    # Not `google`: that package belongs to others. `dealix` and `buf` stay namespace packages for the same reason.
    (target / "dealix" / "py.typed").touch()


def differences(left: Path, right: Path) -> list[str]:
    """Names the files that differ between two folders, or stand in one only."""
    names = {p.relative_to(left) for p in left.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    names |= {
        p.relative_to(right)
        for p in right.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts and not any(part.endswith(".egg-info") for part in p.parts)
    }
    return sorted(
        str(n)
        for n in names
        if not (left / n).exists() or not (right / n).exists() or not filecmp.cmp(left / n, right / n, shallow=False)
    )


def main() -> int:
    """Generates, or checks with ``--check``; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the committed stubs are stale")
    parser.add_argument("--third-party-only", action="store_true", help="only make protos/third_party")
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    make_third_party()
    if arguments.third_party_only:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        generate(target)
        stale = differences(target, GENERATED)
        if arguments.check:
            for name in stale:
                sys.stderr.write(f"stale: protos/generated/{name}\n")
            return 1 if stale else 0
        if GENERATED.exists():
            for entry in GENERATED.iterdir():
                if not entry.name.endswith(".egg-info"):
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        shutil.copytree(target, GENERATED, dirs_exist_ok=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
