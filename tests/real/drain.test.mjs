// A gateway that is stopped while its sessions are open, behind a real nginx that has a second gateway.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { WebSocketServer } from "ws";
import { freePort, gateway, program, root } from "./parts.mjs";

const CLIENTS = 10;

/** An echo backend that remembers what each stream sent. */
async function recorder() {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  const seen = new Map();
  server.on("connection", (socket) => {
    socket.on("message", (data, binary) => {
      const [stream, number] = data.toString().split(":");
      if (!seen.has(stream)) seen.set(stream, []);
      seen.get(stream).push(Number(number));
      socket.send(data, { binary });
    });
    socket.on("error", () => {});
  });
  await once(server, "listening");
  return { url: `ws://127.0.0.1:${server.address().port}`, seen, close: () => server.close() };
}

/** nginx in front of two ports; the second is used when the first refuses. */
async function balancer(first, second) {
  const directory = mkdtempSync(join(tmpdir(), "undrop-drain-"));
  const port = await freePort();
  writeFileSync(
    join(directory, "nginx.conf"),
    `worker_processes 1; pid nginx.pid; error_log error.log; daemon off;
events { worker_connections 1000; }
http { access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  upstream gateways { server 127.0.0.1:${first}; server 127.0.0.1:${second} backup; }
  server { listen 127.0.0.1:${port};
    location / { proxy_pass http://gateways; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_set_header Host $host; } } }
`,
  );
  const child = spawn(program("nginx", "scripts/setup system"), ["-p", directory, "-c", "nginx.conf", "-e", "error.log"], { stdio: "ignore" });
  return {
    url: `ws://127.0.0.1:${port}`,
    async close() {
      child.kill("SIGKILL");
      await once(child, "close");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** An `undrop connect` that numbers its lines. */
class Talker {
  constructor(url, stream) {
    this.stream = stream;
    this.sent = 0;
    this.echoed = new Set();
    this.log = "";
    const binary = process.env.UNDROP ?? join(root, "target/dist/undrop");
    this.child = spawn(binary, ["connect", url, "--session", "require", "--linger", "500ms"], { stdio: ["pipe", "pipe", "pipe"] });
    this.child.stderr.on("data", (data) => (this.log += data));
    createInterface({ input: this.child.stdout }).on("line", (line) => this.echoed.add(Number(line.split(":")[1])));
    this.ended = once(this.child, "close");
  }

  say() {
    this.child.stdin.write(`${this.stream}:${this.sent}\n`);
    this.sent += 1;
  }

  async until(fits, what, limit = 20_000) {
    const deadline = Date.now() + limit;
    while (!fits(this)) {
      if (Date.now() > deadline) throw new Error(`client ${this.stream}: no ${what}; it said:\n${this.log}`);
      await new Promise((done) => setTimeout(done, 10));
    }
  }
}

describe("a gateway that is stopped", { timeout: 90_000, skip: process.env.UNDROP_REAL === "direct" && "there is no gateway" }, () => {
  it("notifies every session, ends in time, and nothing un-acked is lost", async () => {
    const server = await recorder();
    const leaving = await gateway(server.url, ["--node", "leaving", "--drain", "10s"]);
    const staying = await gateway(server.url, ["--node", "staying"]);
    const front = await balancer(leaving.port, staying.port);
    const talkers = Array.from({ length: CLIENTS }, (_, at) => new Talker(front.url, at));
    let beat;
    try {
      for (const talker of talkers) {
        talker.say();
        await talker.until(({ echoed }) => echoed.has(0), "first echo");
      }
      beat = setInterval(() => talkers.forEach((talker) => talker.say()), 20);
      const asked = Date.now();
      leaving.child.kill("SIGTERM");
      const [code] = await once(leaving.child, "exit");
      const took = Date.now() - asked;
      assert.equal(code, 0, leaving.output);
      assert.ok(took < 14_000, `the gateway took ${took} ms to stop`);
      for (const talker of talkers) {
        await talker.until(({ log }) => log.includes("asked to reconnect (drain)"), "order to move");
        await talker.until(({ log }) => log.includes("gap (Lost(NodeLost))"), "answer that the session could not move");
      }
      clearInterval(beat);
      for (const talker of talkers) talker.say();
      for (const talker of talkers) {
        await talker.until(({ echoed, sent }) => echoed.has(sent - 1), "echo of the last line");
        talker.child.stdin.end();
        assert.equal((await talker.ended)[0], 0, talker.log);
        const arrived = new Set(server.seen.get(`${talker.stream}`));
        const lost = Array.from({ length: talker.sent }, (_, number) => number).filter((number) => !arrived.has(number));
        assert.deepEqual(lost, [], `client ${talker.stream} lost messages on their way to the backend`);
      }
    } finally {
      clearInterval(beat);
      for (const talker of talkers) talker.child.kill("SIGKILL");
      await Promise.all([front.close(), leaving.close(), staying.close()]);
      server.close();
    }
  });
});
