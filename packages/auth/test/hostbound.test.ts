/** publickey-hostbound-v00@openssh.com on both sides, and queries of keys (OpenSSH PROTOCOL; RFC 4252 section 7). */
import { modernAlgorithms, parsePrivateKey, signer } from "@postern/noble";
import { testHostKeyText } from "@postern/testkit";
import {
  type Bytes,
  concat,
  HOSTBOUND_METHOD,
  HostboundProof,
  HostboundQuery,
  PublickeyProof,
  PublickeyQuery,
  ServiceRequest,
  UserauthFailure,
  UserauthPkOk,
  UserauthRequest,
  UserauthSuccess,
  utf8,
  Writer,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import { AuthServerMachine, publickey } from "../src/index.ts";
import { context, payloadOf } from "./context.ts";

const key = signer(parsePrivateKey(testHostKeyText));
const { publicKey } = key;
const algorithm = "ssh-ed25519";
const pkOk = UserauthPkOk.encode({ algorithm, publicKey });
const refusal = UserauthFailure.encode({ canContinue: ["publickey"], partialSuccess: false });

/** A server with the host key of the context. It accepts `key` and nothing else. */
function server(hostKey = context.hostKey): { readonly receive: (payload: Bytes) => Bytes | undefined } {
  const sent: Bytes[] = [];
  const sink = { writable: true, send: (payload: Bytes) => void sent.push(payload) };
  const machine = new AuthServerMachine({
    sink,
    methods: ["publickey"],
    algorithms: modernAlgorithms.hostKeys,
    banner: undefined,
  });
  machine.start(context.sessionId, hostKey);
  machine.receive(ServiceRequest.encode({ service: "ssh-userauth" }));
  return {
    receive(payload) {
      machine.receive(payload);
      for (let event = machine.next(); event !== undefined; event = machine.next()) {
        if (event.type === "attempt") machine.decide(event.attempt.method === "publickey");
      }
      return sent.at(-1);
    },
  };
}

async function next(dialog: ReturnType<ReturnType<typeof publickey>["begin"]>, answer?: Bytes): Promise<Bytes> {
  return payloadOf(await dialog.next(answer));
}

describe("publickey", () => {
  it("uses the method publickey unless the server has offered the other one", async () => {
    const request = UserauthRequest.decode(await next(publickey(key).begin(context)));
    expect(request.method).toBe("publickey");
    expect(PublickeyProof.decode(request.specificData)).toMatchObject({ hasSignature: true, algorithm });
  });

  it("signs the server's host key if the server has offered that (OpenSSH PROTOCOL)", async () => {
    const payload = await next(publickey(key).begin({ ...context, hostbound: true }));
    const { method, specificData } = UserauthRequest.decode(payload);
    expect(method).toBe(HOSTBOUND_METHOD);
    const { signature, ...fields } = HostboundProof.decode(specificData);
    expect(fields).toEqual({ hasSignature: true, algorithm, publicKey, hostKey: context.hostKey });
    const signed = payload.subarray(0, payload.length - 4 - signature.length);
    const data = new Writer().string(context.sessionId).raw(signed).finish();
    const verifier = modernAlgorithms.hostKeys.find(({ name }) => name === algorithm);
    expect(verifier?.verify(publicKey, data, signature)).toBe(true);
  });

  it("queries first if asked to, and signs only after PK_OK for its key (RFC 4252 section 7)", async () => {
    for (const hostbound of [false, true]) {
      let signatures = 0;
      const sign = (data: Bytes, name: string): Bytes | Promise<Bytes> => {
        signatures++;
        return key.sign(data, name);
      };
      const counting = { ...key, sign };
      const method = publickey(counting, { query: true, label: "publickey of a test" });
      expect(method).toMatchObject({ oneRequest: false, label: "publickey of a test" });
      const dialog = method.begin({ ...context, hostbound });
      const query = UserauthRequest.decode(await next(dialog));
      const fields = (hostbound ? HostboundQuery : PublickeyQuery).decode(query.specificData);
      expect(fields).toMatchObject({ hasSignature: false, algorithm, publicKey });
      expect(signatures).toBe(0);
      expect(UserauthRequest.decode(await next(dialog, pkOk)).method).toBe(query.method);
      expect(signatures).toBe(1);
      await expect(next(dialog, pkOk)).rejects.toMatchObject({ code: "protocol" });
    }
  });

  it("does not sign for an answer about another key, or for one that it did not ask for", async () => {
    const other = UserauthPkOk.encode({ algorithm, publicKey: utf8("another") });
    const queried = publickey(key, { query: true }).begin(context);
    await next(queried);
    await expect(next(queried, other)).rejects.toMatchObject({ code: "protocol" });
    await expect(next(publickey(key).begin(context), pkOk)).rejects.toMatchObject({ code: "protocol" });
  });

  it("chooses the algorithm of a certificate by that of its key in server-sig-algs", async () => {
    const algorithms = ["rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com"];
    const sk = ["x", "sk-ssh-ed25519-cert-v01@openssh.com"];
    for (const [names, serverAlgorithms, chosen] of [
      [algorithms, ["ssh-ed25519", "rsa-sha2-256"], algorithms[1]],
      [algorithms, ["ssh-ed25519"], algorithms[0]],
      [sk, ["sk-ssh-ed25519@openssh.com"], sk[1]],
    ] as const) {
      const used: string[] = [];
      const sign = (_: Bytes, name: string): Bytes => {
        used.push(name);
        return utf8("signature");
      };
      await next(publickey({ publicKey, algorithms: names, sign }).begin({ ...context, serverAlgorithms }));
      expect(used).toEqual([chosen]);
    }
  });
});

describe("a server", () => {
  it("accepts a query and a login that contain its host key", async () => {
    const dialog = publickey(key, { query: true }).begin({ ...context, hostbound: true });
    const ours = server();
    expect(ours.receive(await next(dialog))).toEqual(pkOk);
    expect(ours.receive(await next(dialog, pkOk))).toEqual(UserauthSuccess.encode({}));
  });

  it("disconnects a client that signed another host key", async () => {
    for (const query of [false, true]) {
      const payload = await next(publickey(key, { query }).begin({ ...context, hostbound: true }));
      expect(() => server(utf8("another host key")).receive(payload)).toThrow(
        expect.objectContaining({ code: "protocol" }),
      );
    }
  });

  it("refuses a signature of one method in the other", async () => {
    const bound = await next(publickey(key).begin({ ...context, hostbound: true }));
    const plain = await next(publickey(key).begin(context));
    const hostbound = HostboundProof.decode(UserauthRequest.decode(bound).specificData);
    const { signature } = PublickeyProof.decode(UserauthRequest.decode(plain).specificData);
    const base = { user: "test", service: "ssh-connection" };
    const swapped = [
      UserauthRequest.encode({ ...base, method: "publickey", specificData: PublickeyProof.encode(hostbound) }),
      UserauthRequest.encode({
        ...base,
        method: HOSTBOUND_METHOD,
        specificData: HostboundProof.encode({ ...hostbound, signature }),
      }),
    ];
    for (const payload of swapped) expect(server().receive(payload)).toEqual(refusal);
    expect(server().receive(bound)).toEqual(UserauthSuccess.encode({}));
    expect(server().receive(plain)).toEqual(UserauthSuccess.encode({}));
  });

  it("refuses a request that lacks the host key or has surplus bytes", async () => {
    const bound = await next(publickey(key).begin({ ...context, hostbound: true }));
    for (const payload of [bound.subarray(0, -70), concat(bound, utf8("x"))]) {
      expect(() => server().receive(payload)).toThrow(expect.objectContaining({ code: "protocol" }));
    }
  });
});
