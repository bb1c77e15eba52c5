// An unmodified Node `ws` backend. It echoes, and executes a few text messages that start with "!".
import { once } from "node:events";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

/** Starts it; `.url` is its address, `.closes` lists how its connections ended, oldest first. */
export async function backend() {
  const closes = [];
  let accepted = 0;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 64 << 20,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (offered) => ["chat.v1", "text"].find((name) => offered.has(name)) ?? false,
  });
  sockets.on("connection", (socket, request) => {
    accepted += 1;
    socket.on("message", (data, binary) => {
      const text = binary ? "" : data.toString();
      const [command, first, ...rest] = text.split(" ");
      if (command === "!about") {
        const { protocol, extensions } = socket;
        socket.send(JSON.stringify({ path: request.url, headers: request.headers, protocol, extensions }));
      } else if (command === "!close") socket.close(Number(first), rest.join(" "));
      else if (command === "!terminate") socket.terminate();
      else if (command === "!count") for (let i = 1; i <= Number(first); i += 1) socket.send(`${i}`);
      else if (command === "!later") setTimeout(() => socket.send(rest.join(" ")), Number(first));
      else socket.send(data, { binary });
    });
    socket.on("close", (code, reason) => closes.push({ code, reason: reason.toString() }));
    socket.on("error", () => {});
  });
  const server = createServer((_, response) => response.writeHead(426).end("a WebSocket server\n"));
  server.on("upgrade", (request, socket, head) => {
    if (new URL(request.url, "http://backend").pathname === "/refused") {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 10\r\nConnection: close\r\n\r\nnot for us");
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => sockets.emit("connection", client, request));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  return {
    url: `ws://127.0.0.1:${port}`,
    port,
    closes,
    accepted: () => accepted,
    /** Resolves with the next ending that fits. */
    async ended(fits, limit = 5000) {
      const deadline = Date.now() + limit;
      for (;;) {
        const found = closes.find(fits);
        if (found) return found;
        if (Date.now() > deadline) throw new Error(`no such ending among ${JSON.stringify(closes)}`);
        await new Promise((done) => setTimeout(done, 10));
      }
    },
    close() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}
