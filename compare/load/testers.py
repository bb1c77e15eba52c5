"""The load testers: how each is started for a job, and what it says about itself afterwards."""

import glob
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
import proxies  # noqa: E402

BRING = "scripts/setup load"
TEXT = "x" * 64
# Turns of a loop that does not end by itself in a flood; it is stopped after the measurement.
ENDLESS = 10_000_000


@dataclass
class Job:
    """What a tester is to do. `rate` is per connection and second, 0 for a flood; `seconds` is how long each connection sends."""

    port: int
    connections: int
    rate: float
    seconds: int
    ramp: int
    directory: Path
    # The report for people in place of the one for programs, where there are two.
    words: bool = False

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/"

    @property
    def turns(self):
        return max(1, round(self.rate * self.seconds)) if self.rate else ENDLESS


@dataclass
class Command:
    arguments: list
    environment: dict = field(default_factory=dict)


def target_directory():
    """Where this comparison's own programs are built."""
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "compare"


def build():
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(target_directory())]
    subprocess.run(command, cwd=HERE, check=True)


def in_venv(name):
    path = ROOT / ".tools/load/bin" / name
    return str(path) if path.exists() else proxies.find(name, BRING)


def artillery_program():
    """Artillery's entry point, and the Node.js it is run with."""
    entry = HERE / "node_modules/artillery/bin/run"
    node = glob.glob(str(HERE / "node_modules/node-linux-*/bin/node"))
    if not entry.exists() or not node:
        raise proxies.Missing(f"artillery is missing; run `{BRING}`")
    return [node[0], str(entry)]


def configured(name, job, **values):
    """Writes the scenario of that name, filled in, into the job's directory; returns its path."""
    text = (HERE / "scenarios" / name).read_text()
    values = {"URL": job.url, "PORT": job.port, "CONNECTIONS": job.connections, "RAMP": job.ramp, "COUNT": job.turns, "TEXT": TEXT, **values}
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    path = job.directory / name
    path.write_text(text)
    return str(path)


def undrop(job):
    mode = ["run", "-r", str(job.rate)] if job.rate else ["flood", "--window", "1"]
    face = ["-q"] if job.words else ["-q", "--json"]
    return Command([proxies.find_undrop(), "bench", *mode, "-c", str(job.connections), "-d", f"{job.seconds}s", *face, job.url])


def raw(job):
    program = str(target_directory() / "release/raw-client")
    return Command([program, job.url, str(job.connections), str(job.seconds), str(job.rate)])


def k6(job):
    values = {"URL": job.url, "CONNECTIONS": job.connections, "RATE": job.rate, "SECONDS": job.seconds}
    settings = [part for key, value in values.items() for part in ("-e", f"{key}={value}")]
    return Command([in_venv("k6"), "run", "--no-usage-report", "--quiet", *settings, str(HERE / "scenarios/k6.js")])


def artillery(job):
    # As text with a unit: the number 0.1 is not a tenth of a second for this version, it is next to nothing.
    think = f"          - think: {round(1000 / job.rate)}ms" if job.rate else ""
    script = configured("artillery.yml", job, THINK=think)
    return Command([*artillery_program(), "run", script], {"ARTILLERY_DISABLE_TELEMETRY": "true"})


