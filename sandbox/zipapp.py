"""The supervisor as one file that any Python 3.11 can run: a deterministic zip of what it needs.

Sources and their compiled form go in together. `zipimport` takes the compiled form where it fits
the interpreter (about 60 ms faster to start) and compiles the source where it does not.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import marshal
import os
import tempfile
import zipfile
from pathlib import Path

_PACKAGE = Path(__file__).parent
_MODULES = (
    "__init__.py",
    "checks.py",
    "codec.py",
    "commands.py",
    "frames.py",
    "outgoing.py",
    "reports.py",
    "streams.py",
    "strict_json.py",
    "wire.py",
)
_MAIN = b"""import sys
sys.modules["ssl"] = None  # nothing here speaks TLS, and asyncio starts sooner without
import gc
gc.disable()  # imports make nothing but what stays
if sys.argv[1:2] == ["--mcp"]:
    from sandbox.supervisor.bridge import main
else:
    from sandbox.supervisor.__main__ import main
gc.freeze()
gc.enable()
sys.exit(main())
"""
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")


def build_supervisor(target: Path) -> Path:
    """Write the zipapp into directory `target`, named by its content; built once.

    Safe to call from several processes at the same time.
    """
    files = _files()
    digest = hashlib.sha256(importlib.util.MAGIC_NUMBER)
    for name, data in files.items():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    path = target / f"supervisor-{digest.hexdigest()[:16]}.pyz"
    if path.exists():
        return path
    target.mkdir(parents=True, exist_ok=True)
    descriptor, fresh = tempfile.mkstemp(dir=target, prefix=".supervisor-")
    with open(descriptor, "wb") as file:  # noqa: PTH123 an open descriptor
        file.write(_zip(files))
        os.fchmod(file.fileno(), 0o644)
    Path(fresh).replace(path)
    return path


def _files() -> dict[str, bytes]:
    """Every member by name, in a fixed order."""
    files = {"__main__.py": _MAIN}
    sources = [_PACKAGE / name for name in _MODULES]
    sources += sorted((_PACKAGE / "supervisor").glob("*.py"))
    for source in sources:
        files[f"sandbox/{source.relative_to(_PACKAGE)}"] = source.read_bytes()
    return files


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            if name != "__main__.py":
                archive.writestr(_member(f"{name}c"), _compiled(name, data))
            archive.writestr(_member(name), data)
    return buffer.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _LONG_AGO)
    member.external_attr = 0o644 << 16
    return member


def _compiled(name: str, source: bytes) -> bytes:
    """A .pyc that is trusted by its place, not by a time stamp (PEP 552)."""
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    return (
        importlib.util.MAGIC_NUMBER
        + _UNCHECKED_HASH
        + importlib.util.source_hash(source)
        + marshal.dumps(code)
    )
