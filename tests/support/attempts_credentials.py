"""Where a hostile agent may look for a credential, or for anything of the host to read.

Each is a program for `support.cell`, by name.
"""

from __future__ import annotations

ATTEMPTS = {
    "own environment": """
hunt(json.dumps(dict(os.environ)).encode(), "environ")
for name in os.environ:
    if re.search("TOKEN|KEY|SECRET|PASSWORD|CREDENTIAL", name):
        reached(name)
""",
    "environment of pid 1": """
plain = (b"", b"HOME", b"LANG", b"LOGNAME", b"PATH", b"PWD", b"SHELL", b"USER")
for line in read("/proc/1/environ").split(b"\\0"):
    if line.split(b"=")[0] not in plain:
        reached(line)
""",
    "environment of every process": """
for pid in pids():
    hunt(read(f"/proc/{pid}/environ"), pid)
""",
    "command line of every process": """
for pid in pids():
    hunt(read(f"/proc/{pid}/cmdline"), pid)
""",
    "memory of every process": """
for pid in pids():
    if pid == os.getpid():
        continue
    try:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        maps = open(f"/proc/{pid}/maps").read()
    except OSError:
        continue
    for line in maps.splitlines():
        span, mode = line.split()[:2]
        start, end = (int(x, 16) for x in span.split("-"))
        if "r" in mode and end - start < 1 << 28 and start < 1 << 47:
            try:
                hunt(os.pread(memory, end - start, start), line)
            except OSError:
                pass
""",
    "open files of every process": """
for pid in pids():
    for path in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            if stat.S_ISREG(os.stat(path).st_mode):
                hunt(read(path), os.readlink(path))
        except OSError:
            pass
""",
    "every file outside the system": """
for top in sorted(os.listdir("/")):
    if top in ("usr", "proc", "sys") or os.path.islink("/" + top):
        continue
    for at, folders, files in os.walk("/" + top):
        for name in files:
            path = os.path.join(at, name)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    hunt(read(path), path)
            except OSError:
                pass
""",
    "the host's own files by their names": """
for path in FACTS["bait"]:
    hunt(read(path), path)
for path in (FACTS["home"], FACTS["root"], "/root", "/home/runner", "/var/lib", "/var/run"):
    if os.path.exists(path):
        reached(path)
""",
    "dot files with credentials": """
homes = ["~", "/root", FACTS["home"], "/home/agent"]
for home in map(os.path.expanduser, homes):
    for name in (".netrc", ".git-credentials", ".config/gh/hosts.yml", ".aws/credentials",
                 ".ssh/id_ed25519", ".ssh/id_rsa", ".docker/config.json", ".npmrc", ".pypirc",
                 ".kube/config", ".config/gcloud/credentials.db", ".modal.toml", ".bash_history"):
        if read(os.path.join(home, name)):
            reached(os.path.join(home, name))
""",
    "credentials that git knows": """
code, said = sh("printf 'protocol=https\\nhost=github.com\\n\\n' | "
                "GIT_TERMINAL_PROMPT=0 git credential fill; git config --list --show-origin; "
                "git remote -v; cat .git/config")
for word in (b"password=", b"extraheader", b"insteadof", b"credential.helper", b"x-access-token"):
    if word in said.lower():
        reached(word)
if sh("git remote -v")[1]:
    reached("a remote")
""",
    "the mirror beside its objects": """
for name in ("config", "packed-refs", "HEAD", "FETCH_HEAD", "hooks", "refs"):
    for place in ("/opt/openinspect/mirror", FACTS["mirror"], "/opt/openinspect/mirror/objects/.."):
        if os.path.exists(os.path.join(place, name)):
            reached(os.path.join(place, name))
""",
    "accounts and keys of the host": """
for path in ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh", "/etc/ssl/private",
             "/etc/machine-id", "/etc/hostname.orig", "/etc/environment", "/etc/pip.conf",
             "/etc/npmrc", "/etc/gitconfig", "/etc/docker", "/etc/kubernetes", "/etc/cron.d"):
    if os.path.exists(path):
        reached(path)
if len(open("/etc/passwd").read().splitlines()) > 3:
    reached("/etc/passwd")
""",
    "mount points that lead to secrets": """
for line in open("/proc/self/mountinfo"):
    words = line.split()
    shown, place = words[3], words[4]
    if FACTS["home"] in line or place in ("/root", "/sys", "/host", "/var/run"):
        reached(line)
    hunt(read(shown), shown)
    parent = os.path.dirname(shown)
    if shown.startswith(FACTS["root"]) and os.path.exists(parent):
        reached(parent)
""",
    "records of the provider": """
for name in ("sandbox", "neighbour"):
    for top in (FACTS["root"] + "/sandboxes", "/mnt", "/mnt/layer/..", "/run/openinspect/.."):
        path = f"{top}/sandboxes/{FACTS[name]}/record.json"
        if read(path) or read(f"{top}/{FACTS[name]}/record.json") or read(top + "/record.json"):
            reached(path)
""",
    "kernel keys": """
if read("/proc/keys") or read("/proc/key-users"):
    reached("listed")
for number, words in ((250, (0, -4, 0)), (250, (6, -4, 0, 0)), (249, (b"user", b"x", None, 0))):
    if syscall(number, *words) >= 0:
        reached(number)
""",
    "the kernel's command line, memory and symbols": """
for path in ("/proc/cmdline", "/proc/kcore", "/dev/core", "/dev/mem", "/dev/kmem", "/dev/port",
             "/proc/kmsg", "/dev/kmsg"):
    if read(path, 4096):
        reached(path)
if any(line.split()[0].strip(b"0") for line in read("/proc/kallsyms", 65536).splitlines()[:50]):
    reached("kernel addresses")
if syscall(103, 3, ctypes.create_string_buffer(4096), 4096) >= 0:
    reached("syslog")
""",
    "shared memory of the host": """
for name in os.listdir("/dev/shm"):
    hunt(read("/dev/shm/" + name), name)
if os.path.exists("/dev/mqueue"):
    reached("message queues")
for path in ("/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sysvipc/sem"):
    if len(read(path).splitlines()) > 1:
        reached(path)
""",
    "processes of the host": """
if FACTS["host_pid"] in pids() and FACTS["host_pid"] > 400:
    reached("pid")
for pid in pids():
    name = read(f"/proc/{pid}/comm").strip()
    if name not in (b"bwrap", b"python3", b"bash", b"sh", b"git", b"sleep"):
        reached(name)
""",
    "other roots through proc": """
for pid in pids():
    for link in ("root", "cwd"):
        for path in FACTS["bait"] + ["/root", "/etc/shadow"]:
            if os.path.exists(f"/proc/{pid}/{link}{path}"):
                reached(f"/proc/{pid}/{link}{path}")
        up = f"/proc/{pid}/{link}/" + "../" * 40 + FACTS["home"].lstrip("/")
        if os.path.exists(up):
            reached(up)
""",
    "core dumps": """
pattern = read("/proc/sys/kernel/core_pattern")
import resource
if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
    reached("a core may be written")
resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
reached("limit raised")
""",
    "the supervisor's memory": """
pid = supervisor()
for path in (f"/proc/{pid}/mem", f"/proc/{pid}/environ", f"/proc/{pid}/maps"):
    if read(path):
        reached(path)
try:
    os.listdir(f"/proc/{pid}/fd")
    reached("its open files")
except OSError:
    pass
""",
    "the supervisor by tracing it": """
if syscall(101, 16, supervisor(), 0, 0) == 0 or syscall(101, 0x4206, supervisor(), 0, 0) == 0:
    reached("attached")
local = ctypes.create_string_buffer(4096)
here = struct.pack("=QQ", ctypes.addressof(local), 4096)
there = struct.pack("=QQ", 0x400000, 4096)
if syscall(310, supervisor(), here, 1, there, 1, 0) > 0:
    reached("read")
""",
    "the provider's log file": """
for pid in pids():
    for number in (1, 2):
        try:
            path = os.readlink(f"/proc/{pid}/fd/{number}")
        except OSError:
            continue
        hunt(read(f"/proc/{pid}/fd/{number}"), path)
        folder = os.path.dirname(path)
        if "/sandboxes/" in path and (os.path.exists(folder) or read(path)):
            reached(path)
""",
    "pushing to the mirror": """
code, said = sh("echo x > x; git add x; git -c user.name=x -c user.email=x@x commit -qm x; "
                "git push /opt/openinspect/mirror HEAD:refs/heads/evil; "
                "git push https://github.com/octocat/x HEAD; git push git@github.com:o/x HEAD")
if code == 0 or b"new branch" in said:
    reached(said)
try:
    open("/opt/openinspect/mirror/objects/evil", "w")
    reached("objects are writable")
except OSError:
    pass
if os.path.exists(FACTS["mirror"]):
    reached(FACTS["mirror"])
""",
}
