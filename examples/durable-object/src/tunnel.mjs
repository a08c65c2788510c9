/** A Durable Object that keeps one tunnel open over hours. @module */

import { connect } from "cloudflare:sockets";
import { fingerprint, privateKey, ReverseTunnel, serve, workerdSocket } from "@postern/web";
import { answerWith } from "./answer.mjs";

/**
 * @typedef {object} Settings
 * @property {string} host the SSH server
 * @property {number} [hostPort] default 22
 * @property {string} user
 * @property {string} hostKey the fingerprint of its host key
 * @property {string} [address] the address to listen on, default `localhost`
 * @property {number} [port] default 0: the server chooses, and later connections request the same port
 */

/** The interval of the alarms, which keep the object in memory. See README.md. */
const defaultAlarmMs = 30_000;
const loginTimeoutMs = 20_000;
/** The number of errors kept, the newest first. */
const maxErrors = 5;
/** Errors that a retry cannot fix; sshd penalizes retries. A new PUT tries again. */
const finalErrors = ["auth", "hostkey", "denied", "key", "misuse"];

export class Tunnel {
  #storage;
  #env;
  /** @type {ReverseTunnel | undefined} */
  #tunnel;
  /** @type {Promise<void> | undefined} */
  #opening;
  /** @type {import("@postern/web").Forwarding | undefined} */
  #forwarding;
  #errors = [];
  #lastError;
  #born = Date.now();

  constructor(state, env) {
    this.#storage = state.storage;
    this.#env = env;
  }

  /** @param {Request} request */
  async fetch(request) {
    switch (request.method) {
      case "PUT": {
        const settings = readSettings(await request.text());
        if (typeof settings === "string") return Response.json({ error: settings }, { status: 400 });
        const name = new URL(request.url).pathname.slice(1);
        await this.#close();
        await this.#storage.put({ settings, name, visits: (await this.#storage.get("visits")) ?? 0 });
        // If anything fails from here on, the alarm retries.
        await this.#schedule();
        await this.#open();
        return Response.json(await this.#status(), { status: this.#tunnel?.state === "open" ? 200 : 202 });
      }
      case "GET":
        return Response.json(await this.#status());
      case "DELETE":
        await this.#close();
        await this.#storage.deleteAlarm();
        await this.#storage.deleteAll();
        return new Response(null, { status: 204 });
      default:
        return new Response(null, { status: 405, headers: { allow: "PUT, GET, DELETE" } });
    }
  }

  /**
   * Runs every `ALARM_MS`, also if the object is no longer in memory: after a deployment, an eviction, or a failure of
   * the machine. The runtime then creates a new object, which opens the tunnel again. While the object is in memory,
   * the tunnel reconnects by itself.
   */
  async alarm() {
    if ((await this.#storage.get("settings")) === undefined) return;
    // First, so that an error below does not end the alarms. The runtime retries a failed alarm only a few times.
    await this.#schedule();
    await this.#storage.put("alarms", ((await this.#storage.get("alarms")) ?? 0) + 1);
    await this.#open();
  }

  /** Opens the tunnel unless it is open or opening. Never rejects, because the next alarm retries. */
  #open() {
    if (this.#tunnel !== undefined && this.#tunnel.state !== "closed") return this.#opening ?? Promise.resolve();
    this.#opening = this.#login()
      .catch(async (error) => {
        this.#note(error);
        if (finalErrors.includes(error?.code)) await this.#storage.deleteAlarm();
      })
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  async #login() {
    const settings = /** @type {Settings} */ (await this.#storage.get("settings"));
    const name = await this.#storage.get("name");
    const tunnel = new ReverseTunnel({
      dial: ({ host, port }, { signal }) => workerdSocket(connect, { hostname: host, port }, { signal }),
      host: settings.host,
      port: settings.hostPort ?? 22,
      user: settings.user,
      auth: [privateKey(this.#env.PRIVATE_KEY)],
      hostKey: fingerprint(settings.hostKey),
      loginTimeoutMs,
      // Below the idle limits of networks. The alarm keeps only the object, not the connection.
      keepAlive: { intervalMs: 30_000, countMax: 3 },
      reconnect: { mode: "established", intervalMs: 2_000, backoff: { factor: 2, maxIntervalMs: 60_000 } },
    });
    this.#tunnel = tunnel;
    // The `state` event reports the reason, and the next alarm tries again.
    tunnel.closed.catch(() => {});
    tunnel.addEventListener("state", ({ reason }) => reason && this.#note(reason));
    tunnel.addEventListener("forwarding", ({ forwarding, state }) => {
      if (state === "open") void this.#storage.put("port", forwarding.port);
    });
    try {
      await tunnel.connect();
      this.#forwarding = await this.#request(tunnel, settings);
      const count = async () => {
        const visits = ((await this.#storage.get("visits")) ?? 0) + 1;
        await this.#storage.put("visits", visits);
        return visits;
      };
      serve(this.#forwarding, answerWith(name, count));
    } catch (error) {
      await tunnel.close();
      throw error;
    }
  }

  /** Requests the previous port first, because visitors know it. */
  async #request(tunnel, { address = "localhost", port = 0 }) {
    const last = (await this.#storage.get("port")) ?? 0;
    if (port !== 0 || last === 0) return await tunnel.listen({ address, port });
    try {
      return await tunnel.listen({ address, port: last });
    } catch (error) {
      // The port is in use, perhaps by our own dead connection. A program that needs this port would wait for the
      // alarm.
      this.#note(error);
      return await tunnel.listen({ address, port: 0 });
    }
  }

  async #close() {
    await this.#opening;
    await this.#tunnel?.close();
    this.#tunnel = undefined;
    this.#forwarding = undefined;
  }

  async #schedule() {
    await this.#storage.setAlarm(Date.now() + Number(this.#env.ALARM_MS ?? defaultAlarmMs));
  }

  #note(error) {
    // A failed login rejects the promise and fires the event.
    if (error === this.#lastError) return;
    this.#lastError = error;
    this.#errors = [`${new Date().toISOString()} ${error?.message ?? error}`, ...this.#errors].slice(0, maxErrors);
  }

  async #status() {
    const stats = this.#tunnel?.stats();
    return {
      // Without an alarm there is no retry.
      givenUp: this.#tunnel?.state === "closed" && (await this.#storage.getAlarm()) === null,
      state: this.#tunnel?.state ?? "closed",
      port: this.#forwarding?.state === "open" ? this.#forwarding.port : undefined,
      forwarding: this.#forwarding?.state,
      inMemorySince: new Date(this.#born).toISOString(),
      alarms: (await this.#storage.get("alarms")) ?? 0,
      visits: (await this.#storage.get("visits")) ?? 0,
      reconnects: stats?.reconnects ?? 0,
      bytesIn: stats?.bytesIn ?? 0,
      bytesOut: stats?.bytesOut ?? 0,
      errors: this.#errors,
    };
  }
}

/** Parses the settings. Returns a message if they are wrong. @param {string} text @returns {Settings | string} */
function readSettings(text) {
  try {
    const { host, hostPort, user, hostKey, address, port, ...unknown } = JSON.parse(text);
    if (Object.keys(unknown).length > 0) return `unknown: ${Object.keys(unknown).join(", ")}`;
    for (const [name, value] of Object.entries({ host, user, hostKey })) {
      if (typeof value !== "string" || value === "") return `expected ${name}`;
    }
    fingerprint(hostKey);
    return { host, hostPort, user, hostKey, address, port };
  } catch (error) {
    return String(error);
  }
}
