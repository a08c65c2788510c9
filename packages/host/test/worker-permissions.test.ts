/** A hostile client in a worker, whose primary is slow to answer. Both are in this process. */
import { modernAlgorithms } from "@postern/noble";
import { bytesInUse, Liar, pipePair, turns } from "@postern/testkit";
import { policy } from "@postern/web";
import {
  ChannelOpen,
  ChannelOpenConfirmation,
  ChannelOpenFailure,
  DirectStreamlocal,
  DirectTcpip,
} from "@postern/wire";
import { expect, it } from "vitest";
import { type TunnelHostOptions, WorkerHost, workerSupport } from "../src/index.ts";
import { hostWorld, Network } from "./world.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** A logged-in client of a worker. Calls of a name in `held` wait for `release`. */
async function worker({ held, ...options }: Partial<TunnelHostOptions> & { readonly held: string }) {
  const { host } = hostWorld(options);
  const network = new Network();
  const inFlight: object[] = [];
  let isHeld = true;
  const near = workerSupport(host).createWorkers({ reserve: () => true, release() {} }, modernAlgorithms);
  const far: WorkerHost = new WorkerHost(
    Object.assign(network, { allAlgorithms: modernAlgorithms, openHandle: () => theirs }),
    (message) => {
      const { name } = message as { readonly name?: string };
      if (name === held && isHeld) inFlight.push(structuredClone(message) as object);
      else primary.receive(structuredClone(message));
    },
  );
  const primary = near.add((message, handle) => far.receive(structuredClone(message), handle));
  const [ours, theirs] = pipePair();
  const served = workerSupport(host).serveIn(primary, { handle: {}, open: () => theirs, received() {}, lost() {} }, {});
  const liar = new Liar("client", ours);
  await liar.logIn();
  const failures: string[] = [];
  const confirmations: number[] = [];
  void (async () => {
    for (let payload = await liar.next(); payload !== undefined; payload = await liar.next()) {
      if (payload[0] === ChannelOpenConfirmation.number) confirmations.push(payload.length);
      if (payload[0] !== ChannelOpenFailure.number) continue;
      const { reason, description } = ChannelOpenFailure.decode(payload);
      failures.push(`${reason}: ${description}`);
    }
  })();
  const push = async (count: number, channelType: string, specificData: Uint8Array<ArrayBuffer>): Promise<void> => {
    for (let sent = 0; sent < count; sent++) {
      const senderChannel = sent;
      liar.send(ChannelOpen.encode({ channelType, senderChannel, initialWindow: 0, maxPacket: 32_768, specificData }));
      if (sent % 20 === 0) await turns();
    }
    await turns();
  };
  return {
    ...{ host, network, liar, failures, confirmations, push, inFlight, served },
    /** Handles the waiting calls, and those after them. */
    release: () => {
      isHeld = false;
      for (const message of inFlight.splice(0)) primary.receive(message);
    },
  };
}

const tcp = (host: string, originAddress = "") =>
  DirectTcpip.encode({ host, port: 80, originAddress, originPort: 1 }) as Uint8Array<ArrayBuffer>;
const socket = (path: string) =>
  DirectStreamlocal.encode({ path, reserved: new Uint8Array(0), reservedNumber: 0 }) as Uint8Array<ArrayBuffer>;
const tooLong = "1: addresses above 255 characters are not permitted";

it("refuses a target of more than 255 characters without asking the primary", async () => {
  const { push, failures, inFlight, liar, served } = await worker({ held: "may" });
  const before = await bytesInUse();
  const long = "a".repeat(30_000);
  await push(200, "direct-tcpip", tcp(long));
  await push(200, "direct-tcpip", tcp("short", long));
  await push(200, "direct-streamlocal@openssh.com", socket(`/${long}`));
  await expect.poll(() => failures).toHaveLength(600);
  expect([new Set(failures), inFlight]).toEqual([new Set([tooLong]), []]);
  expect((await bytesInUse()) - before).toBeLessThan(2 * MiB);
  liar.abort();
  await served;
});

it("asks the primary for a few permissions of a client at once, and refuses opens above its channels", async () => {
  const { push, failures, inFlight, release, host, liar, served } = await worker({
    held: "may",
    limits: { channels: 64 },
  });
  const before = await bytesInUse();
  await push(500, "direct-tcpip", tcp("a".repeat(255)));
  await expect.poll(() => failures).toHaveLength(500 - 64);
  expect(new Set(failures)).toEqual(new Set(["4: too many channels of this client"]));
  expect(inFlight).toHaveLength(8);
  expect((await bytesInUse()) - before).toBeLessThan(2 * MiB);
  failures.length = 0;
  release();
  await expect.poll(() => failures).toHaveLength(64);
  expect(new Set(failures)).toEqual(new Set(["1: permission denied"]));
  // The shares were returned.
  await push(64, "direct-tcpip", tcp("b"));
  await expect.poll(() => failures).toHaveLength(128);
  expect(new Set(failures)).toEqual(new Set(["1: permission denied"]));
  expect(host.clients).toHaveLength(1);
  liar.abort();
  await served;
});

it("connects to permitted targets, more at once than the primary is asked about", async () => {
  const { push, network, confirmations, release, liar, served } = await worker({
    held: "may",
    authorize: policy({ test: { password: "secret", permitOpen: ["db:80"] } }),
  });
  network.targets.set("db:80", () => {});
  await push(40, "direct-tcpip", tcp("db"));
  expect(confirmations).toEqual([]);
  release();
  await expect.poll(() => confirmations).toHaveLength(40);
  liar.abort();
  await served;
});

it("drops refusals that a slow primary cannot handle in time", async () => {
  const { push, failures, inFlight, liar, served } = await worker({ held: "refusal", limits: { channels: 0 } });
  await push(1500, "direct-tcpip", tcp("a"));
  await expect.poll(() => failures).toHaveLength(1500);
  expect(inFlight).toHaveLength(1024);
  liar.abort();
  await served;
});
