"""What developers and agents use works inside, filter and all."""

from __future__ import annotations

import shutil

import pytest
from support.sandboxes import Boxes, needs_bwrap

from sandbox.spec import Checkout

pytestmark = [pytest.mark.sandboxed, needs_bwrap]

PROGRAMS = {
    "threads": (
        "python3",
        "from threading import *; t = Thread(target=print, args=('ok',)); t.start()",
    ),
    "processes": (
        "python3",
        "import multiprocessing as m\nwith m.Pool(2) as p: print(p.map(abs, [-1]))",
    ),
    "sockets": (
        "python3",
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(s.getsockname()); socket.socketpair()\n"
        "print(socket.if_nameindex())",
    ),
    "certificates": (
        "python3",
        "import ssl; assert ssl.create_default_context().get_ca_certs() is not None; print('ok')",
    ),
    "a terminal": ("python3", "import pty, os; pty.spawn(['true']); print(os.ctermid())"),
    "shared memory": (
        "python3",
        "from multiprocessing import shared_memory as s\nx = s.SharedMemory(create=True, size=9)\n"
        "x.close(); x.unlink(); print('ok')",
    ),
    "a virtual environment": (
        "bash",
        "python3 -m venv --without-pip ~/v && ~/v/bin/python -c 'print(1)'",
    ),
    "a compiler": (
        "gcc",
        "cd /tmp; echo 'int main(){return 0;}' > t.c && gcc -fsanitize=address t.c -o t && ./t",
    ),
    "node": ("node", 'node -e \'new (require("worker_threads").Worker)("0", {eval: true})\''),
    "a debugger": ("gdb", "gdb -batch -ex run --args true | grep 'exited normally'"),
    "a tracer": ("strace", "strace -f -o /tmp/trace true && grep exit_group /tmp/trace"),
    "alternatives": ("awk", "awk 'BEGIN { print 1 }'"),
    "local time": ("date", "TZ=Europe/Berlin date"),
}


@pytest.mark.parametrize("name", PROGRAMS)
async def test_there_is(boxes: Boxes, name: str) -> None:
    needed, program = PROGRAMS[name]
    if shutil.which(needed, path="/usr/bin:/bin") is None:
        pytest.skip(f"{needed} is not installed here")
    sandbox = await boxes.start()
    if needed == "python3":
        said = await boxes.python(sandbox, program)
    else:
        said = await boxes.sh(sandbox, program)
    assert said.ok, said.err


async def test_git_works_as_everywhere(boxes: Boxes, checkout: Checkout) -> None:
    sandbox = await boxes.start(checkout=checkout)
    script = """
    set -e
    git config --global user.name T; git config --global user.email t@example.com
    git switch -qc work; echo 1 >> src/one.py; git commit -qam one
    git stash list; git mv src/two.py src/three.py; git commit -qm two
    git rebase -q --onto HEAD~2 HEAD~1 work; git reset -q --hard HEAD~1; git gc -q
    git worktree add -q ../tmp/tree HEAD 2>/dev/null || git worktree add -q /tmp/tree HEAD
    git fsck --no-dangling; git log --oneline | wc -l
    """
    said = await boxes.sh(sandbox, script)
    assert said.ok, said.err
    assert said.out.split()[-1] == "1"


async def test_a_directory_of_the_checkout_is_moved_by_mv(boxes: Boxes, checkout: Checkout) -> None:
    """rename(2) says EXDEV on an unprivileged overlay, as in containers; `mv` copies then."""
    sandbox = await boxes.start(checkout=checkout)
    said = await boxes.sh(sandbox, "mv docs text && git add -A && git status -s")
    assert said.out == "R  docs/deep/er/page.md -> text/deep/er/page.md\n"
