"""A server that counts, a tester beside it, and what the kernel says of the tester's processes."""

import json
import os
import resource
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import testers
from testers import Job, proxies

# The tester has one core for itself; server and this script share the other.
TESTER_CORE, SERVER_CORE = proxies.PROXY_CORE, proxies.LOAD_CORE
TICKS = os.sysconf("SC_CLK_TCK")


def pinned(core, arguments):
    """The command on one core; by a program, because code between fork and exec is not safe beside threads."""
    return [proxies.find("taskset", testers.BRING), "--cpu-list", str(core), *arguments]


class Server:
    """The echo server that counts; `cut` is ("fin" or "rst", seconds) when it is to end every connection."""

    def __init__(self, cut=None):
        program = str(testers.target_directory() / "release/load-server")
        arguments = [cut[0], str(cut[1])] if cut else []
        self.process = subprocess.Popen(
            pinned(SERVER_CORE, [program, *arguments]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(json.loads(self.process.stdout.readline())["listening"].rsplit(":", 1)[1])

    def counts(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def stat(pid):
    """The fields of /proc/PID/stat after the name; `None` when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


class Program:
    """A running program with all its processes, on one core, in a new directory that is also its home."""

    def __init__(self, command, directory, core=TESTER_CORE):
        self.output = open(directory / "output.log", "w+", errors="replace")
        self.started, self.ended, self.usage, self.code = time.monotonic(), None, None, None
        self.process = subprocess.Popen(
            pinned(core, command.arguments),
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={**os.environ, "HOME": str(directory), "NO_COLOR": "1", **command.environment},
            start_new_session=True,
        )

    def stats(self):
        """pid → stat fields of all its processes: its session, and whatever descends from it."""
        every = {int(entry): stat(entry) for entry in os.listdir("/proc") if entry.isdigit()}
        every = {pid: fields for pid, fields in every.items() if fields}
        root = self.process.pid
        own = {pid for pid, fields in every.items() if int(fields[3]) == root} | ({root} & every.keys())
        grown = True
        while grown:
            more = {pid for pid, fields in every.items() if pid not in own and int(fields[1]) in own}
            own |= more
            grown = bool(more)
        return {pid: every[pid] for pid in own}

    def cpu(self):
        """Seconds on a processor, user and system, so far."""
        return sum(sum(map(int, fields[11:15])) for fields in self.stats().values()) / TICKS

    def memory(self, name="VmHWM"):
        """Resident bytes of all its processes: at their peak, or (`VmRSS`) now."""
        total = 0
        for pid in self.stats():
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))
        return total

    def is_running(self):
        if self.code is None:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.code, self.usage, self.ended = os.waitstatus_to_exitcode(status), usage, time.monotonic()
                self.process.returncode = self.code
        return self.code is None

    def wait(self, seconds):
        """Whether it ended by itself within that time."""
        deadline = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.code is not None

    def kill(self):
        pids = list(self.stats())
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        while self.is_running():
            time.sleep(0.01)

    def text(self):
        self.output.flush()
        return Path(self.output.name).read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.output.close()


class PortMapper:
    """Erlang's port mapper, for tsung: started here, so that it listens on loopback only and ends with the measurement."""

    def __init__(self, tester):
        self.process, self.environment = None, {}
        if tester == "tsung":
            port = str(proxies.free_port())
            self.environment = {"ERL_EPMD_PORT": port, "ERL_EPMD_ADDRESS": "127.0.0.1"}
            command = [proxies.find("epmd", testers.BRING), "-port", port, "-address", "127.0.0.1"]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()


def busy(core):
    """Seconds that this core was not idle, as the kernel counts."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            fields = list(map(int, line.split()[1:]))
            return (sum(fields[:8]) - fields[3] - fields[4]) / TICKS
    return 0.0


def start(tester, job):
    """A context: the tester at work on this job."""
    command = testers.TESTERS[tester](job)
    mapper = PortMapper(tester)
    command.environment.update(mapper.environment)
    return mapper, command


def steady(tester, connections, rate, seconds, ramp, warmup, whole):
    """One tester alone against the server: figures of a window of `seconds` that begins `warmup` after all connections are open.

    With `whole`, the tester then ends by itself and is asked what it sent; otherwise it is stopped.
    """
    # Time for the connections of slow starters to open, and for the window to lie within what each connection sends.
    length = seconds + warmup + ramp + 4
    with tempfile.TemporaryDirectory(prefix=f"load-{tester}-") as directory, Server() as server:
        job = Job(server.port, connections, rate, length, ramp, Path(directory))
        mapper, command = start(tester, job)
        with mapper, Program(command, job.directory) as program:
            deadline = time.monotonic() + ramp + 30
            while program.is_running() and time.monotonic() < deadline and server.counts()["open"] < connections:
                time.sleep(0.1)
            time.sleep(warmup)
            counts, cpu, others = server.counts(), program.cpu(), busy(TESTER_CORE)
            time.sleep(seconds)
            after, cpu_after, others_after = server.counts(), program.cpu(), busy(TESTER_CORE)
            peak, running = program.memory(), program.is_running()
            if whole:
                program.wait(length + 60)
            else:
                program.kill()
            program.kill()
            total, text = server.counts(), program.text()
            took = after["seconds"] - counts["seconds"]
            messages, used = after["messages"] - counts["messages"], cpu_after - cpu
            result = {
                "open": after["open"],
                "messages": messages,
                "seconds": round(took, 3),
                "per_second": round(messages / took, 1),
                "cpu_seconds": round(used, 2),
                "cpu_us_per_message": round(used / messages * 1e6, 2) if messages else None,
                "peak": peak,
                "others_on_core": round(max(0.0, others_after - others - used) / took, 3),
                "load_average": round(os.getloadavg()[0], 2),
                "whole_run": {"messages": total["messages"], "cpu_seconds": round(cpu_of(program.usage), 2)},
            }
            if whole:
                result["whole_run"]["own_count"] = testers.sent(tester, text, job)
                result["whole_run"]["exit_code"] = program.code
            if not running or not messages:
                result["error"] = "it ended too early" if not running else "no message arrived"
                result["last_lines"] = text.splitlines()[-8:]
            return result


def cpu_of(usage):
    return usage.ru_utime + usage.ru_stime if isinstance(usage, resource.struct_rusage) else 0.0


def dropped(tester, how, after, connections, rate, seconds):
    """What the tester says when the server ends every connection `after` seconds after its handshake."""
    with tempfile.TemporaryDirectory(prefix=f"load-{tester}-") as directory, Server((how, after)) as server:
        job = Job(server.port, connections, rate, seconds, 1, Path(directory), words=True)
        mapper, command = start(tester, job)
        with mapper, Program(command, job.directory) as program:
            by_itself = program.wait(seconds + 30)
            program.kill()
            counts, text = server.counts(), program.text()
            return {
                "exit_code": program.code if by_itself else None,
                "seconds": round(program.ended - program.started, 1),
                "opened": counts["opened"],
                "says": testers.says(tester, text, job),
                "last_lines": [line.rstrip() for line in text.splitlines() if line.strip()][-12:],
            }