def tsung(job):
    think = f'        <thinktime value="{1 / job.rate}" random="false"/>' if job.rate else ""
    arrivals = max(1, job.connections // job.ramp)
    script = configured("tsung.xml", job, THINK=think, ARRIVALS=arrivals)
    return Command([proxies.find("tsung", BRING), "-f", script, "-l", str(job.directory / "log"), "start"])


def locust(job):
    spawn = max(1, job.connections // job.ramp)
    options = ["--headless", "--only-summary", "--users", str(job.connections), "--spawn-rate", str(spawn)]
    length = ["--run-time", f"{job.seconds + job.connections // spawn}s"]
    script = str(HERE / "scenarios/locustfile.py")
    return Command([in_venv("locust"), "-f", script, *options, *length], {"URL": job.url, "RATE": str(job.rate)})


TESTERS = {"undrop": undrop, "raw": raw, "k6": k6, "artillery": artillery, "tsung": tsung, "locust": locust}


def number(pattern, text):
    """The group of the last match, as a number; `None` when there is no match."""
    found = re.findall(pattern, text, re.MULTILINE)
    return int(found[-1]) if found else None


def tsung_log(job):
    return "\n".join(Path(path).read_text(errors="replace") for path in glob.glob(str(job.directory / "log/*/tsung.log")))


def sent(tester, output, job):
    """How many messages the tester itself says it sent; `None` when it does not say."""
    if tester == "undrop":
        try:
            return json.loads(output[output.index("{") :])["messages"]["sent"]
        except (ValueError, KeyError):
            return None
    if tester == "tsung":
        # Each dump has the requests since the one before: connects and messages.
        counted = re.findall(r"^stats: (request|connect) (\d+) ", tsung_log(job), re.MULTILINE)
        return sum(int(count) if name == "request" else -int(count) for name, count in counted) if counted else None
    patterns = {
        "raw": r"sent (\d+)",
        "k6": r"ws_msgs_sent\.*: (\d+)",
        "artillery": r"websocket\.messages_sent: \.* (\d+)",
        # Another table further down has percentiles in that line.
        "locust": r"Aggregated +(\d+) +\d+\(",
    }
    return number(patterns[tester], output)


def says(tester, output, job):
    """The few words of the tester's own report that mention dropped connections, verbatim."""
    if tester == "tsung":
        names = "error_\\S+|users_count|finish_users_count|connected|websocket_\\S+"
        last = {}
        for name, value in re.findall(rf"^stats: ({names}) \d+ (\d+)$", tsung_log(job), re.MULTILINE):
            last[name] = value
        return [f"{name} {value}" for name, value in last.items()]
    patterns = {
        "undrop": r"^.*alive at the end.*$",
        "raw": r"^.+$",
        "k6": r"^.*level=(?:error|warning).*$|^ +(?:ws_sessions|ws_msgs_sent|iterations)\.*: +\d+",
        "artillery": r"^(?:vusers\.(?:completed|failed|created)|errors\.[^:]*|websocket\.messages_sent):.*$",
        "locust": r"^ +Aggregated +\d+ +\d+\([^)]*\)|^\d+ +ws echo: .*$",
    }
    found = []
    final = output.rsplit("Summary report", 1)[-1] if tester == "artillery" else output
    for match in re.finditer(patterns[tester], final, re.MULTILINE):
        line = re.sub(r"time=\"[^\"]*\" ", "", re.sub(r"\.{4,}", "…", " ".join(match.group().split())))
        if line not in found:
            found.append(line)
    return found[:8]


def versions(names):
    asked = {
        "undrop": lambda: [proxies.find_undrop(), "--version"],
        "k6": lambda: [in_venv("k6"), "version"],
        "artillery": lambda: [*artillery_program(), "--version"],
        "tsung": lambda: [proxies.find("tsung", BRING), "-v"],
        "locust": lambda: [in_venv("locust"), "--version"],
    }
    found = {}
    for name in names:
        if name == "raw":
            lock = (HERE / "Cargo.lock").read_text()
            found[name] = "tokio-tungstenite " + re.search(r'name = "tokio-tungstenite"\nversion = "([^"]+)"', lock).group(1)
            continue
        output = subprocess.run(asked[name](), capture_output=True, text=True, env={**os.environ, "ARTILLERY_DISABLE_TELEMETRY": "true"})
        lines = [line.strip() for line in (output.stdout + output.stderr).splitlines()]
        telling = [line for line in lines if re.search(r"\d+\.\d+", line)]
        # Locust adds where it is installed.
        found[name] = re.sub(r" from .*|VERSION INFO:|Artillery: *", "", telling[0] if telling else "unknown").strip()
    if "artillery" in names:
        node = subprocess.run([artillery_program()[0], "--version"], capture_output=True, text=True).stdout.strip()
        found["artillery"] += f", Node.js {node}"
    return found
