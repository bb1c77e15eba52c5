// Chromium's own WebSocket through the gateway to an unmodified backend.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { chromium } from "playwright-core";
import { backend } from "./backend.mjs";
import { gateway, program } from "./parts.mjs";

// Chromium's own traffic is switched off; each launch has a new, empty profile.
const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

describe("Chromium", { timeout: 120_000 }, () => {
  let server;
  let front;
  let browser;
  let pages;
  let page;
  before(async () => {
    server = await backend();
    front = await gateway(server.url);
    pages = createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html><title>test</title>"));
    pages.listen(0, "127.0.0.1");
    await once(pages, "listening");
    browser = await chromium.launch({ executablePath: program("chromium", "scripts/setup browser"), args: ARGUMENTS });
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${pages.address().port}/`);
    await page.evaluate(() => {
      globalThis.dial = async (url, protocols) => {
        const socket = new WebSocket(url, protocols);
        socket.binaryType = "arraybuffer";
        const queue = [];
        let wake = () => {};
        socket.onmessage = ({ data }) => (queue.push(data), wake());
        socket.ended = new Promise((done) => (socket.onclose = ({ code, reason, wasClean }) => done({ code, reason, wasClean })));
        socket.next = async () => {
          while (!queue.length) await new Promise((done) => (wake = done));
          return queue.shift();
        };
        const open = new Promise((done) => (socket.onopen = () => done("open")));
        return { socket, first: await Promise.race([open, socket.ended]) };
      };
    });
  });
  after(async () => {
    await browser?.close();
    pages?.close();
    await front?.close();
    await server?.close();
  });

  it("negotiates subprotocol and compression, and the backend sees its origin", async () => {
    const seen = await page.evaluate(async (url) => {
      const { socket } = await dial(`${url}/from/a/page?x=1`, ["chat.v2", "chat.v1"]);
      socket.send("!about");
      const about = JSON.parse(await socket.next());
      socket.close(1000);
      await socket.ended;
      return { protocol: socket.protocol, extensions: socket.extensions, about, origin: location.origin };
    }, front.url);
    assert.equal(seen.protocol, "chat.v1");
    assert.match(seen.extensions, /permessage-deflate/);
    assert.equal(seen.about.path, "/from/a/page?x=1");
    assert.equal(seen.about.headers.origin, seen.origin);
  });

  it("gets messages of every kind and size back as they were", async () => {
    const wrong = await page.evaluate(async (url) => {
      const { socket } = await dial(url, ["chat.v1"]);
      const wrong = [];
      for (const text of ["", "plain", "ünïcödé ☃ 𝄞", "\u001fa1", "x".repeat(70_000)]) {
        socket.send(text);
        if ((await socket.next()) !== text) wrong.push(`text of ${text.length}`);
      }
      for (const size of [0, 1, 125, 126, 65_535, 65_536, 16 << 20]) {
        const bytes = new Uint8Array(size).map((_, i) => (i * i + (i >> 3)) & 0xff);
        socket.send(bytes);
        const got = new Uint8Array(await socket.next());
        if (got.length !== size || got.some((byte, i) => byte !== bytes[i])) wrong.push(`${size} bytes`);
      }
      for (let i = 0; i < 500; i += 1) socket.send(`${i}`);
      for (let i = 0; i < 500; i += 1) if ((await socket.next()) !== `${i}`) wrong.push(`number ${i}`);
      socket.close(1000);
      await socket.ended;
      return wrong;
    }, front.url);
    assert.deepEqual(wrong, []);
  });

  it("sees the close code of the backend, and the backend sees the page's", async () => {
    const ended = await page.evaluate(async (url) => {
      const { socket } = await dial(url);
      socket.send("!close 4001 see you");
      const theirs = await socket.ended;
      const { socket: second } = await dial(url);
      second.close(4006, "from a page");
      await second.ended;
      return theirs;
    }, front.url);
    assert.deepEqual(ended, { code: 4001, reason: "see you", wasClean: true });
    await server.ended(({ code, reason }) => code === 4006 && reason === "from a page");
  });

  it("reports a refusal as a failed handshake", async () => {
    const first = await page.evaluate(async (url) => (await dial(`${url}/refused`)).first, front.url);
    assert.deepEqual(first, { code: 1006, reason: "", wasClean: false });
  });

  it("can offer a session, and gets one", { skip: process.env.UNDROP_REAL === "direct" && "there is no gateway" }, async () => {
    const seen = await page.evaluate(async (url) => {
      const hello = btoa(JSON.stringify({ cid: "00112233445566778899aabbccddeeff" })).replaceAll("=", "");
      const { socket } = await dial(url, ["undrop.1+chat.v1", `undrop.hello.${hello}`, "chat.v1"]);
      const first = await socket.next();
      socket.send("hello");
      const echo = await socket.next();
      socket.send("\u001fx1000 done");
      const ended = await socket.ended;
      return { protocol: socket.protocol, first, echo, ended };
    }, front.url);
    assert.equal(seen.protocol, "undrop.1+chat.v1");
    assert.equal(seen.first.slice(0, 2), "\u001fS");
    assert.equal(seen.echo, "hello");
    assert.equal(seen.ended.wasClean, true);
  });
});
