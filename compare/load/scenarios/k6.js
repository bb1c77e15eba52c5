// k6: one virtual user per connection, an interval, and a handler that counts. RATE 0 is flood: an answer sends the next message.
import { WebSocket } from "k6/experimental/websockets";

const connections = Number(__ENV.CONNECTIONS);
const rate = Number(__ENV.RATE);
const seconds = Number(__ENV.SECONDS);
const text = "x".repeat(64);

export const options = {
  scenarios: {
    load: { executor: "per-vu-iterations", vus: connections, iterations: 1, maxDuration: `${seconds + 20}s` },
  },
};

export default function () {
  const socket = new WebSocket(__ENV.URL);
  let timer;
  socket.onopen = () => {
    if (rate > 0) timer = setInterval(() => socket.send(text), 1000 / rate);
    else socket.send(text);
    setTimeout(() => {
      clearInterval(timer);
      socket.close();
    }, seconds * 1000);
  };
  socket.onmessage = () => {
    if (rate === 0) socket.send(text);
  };
  socket.onerror = (event) => console.error(`socket: ${event.error}`);
  socket.onclose = () => clearInterval(timer);
}
