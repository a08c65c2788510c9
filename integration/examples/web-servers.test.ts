/** The examples with a web framework: visitors through a real server, and an end without a broken response. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, type Running, type Sshd, startSshd, userKey, visit } from "../harness/index.ts";
import { freed, npmStart, type Settings, settingsFor, signalProgram } from "./example.ts";

for (const name of ["express", "fastify", "hono"]) {
  describe.skipIf(missing("sshd"))(`examples/${name}`, () => {
    let sshd: Sshd;
    let settings: Settings;
    let running: Running;
    let url: string;
    beforeAll(async () => {
      sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
      settings = await settingsFor(sshd);
      // HEALTH_PORT 0 selects a free port.
      running = await npmStart(name, { ...settings.env, HEALTH_PORT: "0" });
      await running.stdout.waitFor(/leads here/, 30_000);
      url = `http://127.0.0.1:${settings.port}`;
    });
    afterAll(async () => {
      await running?.stop();
      await sshd?.stop();
    });

    it("greets a visitor by the address that the SSH server reports", async () => {
      const response = await fetch(url);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
      expect(await response.text()).toBe("hello 127.0.0.1\n");
    });

    it("accepts JSON, and rejects malformed JSON", async () => {
      const post = (body: string): Promise<Response> =>
        fetch(`${url}/orders`, { method: "POST", headers: { "content-type": "application/json" }, body });
      const response = await post('{"tea":2}');
      expect(response.status).toBe(201);
      expect(await response.json()).toEqual({ ordered: { tea: 2 } });
      expect((await post('{"tea":')).status).toBe(400);
    });

    it("completes a request after SIGTERM, frees the port, and exits with 0", async ({ signal }) => {
      const visitor = await visit(settings.port);
      const body = '{"tea":2}';
      await visitor.send(
        "POST /orders HTTP/1.1\r\nhost: example.com\r\ncontent-type: application/json\r\n" +
          `expect: 100-continue\r\ncontent-length: ${body.length}\r\n\r\n`,
      );
      const goOn = "HTTP/1.1 100 Continue\r\n\r\n";
      expect((await visitor.read(goOn.length)).toString()).toBe(goOn);
      signalProgram(running, "SIGTERM");
      await freed(settings.port, signal);
      await visitor.send(body);
      const answer = (await visitor.readAll()).toString();
      expect(answer).toMatch(/^HTTP\/1.1 201 /);
      expect(answer).toContain('{"ordered":{"tea":2}}');
      visitor.end();
      expect(await running.exited).toBe(0);
    });
  });
}
