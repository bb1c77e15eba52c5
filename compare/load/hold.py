"""Idle connections that `undrop bench hold` keeps open against `undrop bench sink`, and the memory both need for each."""

import json
import socket
import tempfile
import time
from pathlib import Path

import measure
from testers import Command, proxies

# One source address has about 28,000 ports.
SOURCES = "127.0.0.1-127.0.0.4"


def is_listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def attempt(connections, workers, seconds):
    """Holds them once: the report, exit code, and resident bytes of both sides while all were open."""
    undrop, port = proxies.find_undrop(), proxies.free_port()
    with tempfile.TemporaryDirectory(prefix="load-sink-") as sink_home, tempfile.TemporaryDirectory(prefix="load-hold-") as home:
        listen = [undrop, "bench", "sink", "--listen", f"127.0.0.1:{port}", "--workers", str(workers)]
        with measure.Program(Command(listen), Path(sink_home), core=measure.SERVER_CORE) as sink:
            deadline = time.monotonic() + 20
            while not is_listening(port):
                if not sink.is_running() or time.monotonic() > deadline:
                    return {"error": f"the sink does not listen: {sink.text()[-300:]}"}
                time.sleep(0.05)
            load = [undrop, "bench", "hold", "-c", str(connections), "-d", f"{seconds}s", "--json", "-q", "--workers", str(workers)]
            load += ["--source-addr", SOURCES] if workers > 1 else []
            with measure.Program(Command([*load, f"ws://127.0.0.1:{port}"]), Path(home)) as program:
                client = server = 0
                deadline = time.monotonic() + seconds + 180
                while program.is_running() and time.monotonic() < deadline:
                    client, server = max(client, program.memory("VmRSS")), max(server, sink.memory("VmRSS"))
                    time.sleep(0.5)
                text, code = program.text(), program.code
                program.kill()
    try:
        report = json.loads(text[text.index("{") :])
    except ValueError:
        return {"error": f"exit code {code}: {text[-300:]}"}
    return {"exit_code": code, "client": client, "server": server, "report": report, "command": " ".join(["undrop", *load[1:]])}


def hold(connections, workers):
    few = attempt(workers, workers, 3)
    many = few if "error" in few else attempt(connections, workers, 10)
    if "error" in many:
        return {"connections": connections, "workers": workers, "error": many["error"]}
    report, others = many["report"], connections - workers
    result = {
        "connections": connections,
        "workers": workers,
        "exit_code": many["exit_code"],
        "opened": report["connections"]["opened"],
        "alive_at_end": report["connections"]["alive_at_end"],
        "bytes_per_connection": round((many["client"] - few["client"]) / others),
        "sink_bytes_per_connection": round((many["server"] - few["server"]) / others),
        "says_bytes_per_connection": report.get("cost", {}).get("memory_bytes_per_connection"),
        "command": many["command"],
    }
    if result["alive_at_end"] != connections:
        result["error"] = f"{result['alive_at_end']} of {connections} were alive at the end"
    return result


def table(results):
    lines = ["\nIdle connections held for 10 s by `undrop bench hold`, `undrop bench sink` at the other end:\n"]
    lines += ["| connections | workers | alive at the end | exit code | bytes per connection | it says | sink: bytes per connection |", "|---" * 7 + "|"]
    for one in results:
        if "error" in one and "opened" not in one:
            lines.append(f"| {one['connections']:,} | {one['workers']} | failed: {one['error']} | | | | |")
            continue
        says = one["says_bytes_per_connection"]
        cells = [f"{one['connections']:,}", one["workers"], f"{one['alive_at_end']:,}", one["exit_code"], f"{one['bytes_per_connection']:,}"]
        cells += ["–" if says is None else f"{says:,.0f}", f"{one['sink_bytes_per_connection']:,}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
