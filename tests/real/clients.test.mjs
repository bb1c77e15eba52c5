// Unmodified clients through the gateway to an unmodified Node `ws` backend.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { join } from "node:path";
import { backend } from "./backend.mjs";
import { gateway, here, python, root, run } from "./parts.mjs";
import { scenario } from "./scenario.mjs";

describe("unmodified clients", { timeout: 120_000 }, () => {
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

  for (const compression of [false, true]) {
    describe(`Node ws, ${compression ? "with" : "without"} compression`, () => {
      for (const [name, test] of Object.entries(scenario)) {
        it(name, { timeout: 60_000 }, () => test({ url: front.url, server, compression }));
      }
    });

    it(`Python websockets, ${compression ? "with" : "without"} compression`, { timeout: 60_000 }, async () => {
      const out = await run([python(), join(here, "client.py"), front.url, compression ? "deflate" : "none"]);
      assert.match(out, /^ok$/m);
      await server.ended(({ code, reason }) => code === 4003 && reason === "from Python");
    });
  }

  it("Rust tokio-tungstenite", { timeout: 300_000 }, async () => {
    const target = join(root, "target/real");
    await run(["cargo", "build", "--quiet", "--locked", "--target-dir", target], { cwd: join(here, "tungstenite") });
    const out = await run([join(target, "debug/tungstenite-client"), front.url]);
    assert.match(out, /^ok$/m);
    await server.ended(({ code, reason }) => code === 4004 && reason === "from Rust");
  });
});
