"""One file, always the same, that needs nothing but Python."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from sandbox.zipapp import build_supervisor


def test_the_zipapp_is_built_once_and_always_the_same(tmp_path: Path):
    one = build_supervisor(tmp_path / "one")
    built = one.stat().st_mtime_ns
    assert build_supervisor(tmp_path / "one") == one
    assert one.stat().st_mtime_ns == built
    other = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from sandbox.zipapp import build_supervisor;"
            "print(build_supervisor(Path(sys.argv[1])))",
            str(tmp_path / "two"),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "77"},
    )
    two = Path(other.stdout.strip())
    assert one.name == two.name
    assert one.read_bytes() == two.read_bytes()
    assert list((tmp_path / "one").iterdir()) == [one]


def test_it_holds_what_it_needs_and_no_more(tmp_path: Path):
    names = zipfile.ZipFile(build_supervisor(tmp_path)).namelist()
    assert {"__main__.py", "sandbox/wire.py", "sandbox/supervisor/app.pyc"} <= set(names)
    for outside in ("provider", "link", "zipapp", "spec"):
        assert not [name for name in names if outside in name]


def test_it_starts_without_any_package_of_ours(tmp_path: Path):
    """Isolated, without site-packages, and every import from the standard library or itself."""
    zipapp = build_supervisor(tmp_path)
    script = (
        f"import sys; sys.path.append({str(zipapp)!r})\n"
        "import runpy, sys; sys.argv = ['s', '--help']\n"
        "try:\n  runpy.run_path(sys.path.pop(), run_name='__main__')\n"
        "except SystemExit as e: assert not e.code\n"
        "foreign = [n for n, m in sys.modules.items() if 'site-packages' in str(m)]\n"
        "assert not foreign, foreign\n"
        "assert 'supervisor-' in sys.modules['sandbox.wire'].__file__\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "--run-dir" in done.stdout
