// The gateway behind real proxies: plain clients and sessions, through each of them.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { backend } from "./backend.mjs";
import { gateway, proxy, proxyNames } from "./parts.mjs";
import { scenario } from "./scenario.mjs";
import { Session } from "./session.mjs";

const direct = process.env.UNDROP_REAL === "direct";

async function survives(url, protocols) {
  const session = new Session(url, protocols);
  const first = await session.connect();
  assert.equal(session.link.protocol, protocols.length ? `undrop.1+${protocols[0]}` : "undrop.1");
  assert.match(first.sid, /^[^|]+$/);
  session.send("before");
  await session.until(({ got }) => got.includes("before"), "the first echo");
  session.send("!later 150 while away");
  session.send("\u001fnot a packet");
  await session.until(({ got }) => got.length >= 2, "the second echo");
  await session.cut();
  await new Promise((done) => setTimeout(done, 300));
  session.unacked.push("sent while away");
  const resumed = await session.connect();
  assert.equal(resumed.backend, "same");
  await session.until(({ got }) => got.includes("sent while away"), "what was sent while away");
  assert.deepEqual(session.got, ["before", "\u001fnot a packet", "while away", "sent while away"]);
  await session.close(1000, "done");
}

describe("the gateway alone", { timeout: 60_000, skip: direct && "there is no gateway" }, () => {
  let server;
  let front;
  before(async () => {
    server = await backend();
    front = await gateway(server.url);
  });
  after(async () => {
    await front?.close();
    await server?.close();
  });

  it("a session survives its link", () => survives(front.url, []));
  it("a session with a subprotocol survives its link", () => survives(front.url, ["chat.v1"]));

  it("a subprotocol that the backend does not choose is not answered", async () => {
    const session = new Session(front.url, ["chat.v1", "chat.v2"]);
    await session.connect();
    assert.equal(session.link.protocol, "undrop.1+chat.v1");
    await session.close();
  });

  it("the close of the backend arrives after its messages, and ends the session", async () => {
    const session = new Session(front.url);
    await session.connect();
    session.send("!count 50");
    session.send("!close 4005 over");
    await session.until(({ closed }) => closed !== undefined, "the close");
    assert.deepEqual(session.got, Array.from({ length: 50 }, (_, i) => `${i + 1}`));
    assert.equal(session.closed, "4005 over");
  });

  it("a resume with a wrong proof opens nothing", async () => {
    const session = new Session(front.url);
    await session.connect();
    session.send("mine");
    await session.until(({ got }) => got.includes("mine"), "the echo");
    const thief = new Session(front.url);
    Object.assign(thief, { sid: session.sid, key: Buffer.alloc(32).toString("base64url"), attempt: 7, taken: 0 });
    const answer = await thief.connect().catch((error) => ({ error }));
    assert.ok(answer.error || answer.lost, JSON.stringify(answer));
    assert.ok(!thief.got.includes("mine"));
    session.send("still here");
    await session.until(({ got }) => got.includes("still here"), "the link of its owner");
    await session.close();
  });
});

for (const name of proxyNames) {
  describe(`behind ${name}`, { timeout: 120_000 }, () => {
    let server;
    let front;
    let outer;
    before(async () => {
      server = await backend();
      front = await gateway(server.url);
      outer = await proxy(name, front.port);
    });
    after(async () => {
      await outer?.close();
      await front?.close();
      await server?.close();
    });

    for (const [title, test] of Object.entries(scenario)) {
      it(title, { timeout: 60_000 }, () => test({ url: outer.url, server, compression: true }));
    }
    it("a session survives its link", { timeout: 20_000, skip: direct && "there is no gateway" }, () => survives(outer.url, ["chat.v1"]));
  });
}
