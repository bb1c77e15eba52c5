// A plain Node `ws` echo server with compression, as a program: prints one line when it listens.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: 64 << 20,
  maxFragments: 1 << 17, // the Autobahn suite sends a message of 65,536; the default is 16,384
  perMessageDeflate: { threshold: 0 },
});
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
  socket.on("error", () => {});
});
server.on("listening", () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
