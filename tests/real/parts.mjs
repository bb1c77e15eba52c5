// The programs around the tests: the gateway, and real proxies in front of it, each started on loopback.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, chmodSync, constants, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const here = dirname(fileURLToPath(import.meta.url));
export const root = resolve(here, "../..");

/** The path of a program; a missing one is an error that names the command which brings it. */
export function program(name, bring) {
  const places = `${process.env.PATH ?? ""}${delimiter}/usr/sbin${delimiter}/sbin`.split(delimiter);
  for (const place of places) {
    const path = join(place, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this directory
    }
  }
  throw new Error(`${name} is missing; run \`${bring}\``);
}

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

const alive = new Set();
process.on("exit", () => alive.forEach((running) => running.kill()));

/** A running program; `close()` ends it and everything it started, and so does the end of the tests. */
class Running {
  constructor(command, options = {}) {
    this.output = "";
    this.child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"], detached: true, ...options });
    this.lines = createInterface({ input: this.child.stdout });
    this.lines.on("line", (line) => (this.output += `${line}\n`));
    this.child.stderr.on("data", (data) => (this.output += data));
    this.ended = new Promise((done) => this.child.once("close", done));
    this.failed = new Promise((done) => this.child.once("error", done));
    alive.add(this);
  }

  /** Resolves with the first line of standard output that matches. */
  async line(pattern, limit = 20_000) {
    const found = new Promise((done) => {
      this.lines.on("line", (line) => pattern.test(line) && done(line));
    });
    return await this.before(found, limit, `print ${pattern}`);
  }

  /** Resolves when something listens on the port. */
  async listens(port, limit = 20_000) {
    const found = (async () => {
      for (;;) {
        const socket = connect(port, "127.0.0.1");
        const up = await new Promise((done) => socket.once("connect", () => done(true)).once("error", () => done(false)));
        socket.destroy();
        if (up) return;
        await new Promise((done) => setTimeout(done, 20));
      }
    })();
    await this.before(found, limit, `listen on port ${port}`);
  }

  async before(found, limit, what) {
    let timer;
    const late = new Promise((done) => (timer = setTimeout(done, limit, "late")));
    const gone = Promise.race([this.ended, this.failed]).then(() => "gone");
    const first = await Promise.race([found, late, gone]);
    clearTimeout(timer);
    if (first === "late" || first === "gone") {
      await this.close();
      throw new Error(`${this.child.spawnargs.join(" ")} did not ${what} (${first}):\n${this.output}`);
    }
    return first;
  }

  kill() {
    try {
      process.kill(-this.child.pid, "SIGKILL");
    } catch {
      // it has ended already
    }
  }

  async close() {
    this.kill();
    await this.ended;
    alive.delete(this);
    this.cleanup?.();
  }
}

/** The gateway in front of `upstream`; `.url` is its address. With UNDROP_REAL=direct, the upstream itself. */
export async function gateway(upstream, options = []) {
  if (process.env.UNDROP_REAL === "direct") return { url: upstream, port: Number(new URL(upstream).port), close: async () => {} };
  const binary = process.env.UNDROP ?? join(root, "target/dist/undrop");
  if (!existsSync(binary)) throw new Error(`${binary} is missing; run \`cargo build --profile dist\``);
  const running = new Running([binary, "gateway", "--listen", "127.0.0.1:0", "--upstream", upstream, ...options]);
  const line = await running.line(/^listening on ws:\/\//);
  running.url = line.split(" ").at(-1).replace(/\/$/, "");
  running.port = Number(new URL(running.url).port);
  return running;
}

/** `undrop chaos` with its API and no proxy yet; `.api` is the URL of the API. */
export async function chaos(options = []) {
  const binary = process.env.UNDROP ?? join(root, "target/dist/undrop");
  if (!existsSync(binary)) throw new Error(`${binary} is missing; run \`cargo build --profile dist\``);
  const running = new Running([binary, "chaos", "--api", "127.0.0.1:0", ...options]);
  const line = await running.line(/^api http:\/\//);
  running.api = line.split(" ").at(-1);
  return running;
}

const proxies = {
  nginx: (directory, config) => [program("nginx", "scripts/setup system"), "-p", directory, "-c", config("nginx.conf")],
  haproxy: (_, config) => [program("haproxy", "scripts/setup system"), "-db", "-f", config("haproxy.cfg")],
  apache: (directory, config) => [program("apache2", "scripts/setup system"), "-d", directory, "-f", config("apache.conf"), "-DFOREGROUND"],
  caddy: (_, config) => [program("caddy", "scripts/setup system"), "run", "--config", config("Caddyfile"), "--adapter", "caddyfile"],
  envoy: (_, config) => [envoy(), "-c", config("envoy.yaml"), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"],
};

export const proxyNames = Object.keys(proxies);

/** A real proxy in front of a port of this machine; `.url` is its address. Configurations: compare/proxies/. */
export async function proxy(name, upstream) {
  const directory = mkdtempSync(join(tmpdir(), `undrop-${name}-`));
  chmodSync(directory, 0o755);
  const port = await freePort();
  const values = { DIR: directory, LISTEN: port, UPSTREAM: upstream, MODULES: "/usr/lib/apache2/modules" };
  const config = (file) => {
    const text = readFileSync(join(root, "compare/proxies", file), "utf8");
    const path = join(directory, file);
    writeFileSync(path, text.replace(/@([A-Z]+)@/g, (_, key) => String(values[key])));
    return path;
  };
  const running = new Running(proxies[name](directory, config), { env: { ...process.env, HOME: directory } });
  running.cleanup = () => rmSync(directory, { recursive: true, force: true });
  await running.listens(port);
  running.url = `ws://127.0.0.1:${port}`;
  running.port = port;
  return running;
}

/** Runs a program to its end; its standard output is returned, a failure is an error with all it printed. */
export async function run(command, options = {}) {
  const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"], ...options });
  let [out, error] = ["", ""];
  child.stdout.on("data", (data) => (out += data));
  child.stderr.on("data", (data) => (error += data));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${out}${error}`);
  return out;
}

/** The interpreter with the packages of requirements.txt. */
export function python() {
  const path = join(root, ".tools/python/bin/python");
  if (!existsSync(path)) throw new Error(`${path} is missing; run \`scripts/setup python\``);
  return path;
}

function envoy() {
  const library = join(root, ".tools/envoy/lib");
  const versions = existsSync(library) ? readdirSync(library) : [];
  const found = versions.map((version) => join(library, version, "site-packages/envoy/_bin/envoy")).find(existsSync);
  return found ?? program("envoy", "scripts/setup envoy");
}
