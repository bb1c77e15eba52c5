// What every unmodified client must be able to do through the gateway, with the Node `ws` client.
import assert from "node:assert/strict";
import { once } from "node:events";
import WebSocket from "ws";

const PROTOCOLS = ["chat.v2", "chat.v1"];

/** Opens a connection and queues what comes. */
export async function open(url, protocols, options) {
  const socket = new WebSocket(url, protocols, { maxPayload: 64 << 20, ...options });
  const queue = [];
  let wake = () => {};
  socket.on("message", (data, binary) => {
    queue.push(binary ? data : data.toString());
    wake();
  });
  socket.closed = once(socket, "close").then(([code, reason]) => ({ code, reason: reason.toString() }));
  socket.closed.catch(() => {});
  socket.next = async () => {
    while (queue.length === 0) {
      await Promise.race([new Promise((done) => (wake = done)), socket.closed.then(({ code }) => assert.fail(`closed ${code}`))]);
    }
    return queue.shift();
  };
  await once(socket, "open");
  return socket;
}

/** Bytes that compress a little, as real ones do. */
export function bytes(length) {
  const block = Buffer.from(Array.from({ length: 4099 }, (_, i) => (i * i + (i >> 3)) & 0xff));
  return Buffer.alloc(length, block);
}

export const scenario = {
  "the backend chooses the subprotocol and sees path, query and headers": async ({ url, compression }) => {
    const options = { perMessageDeflate: compression, headers: { "X-Tenant": "seven" }, origin: "https://app.example" };
    const socket = await open(`${url}/a%20path/deep?x=1&y=%2F`, PROTOCOLS, options);
    assert.equal(socket.protocol, "chat.v1");
    assert.equal(socket.extensions.includes("permessage-deflate"), compression);
    socket.send("!about");
    const about = JSON.parse(await socket.next());
    assert.equal(about.path, "/a%20path/deep?x=1&y=%2F");
    assert.equal(about.protocol, "chat.v1");
    assert.equal(about.headers["x-tenant"], "seven");
    assert.equal(about.headers.origin, "https://app.example");
    assert.doesNotMatch(about.headers["sec-websocket-protocol"], /undrop/);
    socket.close(1000);
    assert.equal((await socket.closed).code, 1000);
  },

  "messages of every kind and size come back as they were": async ({ url, compression }) => {
    const socket = await open(url, PROTOCOLS, { perMessageDeflate: compression });
    const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20];
    for (const message of ["", "plain", "ünïcödé ☃ 𝄞", "\u001fa1", "x".repeat(70_000), ...sizes.map(bytes)]) {
      socket.send(message);
      const got = await socket.next();
      const same = typeof message === "string" ? got === message : Buffer.isBuffer(got) && got.equals(message);
      assert.ok(same, `${typeof message} of ${message.length} came back as ${typeof got} of ${got.length}`);
    }
    socket.close(1000);
    await socket.closed;
  },

  "a thousand messages in flight keep their order": async ({ url, compression }) => {
    const socket = await open(url, [], { perMessageDeflate: compression });
    assert.equal(socket.protocol, "");
    for (let i = 0; i < 1000; i += 1) socket.send(`${i} ${"-".repeat(i)}`);
    for (let i = 0; i < 1000; i += 1) assert.equal(await socket.next(), `${i} ${"-".repeat(i)}`);
    socket.close(1000);
    await socket.closed;
  },

  "a message in fragments, with a ping between them, arrives whole": async ({ url, compression }) => {
    const socket = await open(url, [], { perMessageDeflate: compression });
    const pong = once(socket, "pong");
    socket.send("one ", { fin: false });
    socket.ping("between");
    socket.send("two ", { fin: false });
    socket.send("three", { fin: true });
    assert.equal(await socket.next(), "one two three");
    assert.equal((await pong)[0].toString(), "between");
    socket.close(1000);
    await socket.closed;
  },

  "close codes and reasons pass unchanged, both ways": async ({ url, server }) => {
    const theirs = await open(url);
    theirs.send("!close 4001 see you");
    assert.deepEqual(await theirs.closed, { code: 4001, reason: "see you" });
    const ours = await open(url);
    ours.close(4002, "I leave");
    assert.equal((await ours.closed).code, 4002);
    await server.ended(({ code, reason }) => code === 4002 && reason === "I leave");
  },

  "a refusal reaches the client with its status and body": async ({ url }) => {
    const socket = new WebSocket(`${url}/refused`);
    const [, response] = await once(socket, "unexpected-response");
    let body = "";
    for await (const part of response) body += part;
    assert.equal(response.statusCode, 403);
    assert.equal(body, "not for us");
    socket.on("error", () => {});
    socket.terminate();
  },

  "a connection that vanishes takes its backend connection with it": async ({ url, server }) => {
    const socket = await open(url);
    socket.send("!about");
    await socket.next();
    const before = server.closes.length;
    socket.terminate();
    await server.ended((ending) => server.closes.indexOf(ending) >= before);
  },
};
