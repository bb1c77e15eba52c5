// undrop chaos through the API of toxiproxy, driven by a client library that was written for toxiproxy.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import * as library from "toxiproxy-node-client";
import WebSocket, { WebSocketServer } from "ws";
import { chaos, freePort } from "./parts.mjs";

const { Toxiproxy } = library.default ?? library;

/** Sends `text` and resolves with what came back, how long it took, and how the connection ended (if it did). */
function talk(port, text, { bytes = text.length, patience = 10_000 } = {}) {
  return new Promise((done) => {
    const start = performance.now();
    const socket = connect({ port, host: "127.0.0.1" });
    let got = "";
    const finish = (end) => {
      socket.destroy();
      clearTimeout(timer);
      done({ got, end, ms: performance.now() - start });
    };
    const timer = setTimeout(finish, patience, "nothing");
    socket.on("connect", () => socket.write(text));
    socket.on("data", (data) => {
      got += data;
      if (got.length >= bytes) finish("echoed");
    });
    socket.on("end", () => finish("end"));
    socket.on("error", (error) => finish(error.code));
  });
}

describe("toxiproxy's client library", { timeout: 120_000 }, () => {
  let server;
  let running;
  let toxiproxy;
  let proxy;
  let port;
  let upstream;

  before(async () => {
    server = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    upstream = `127.0.0.1:${server.address().port}`;
    running = await chaos();
    toxiproxy = new Toxiproxy(running.api);
  });
  after(async () => {
    await running?.close();
    server?.close();
  });
  beforeEach(async () => {
    port = await freePort();
    proxy = await toxiproxy.createProxy({ name: "echo", listen: `127.0.0.1:${port}`, upstream });
  });
  afterEach(async () => await proxy.remove());

  it("creates, finds and removes proxies", async () => {
    assert.equal(proxy.enabled, true);
    assert.equal((await talk(port, "hello")).got, "hello");
    const same = await toxiproxy.get("echo");
    assert.deepEqual([same.listen, same.upstream], [`127.0.0.1:${port}`, upstream]);
    assert.deepEqual(Object.keys(await toxiproxy.getAll()), ["echo"]);
    assert.match(await toxiproxy.getVersion(), /2\.\d+\.\d+/);
    await assert.rejects(toxiproxy.createProxy({ name: "echo", listen: "127.0.0.1:0", upstream }), /409|exists/i);
    await assert.rejects(toxiproxy.get("missing"), /404|not found/i);
    await assert.rejects(proxy.addToxic({ name: "x", type: "nonsense", stream: "upstream", toxicity: 1, attributes: {} }));
    const other = await toxiproxy.createProxy({ name: "other", listen: "127.0.0.1:0", upstream });
    await other.remove();
    await assert.rejects(toxiproxy.get("other"));
  });

  it("populates", async () => {
    const [one, two] = [await freePort(), await freePort()];
    const made = await toxiproxy.populate([
      { name: "one", listen: `127.0.0.1:${one}`, upstream, enabled: true },
      { name: "two", listen: `127.0.0.1:${two}`, upstream, enabled: false },
    ]);
    assert.equal((await talk(one, "hello")).got, "hello");
    assert.equal((await talk(two, "hello")).end, "ECONNREFUSED");
    for (const proxy of Object.values(made)) await proxy.remove();
  });

  it("disables and enables", async () => {
    const open = connect({ port, host: "127.0.0.1" });
    await once(open, "connect");
    const ended = new Promise((done) => open.on("error", () => {}).on("close", done));
    await proxy.update({ enabled: false, listen: proxy.listen, upstream });
    await ended;
    assert.equal((await talk(port, "hello")).end, "ECONNREFUSED");
    assert.equal((await toxiproxy.get("echo")).enabled, false);
    await toxiproxy.reset();
    assert.equal((await talk(port, "hello")).got, "hello");
  });

  const toxic = (type, attributes, more = {}) => proxy.addToxic({ type, attributes, stream: "downstream", toxicity: 1, name: type, ...more });

  it("latency: added, changed, removed, and on connections that are open", async () => {
    const slow = await toxic("latency", { latency: 300, jitter: 20 });
    assert.equal(slow.attributes.latency, 300);
    let ms = (await talk(port, "hello")).ms;
    assert.ok(ms >= 275 && ms < 5000, `${ms}`);
    await slow.update({ attributes: { latency: 600, jitter: 0 }, toxicity: 1 });
    ms = (await talk(port, "hello")).ms;
    assert.ok(ms >= 590 && ms < 5000, `${ms}`);
    assert.equal((await proxy.getToxic("latency")).attributes.latency, 600);
    const open = connect({ port, host: "127.0.0.1" });
    await once(open, "connect");
    await slow.remove();
    const start = performance.now();
    open.write("x");
    await once(open, "data");
    assert.ok(performance.now() - start < 500);
    open.destroy();
    await assert.rejects(proxy.getToxic("latency"));
  });

  it("toxicity 0 hits no connection", async () => {
    await toxic("reset_peer", { timeout: 0 }, { toxicity: 0 });
    assert.equal((await talk(port, "hello")).got, "hello");
  });

  it("timeout: data stops, then the connection is closed; 0 holds it until the toxic is removed", async () => {
    const closing = await toxic("timeout", { timeout: 300 });
    const { got, end, ms } = await talk(port, "hello");
    assert.deepEqual([got, end], ["", "end"]);
    assert.ok(ms >= 290, `${ms}`);
    await closing.remove();
    const holding = await toxic("timeout", { timeout: 0 });
    const talking = talk(port, "hello");
    assert.equal((await talk(port, "hello", { patience: 400 })).end, "nothing");
    await holding.remove();
    assert.equal((await talking).got, "hello");
  });

  it("reset_peer: a RST", async () => {
    await toxic("reset_peer", { timeout: 200 });
    const { end, ms } = await talk(port, "hello", { bytes: 1000 });
    assert.equal(end, "ECONNRESET");
    assert.ok(ms >= 190, `${ms}`);
  });

  it("limit_data: so many bytes, then the end", async () => {
    await toxic("limit_data", { bytes: 7 });
    const { got, end } = await talk(port, "0123456789", { bytes: 1000 });
    assert.deepEqual([got, end], ["0123456", "end"]);
  });

  it("bandwidth: kilobytes per second", async () => {
    await toxic("bandwidth", { rate: 100 });
    const { ms, got } = await talk(port, "x".repeat(60_000));
    assert.equal(got.length, 60_000);
    assert.ok(ms >= 500 && ms < 5000, `${ms}`);
  });

  it("slicer: small pieces, far apart", async () => {
    await toxic("slicer", { average_size: 10, size_variation: 0, delay: 20_000 });
    const { ms, got } = await talk(port, "x".repeat(200));
    assert.equal(got.length, 200);
    assert.ok(ms >= 300, `${ms}`);
  });

  it("slow_close: the end arrives late", async () => {
    await toxic("slow_close", { delay: 400 });
    const socket = connect({ port, host: "127.0.0.1" });
    await once(socket, "connect");
    const start = performance.now();
    socket.end("bye");
    socket.resume();
    await once(socket, "end");
    assert.ok(performance.now() - start >= 390);
  });

  it("a WebSocket passes, and faults of ours are beside the toxics", async () => {
    const wss = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(wss, "listening");
    wss.on("connection", (socket) => socket.on("message", (data) => socket.send(data.toString())));
    await proxy.update({ enabled: true, listen: proxy.listen, upstream: `127.0.0.1:${wss.address().port}` });
    const answer = await fetch(`${running.api}/api/faults?proxy=echo`, {
      method: "POST",
      body: JSON.stringify({ kind: "cut", frames: 2, direction: "down", how: "close", code: 4321 }),
    });
    assert.equal(answer.status, 201);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    await once(socket, "open");
    const got = [];
    socket.on("message", (data) => got.push(data.toString()));
    socket.send("one");
    socket.send("two");
    socket.send("three");
    const [code] = await once(socket, "close");
    assert.deepEqual([got, code], [["one", "two"], 4321]);
    wss.close();
  });
});
