"""Starts proxies in front of a backend, each on loopback with the configuration in proxies/."""

import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SYSTEM = "/usr/sbin:/sbin:/usr/local/sbin"
# The load is pinned on the other core;
CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE, LOAD_CORE = CORES[0], CORES[-1]


class Missing(Exception):
    """A program is not there; the message names the command that brings it."""


def find(program, bring):
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":" + SYSTEM)
    if not found:
        raise Missing(f"{program} is missing; run `{bring}`")
    return found


def find_envoy():
    found = glob.glob(str(ROOT / ".tools/envoy/lib/python3*/site-packages/envoy/_bin/envoy"))
    return found[0] if found else find("envoy", "scripts/setup envoy")


def find_undrop():
    found = os.environ.get("UNDROP") or str(ROOT / "target/dist/undrop")
    if not os.access(found, os.X_OK):
        raise Missing(f"{found} is missing; run `cargo build --profile dist`")
    return found


def nginx(directory, listen, upstream):
    return [find("nginx", "scripts/setup system"), "-p", directory, "-c", configured("nginx.conf", directory, listen, upstream)]


def haproxy(directory, listen, upstream):
    return [find("haproxy", "scripts/setup system"), "-db", "-f", configured("haproxy.cfg", directory, listen, upstream)]


def caddy(directory, listen, upstream):
    config = configured("Caddyfile", directory, listen, upstream)
    return [find("caddy", "scripts/setup system"), "run", "--config", config, "--adapter", "caddyfile"]


def envoy(directory, listen, upstream):
    config = configured("envoy.yaml", directory, listen, upstream)
    return [find_envoy(), "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]


def undrop(directory, listen, upstream):
    options = ["--listen", f"127.0.0.1:{listen}", "--upstream", f"ws://127.0.0.1:{upstream}", "--workers", "1"]
    return [find_undrop(), "gateway", *options]


# Name → how to start it, and the mode of the load. "direct" is the backend itself.
TARGETS = {
    "direct": (None, "plain"),
    "nginx": (nginx, "plain"),
    "haproxy": (haproxy, "plain"),
    "caddy": (caddy, "plain"),
    "envoy": (envoy, "plain"),
    "undrop": (undrop, "plain"),
    "undrop-session": (undrop, "session"),
}


def configured(name, directory, listen, upstream):
    """Writes the configuration of that name into `directory`; returns its path."""
    text = (HERE / "proxies" / name).read_text()
    for key, value in {"DIR": directory, "LISTEN": listen, "UPSTREAM": upstream}.items():
        text = text.replace(f"@{key}@", str(value))
    path = Path(directory) / name
    path.write_text(text)
    return str(path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    """A proxy that runs while the `with` block does, on one core."""

    def __init__(self, name, upstream):
        self.name, self.upstream = name, upstream
        self.start, self.mode = TARGETS[name]

    def __enter__(self):
        self.process, self.address = None, f"127.0.0.1:{self.upstream}"
        if self.start is None:
            return self
        self.directory = tempfile.TemporaryDirectory(prefix=f"undrop-{self.name}-")
        os.chmod(self.directory.name, 0o755)
        listen = free_port()
        command = self.start(self.directory.name, listen, self.upstream)
        environment = {**os.environ, "GOMAXPROCS": "1", "HOME": self.directory.name}
        self.log = open(Path(self.directory.name) / "output.log", "w+")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {PROXY_CORE}),
        )
        try:
            self.await_port(listen)
        except BaseException:
            self.__exit__()
            raise
        self.address = f"127.0.0.1:{listen}"
        return self

    def await_port(self, port):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.log.seek(0)
        raise RuntimeError(f"{self.name} did not listen within 20 s:\n{self.log.read()}")

    def pids(self):
        """The process and its descendants."""
        if not self.process:
            return []
        found, queue = [], [self.process.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            for children in glob.glob(f"/proc/{pid}/task/*/children"):
                try:
                    queue += [int(child) for child in Path(children).read_text().split()]
                except OSError:
                    pass  # a thread that has just ended
        return found

    def __exit__(self, *_):
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.log.close()
            self.directory.cleanup()


class Load:
    """The echo backend and load generator of gateway/, on the other core."""

    def __init__(self):
        self.build()
        self.process = subprocess.Popen(
            [self.binary()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}),
        )

    @staticmethod
    def binary():
        return str(ROOT / "target/compare/release/gateway-load")

    @classmethod
    def build(cls):
        command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(ROOT / "target/compare")]
        subprocess.run(command, cwd=HERE / "gateway", check=True)

    def ask(self, command, **options):
        """Sends one command; returns its JSON answer as a dictionary."""
        words = [command, *(f"{key}={value}" for key, value in options.items())]
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the load generator ended at: {' '.join(words)}")
        return json.loads(answer)

    def listen(self):
        """Starts one more backend; returns its port."""
        return int(self.ask("listen")["listening"].rsplit(":", 1)[1])

    def close(self):
        self.process.stdin.close()
        self.process.wait()
