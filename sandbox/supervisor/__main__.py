"""`python3 -I supervisor.pyz --run-dir D --workspace W --home H`: runs inside a sandbox.

Takes nothing from the environment but PATH, and no configuration but its arguments.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from ..commands import GATEWAY_PORT
from .app import Settings, Supervisor
from .gateway import PATIENCE_SECONDS
from .recorder import BEAT_SECONDS

ORPHAN_SECONDS = 900.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="supervisor", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="socket, reports and state")
    parser.add_argument("--workspace", type=Path, required=True, help="the repository")
    parser.add_argument("--home", type=Path, required=True, help="HOME of scripts and agent")
    parser.add_argument("--gateway-port", type=int, default=GATEWAY_PORT, help="0: any free one")
    parser.add_argument("--orphan-seconds", type=float, default=ORPHAN_SECONDS)
    parser.add_argument("--beat-seconds", type=float, default=BEAT_SECONDS)
    parser.add_argument("--patience-seconds", type=float, default=PATIENCE_SECONDS)
    options = parser.parse_args(arguments)
    os.umask(0o022)
    settings = Settings(
        run_dir=options.run_dir.absolute(),
        workspace=options.workspace.absolute(),
        home=options.home.absolute(),
        gateway_port=options.gateway_port,
        orphan_seconds=options.orphan_seconds,
        beat_seconds=options.beat_seconds,
        patience_seconds=options.patience_seconds,
        program=(sys.executable, "-I", str(Path(sys.argv[0]).absolute())),
    )
    asyncio.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    supervisor = Supervisor(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.shut_down)
    await supervisor.run()


if __name__ == "__main__":
    raise SystemExit(main())
