"""How a hostile agent may try to reach anybody: the host, a neighbour, the world.

Each is a program for `support.cell`, by name.
"""

from __future__ import annotations

TCP = """
for address in {addresses}:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(2)
        try:
            s.connect((address, {port}))
            reached(address)
        except OSError:
            pass
"""
OUTSIDE = '["1.1.1.1", "8.8.8.8", "140.82.112.3", "10.0.0.1", "192.168.0.1", "172.17.0.1"]'

ATTEMPTS = {
    "tcp to the host's loopback": TCP.format(
        addresses='["127.0.0.1", "127.0.1.1", "0.0.0.0"]', port='FACTS["port"]'
    ),
    "tcp to the host's addresses": TCP.format(addresses='FACTS["addresses"]', port='FACTS["port"]'),
    "tcp over ipv6": TCP.format(
        addresses='["::1", "::ffff:127.0.0.1", "fe80::1", "2606:4700:4700::1111"]',
        port='FACTS["port"]',
    ),
    "tcp to the outside": TCP.format(addresses=OUTSIDE, port="443"),
    "tcp to every port of loopback": """
for port in range(1, 65536):
    s = socket.socket()
    try:
        s.connect(("127.0.0.1", port))
        if port != 4870 and s.getsockname() != s.getpeername():  # it may meet itself
            reached(port)
    except OSError:
        pass
    s.close()
""",
    "cloud metadata": TCP.format(
        addresses='["169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"]',
        port="80",
    ),
    "udp to the host": """
for address in ["127.0.0.1", "::1", *FACTS["addresses"]]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.socket(family, socket.SOCK_DGRAM).sendto(b"datagram", (address, FACTS["port"]))
    except OSError:
        pass
""",
    "udp to the outside": f"""
for address in {OUTSIDE}:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (address, 53))
        reached(address)
    except OSError:
        pass
""",
    "broadcast and multicast": """
for address in ("255.255.255.255", "224.0.0.251"):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    try:
        s.sendto(b"datagram", (address, FACTS["port"]))
        reached(address)
    except OSError:
        pass
""",
    "names by the resolver": """
for name in ("github.com", "metadata.google.internal", "example.com"):
    try:
        reached(socket.getaddrinfo(name, 443))
    except OSError:
        pass
""",
    "names asked of a server": """
query = b"\\x12\\x34\\x01\\x00\\x00\\x01" + b"\\x00" * 6
query += b"\\x07example\\x03com\\x00\\x00\\x01\\x00\\x01"
for server in ("127.0.0.53", "127.0.0.1", "8.8.8.8", "169.254.169.253"):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.5)
    try:
        s.sendto(query, (server, 53))
        reached(s.recv(512))
    except OSError:
        pass
""",
    "icmp by a ping socket": """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.sendto(b"\\x08\\x00\\xf7\\xff" + b"\\x00" * 4, ("8.8.8.8", 0))
reached("sent")
""",
    "raw sockets": """
for family, protocol in ((socket.AF_INET, 1), (socket.AF_INET, 255), (socket.AF_INET6, 58)):
    try:
        socket.socket(family, socket.SOCK_RAW, protocol)
        reached((family, protocol))
    except OSError:
        pass
""",
    "packets below ip": """
for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
    try:
        socket.socket(17, kind, 0x0300)
        reached(kind)
    except OSError:
        pass
""",
    "the hypervisor by vsock": """
s = socket.socket(40, socket.SOCK_STREAM)
reached("a vsock socket")
for cid in (0, 1, 2, 3):
    s.connect((cid, 1024))
    reached(cid)
""",
    "every other family of sockets": """
for family in range(64):
    if family in (1, 2, 10, 16):
        continue
    for kind in (1, 2, 3, 5):
        if syscall(41, family, kind, 0) >= 0 or syscall(53, family, kind, 0, None) >= 0:
            reached((family, kind))
""",
    "every netlink protocol but routing": """
for protocol in range(1, 32):
    if syscall(41, 16, 3, protocol) >= 0:
        reached(protocol)
""",
    "making an interface": """
s = socket.socket(16, socket.SOCK_RAW, 0)
s.bind((0, 0))
body = struct.pack("=BxHiII", 0, 0, 0, 1, 1)
name = struct.pack("=HH", 4 + 7, 3) + b"dummy0\\0" + b"\\0"
kind = struct.pack("=HH", 4 + 9, 1) + b"dummy\\0\\0\\0\\0" + b"\\0" * 3
info = struct.pack("=HH", 4 + len(kind), 18) + kind
payload = body + name + info
s.send(struct.pack("=IHHII", 16 + len(payload), 16, 0x605, 1, 0) + payload)
answer = s.recv(4096)
if struct.unpack_from("=i", answer, 16)[0] == 0:
    reached("an interface")
""",
    "another interface than loopback": """
for _, name in socket.if_nameindex():
    if name != "lo":
        reached(name)
if len(read("/proc/net/route").splitlines()) > 1:
    reached("a route")
""",
    "abstract sockets of the host": """
for name in [FACTS["abstract"], "/tmp/.X11-unix/X0", "/containerd-shim"]:
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect("\\0" + name)
        reached(name)
    except OSError:
        pass
for line in read("/proc/net/unix").decode().splitlines()[1:]:
    path = line.split()[7:]
    if path and not path[0].startswith(("/run/openinspect/", "/workspace", "/tmp", "@test")):
        reached(line)
""",
    "named sockets of the host": """
for path in [FACTS["named"], "/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock",
             "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket", "/run/user/0/bus",
             "/run/systemd/private", "/var/run/nscd/socket",
             os.environ.get("SSH_AUTH_SOCK", "/tmp/ssh-agent")]:
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
        reached(path)
    except OSError:
        pass
""",
    "the neighbour's sockets": """
run = f"{FACTS['root']}/sandboxes/sandboxes/{FACTS['neighbour']}/run"
for path in (f"{run}/wire.sock", f"{run}/commands.sock", "/run/openinspect/../wire.sock"):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
        reached(path)
    except OSError:
        pass
for folder in ("/run", "/run/openinspect", "/tmp", "/mnt"):
    if os.path.isdir(folder):
        for name in os.listdir(folder):
            if FACTS["neighbour"] in name:
                reached(name)
""",
    "the gateway as a way out": """
for line in (b"CONNECT 127.0.0.1:%d HTTP/1.1", b"GET http://127.0.0.1:%d/ HTTP/1.1",
             b"GET //127.0.0.1:%d/ HTTP/1.1", b"POST /http://127.0.0.1:%d HTTP/1.1"):
    try:
        s = socket.create_connection(("127.0.0.1", 4870), timeout=5)
    except OSError:
        reached("there is no gateway to try")
        break
    s.settimeout(1)
    s.sendall(line % FACTS["port"] + b"\\r\\nHost: 127.0.0.1\\r\\nContent-Length: 0\\r\\n\\r\\n")
    try:
        answer = s.recv(4096)
    except TimeoutError:
        answer = b""
    if answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 101")):
        reached(answer)
""",
    "another network namespace": """
if syscall(272, 0x40000000) == 0 or syscall(272, 0x50000000) == 0:
    reached("unshare")
for pid in pids():
    for kind in ("net", "user", "mnt"):
        try:
            descriptor = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        except OSError:
            continue
        if syscall(308, descriptor, 0) == 0:
            reached(f"setns {pid} {kind}")
""",
    "io_uring past the filter": """
if syscall(425, 8, ctypes.create_string_buffer(256)) >= 0:
    reached("io_uring")
""",
    "programs that know better": """
for script in ("curl -m 3 -s https://example.com", "wget -T 3 -qO- http://example.com",
               "git ls-remote https://github.com/octocat/Hello-World",
               "ssh -o ConnectTimeout=3 -o StrictHostKeyChecking=no git@github.com",
               "pip download --timeout 3 --retries 0 idna", "npm view left-pad --fetch-timeout=3000"
               " --fetch-retries=0", "exec 3<>/dev/tcp/1.1.1.1/80", "ping -c1 -W2 8.8.8.8"):
    if sh("type " + script.split()[0])[0] == 0 and sh(script, within=15)[0] == 0:
        reached(script)
""",
}
