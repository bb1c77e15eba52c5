// The backend of the soak: a Node `ws` echo server that knows nothing of undrop. It checks what it receives.
// Messages are "<stream>:<number>:<padding>"; a JSON line with the counts comes at the end of standard input.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: 1 << 20 });
const streams = new Map();
const total = { connections: 0, received: 0, doubled: 0, reordered: 0, corrupt: 0 };

/** Notes one message of a stream: new, seen before, or behind a later one. */
function note(text) {
  const [stream, digits] = text.split(":", 2);
  const number = Number(digits);
  if (!Number.isSafeInteger(number) || number < 0) {
    total.corrupt += 1;
    return;
  }
  let state = streams.get(stream);
  if (state === undefined) streams.set(stream, (state = { next: 0, missing: new Set() }));
  if (number >= state.next) {
    for (let skipped = state.next; skipped < number; skipped += 1) state.missing.add(skipped);
    state.next = number + 1;
    total.received += 1;
  } else if (state.missing.delete(number)) {
    total.reordered += 1;
    total.received += 1;
  } else total.doubled += 1;
}

server.on("connection", (socket) => {
  total.connections += 1;
  socket.on("message", (data, binary) => {
    note(data.toString());
    socket.send(data, { binary });
  });
  socket.on("error", () => {});
});
server.on("listening", () => console.log(`listening on ${server.address().port}`));
process.stdin.on("end", () => {
  console.log(JSON.stringify(total));
  process.exit(0);
});
process.stdin.resume();
