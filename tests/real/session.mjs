// A small client of the session protocol, written from spec/PROTOCOL.md for these tests: it shares no code with the gateway.
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import WebSocket from "ws";

const PACKET = "\u001f";
const token = (hello) => `undrop.hello.${Buffer.from(JSON.stringify(hello)).toString("base64url")}`;

/** One session with one link at a time. `got` lists the data messages taken, `next(fits)` awaits one. */
export class Session {
  constructor(url, protocols = []) {
    this.url = url;
    this.protocols = protocols;
    this.cid = randomBytes(16).toString("hex");
    this.attempt = 0;
    this.taken = 0;
    this.acked = 0;
    this.unacked = [];
    this.got = [];
    this.packets = [];
    this.waiting = [];
  }

  /** Opens a link: the first makes the session, each further one resumes it. Resolves with the first packet. */
  async connect() {
    this.attempt += 1;
    const offers = this.protocols.length ? this.protocols.map((name) => `undrop.1+${name}`) : ["undrop.1"];
    const link = new WebSocket(this.url, [...offers, token(this.hello()), ...this.protocols], { perMessageDeflate: this.deflate ?? false });
    this.link = link;
    const first = new Promise((resolve, reject) => {
      this.opened = resolve;
      link.once("error", reject);
      link.once("close", (code, reason) => reject(new Error(`closed ${code} ${reason} before the first packet`)));
    });
    link.on("message", (data, binary) => link === this.link && this.take(data, binary));
    link.on("close", (code, reason) => (this.ending = { code, reason: reason.toString() }));
    return await first;
  }

  hello() {
    if (!this.sid) return { cid: this.cid };
    const text = `undrop.1|${this.sid}|${this.attempt}|${this.taken}`;
    const mac = createHmac("sha256", Buffer.from(this.key, "base64url")).update(text).digest("base64url");
    return { sid: this.sid, n: this.attempt, rx: this.taken, mac };
  }

  /** Loses the link without a word. */
  async cut() {
    const gone = once(this.link, "close");
    this.link.terminate();
    await gone;
  }

  send(text) {
    const wire = text.startsWith(PACKET) ? PACKET + text : text;
    this.unacked.push(wire);
    this.link.send(wire);
  }

  take(data, binary) {
    const text = data.toString();
    if (!binary && text.startsWith(PACKET) && text[1] !== PACKET) return this.packet(text[1], text.slice(2));
    this.receive += 1;
    if (this.receive <= this.taken) return;
    this.taken = this.receive;
    this.got.push(binary ? data : text.startsWith(PACKET) ? text.slice(1) : text);
    this.waiting = this.waiting.filter((look) => !look());
  }

  packet(letter, body) {
    this.packets.push(letter + body);
    if (letter === "S") {
      Object.assign(this, { sid: JSON.parse(body).sid, key: JSON.parse(body).key, receive: 0 });
      this.opened(JSON.parse(body));
    } else if (letter === "R") {
      const { rx, start } = JSON.parse(body);
      this.receive = start - 1;
      this.drop(rx);
      for (const wire of this.unacked) this.link.send(wire);
      this.opened(JSON.parse(body));
    } else if (letter === "a") this.drop(parseInt(body, 36));
    else if (letter === "r") this.ack();
    else if (letter === "P") {
      this.ack();
      this.link.send(`${PACKET}p${body}`);
    } else if (letter === "L") this.opened({ lost: JSON.parse(body) });
    else if (letter === "x") this.closed = body;
    this.waiting = this.waiting.filter((look) => !look());
  }

  drop(number) {
    this.unacked.splice(0, number - this.acked);
    this.acked = number;
  }

  ack() {
    this.link.send(`${PACKET}a${this.taken.toString(36)}`);
  }

  /** Resolves once `fits(this)` is true, looked at after every message and packet. */
  async until(fits, what, limit = 8000) {
    if (fits(this)) return;
    let timer;
    await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not within ${limit} ms: ${what}; packets ${this.packets.join(" ")}`)), limit);
      this.waiting.push(() => fits(this) && (resolve(), true));
    });
    clearTimeout(timer);
  }

  async close(code = 1000, reason = "done") {
    this.link.send(`${PACKET}x${code} ${reason}`);
    if (this.link.readyState !== WebSocket.CLOSED) await once(this.link, "close");
  }
}
