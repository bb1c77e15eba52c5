// The unmodified Node `ws` echo backend of conformance/gateway. `ws` 8.22 ends messages of more than 16,384 fragments with
// 1008 by default; cases 9.3.1, 9.3.2, 9.4.1 and 9.4.2 send up to 65,536.
import { createRequire } from "node:module";

const { WebSocketServer } = createRequire(new URL("../tests/real/package.json", import.meta.url))("ws");
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: 64 << 20,
  maxFragments: 0,
  perMessageDeflate: { threshold: 0 },
});
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
  socket.on("error", () => {});
});
server.on("listening", () => console.log(`listening on ${server.address().port}`));
