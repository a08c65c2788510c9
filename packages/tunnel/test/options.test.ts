/** What a tunnel and a forwarding may be told. */
import { describe, expect, it } from "vitest";
import { type ForwardingOptions, fingerprint, type TunnelOptions } from "../src/index.ts";
import { Rig, rejection } from "./rig.ts";

const rig = (options: object): Rig => new Rig(options as Partial<TunnelOptions>);
const misuse = (message: string | RegExp): unknown =>
  expect.objectContaining({
    name: "SshError",
    code: "misuse",
    message: typeof message === "string" ? message : expect.stringMatching(message),
  });

describe("options of a tunnel", () => {
  it.each([
    ["prot", "port"],
    ["Host", "host"],
    ["username", "user"],
    ["hostkey", "hostKey"],
    ["keepalive", "keepAlive"],
    ["logonTimeout", "logonTimeoutMs"],
    ["algorithm", "algorithms"],
  ])("that are misspelt are refused: %s names %s", (wrong, right) => {
    expect(() => rig({ [wrong]: 1 })).toThrow(
      misuse(`unknown option "${wrong}" of ReverseTunnel: did you mean "${right}"?`),
    );
  });

  it("that resemble nothing are refused without a guess", () => {
    expect(() => rig({ zzzzzzzzzzzz: 1 })).toThrow(misuse('unknown option "zzzzzzzzzzzz" of ReverseTunnel'));
  });

  it("inside options are checked too", () => {
    expect(() => rig({ algorithms: { cipher: [] } })).toThrow(
      misuse(/"cipher" of algorithms: did you mean "ciphers"\?/),
    );
    expect(() => rig({ rekey: { byte: 1 } })).toThrow(misuse(/"byte" of rekey: did you mean "bytes"\?/));
  });

  it.each([
    [{ host: "" }, 'expected host to be a non-empty string, got ""'],
    [{ host: 5 }, "expected host to be a non-empty string, got number"],
    [{ port: 0 }, "expected port to be from 1 to 65535, got 0"],
    [{ port: 65_536 }, "expected port to be from 1 to 65535, got 65536"],
    [{ port: "22" }, "expected port to be from 1 to 65535, got 22"],
    [{ user: "" }, /expected user to be/],
    [{ auth: [] }, /expected auth to hold at least one method/],
    [{ auth: "secret" }, /expected auth to hold/],
    [{ auth: ["secret"] }, /expected auth to hold methods/],
    [{ auth: [undefined] }, /expected auth to hold methods/],
    [{ hostKey: undefined }, /expected hostKey to say whom to trust/],
    [{ hostKey: "SHA256:x" }, /expected hostKey to say whom to trust/],
    [{ logonTimeoutMs: 0 }, /expected logonTimeoutMs/],
    [{ targetTimeoutMs: Number.NaN }, /expected targetTimeoutMs/],
  ])("%j: %s", (options, message) => {
    expect(() => rig(options)).toThrow(misuse(message));
  });

  it("are an object", () => {
    for (const none of [undefined, null, 5])
      expect(() => Reflect.construct(new Rig().tunnel.constructor, [none, {}])).toThrow(
        misuse(/expected options of ReverseTunnel/),
      );
  });

  it("a fingerprint that is none is refused before anything is dialled", () => {
    for (const text of ["", "SHA256:", "MD5:00:11", "uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"]) {
      expect(() => fingerprint(text)).toThrow(expect.objectContaining({ code: "key" }));
    }
  });
});

describe("options of a forwarding", () => {
  it.each([
    [{ prot: 80 }, /unknown option "prot" of requestForwarding: did you mean "port"\?/],
    [{ port: -1 }, "expected port to be from 0 to 65535, got -1"],
    [{ port: 80.5 }, /expected port/],
    [{}, /expected port to be from 0 to 65535, got undefined/],
    [{ port: 80, address: 7 }, "expected address to be a string, got number"],
    [{ port: 80, target: { host: "x" } }, /expected target.port/],
    [{ port: 80, target: { host: "", port: 1 } }, /expected target.host/],
    [{ port: 80, target: { host: "x", port: 0 } }, "expected target.port to be from 1 to 65535, got 0"],
    [{ port: 80, target: { hots: "x", port: 1 } }, /"hots" of target: did you mean "host"\?/],
    [{ port: 80, target: "x:1" }, /expected options of target/],
    [{ port: 80, onOpen: true }, "expected onOpen to be a function, got boolean"],
    [{ port: 80, onOpenTimeoutMs: 0 }, "expected onOpenTimeoutMs to be a number from 1 on, got 0"],
    [{ port: 80, onOpenTimeoutMs: Number.NaN }, "expected onOpenTimeoutMs to be a number from 1 on, got NaN"],
  ])("%j: %s", async (options, message) => {
    expect(await rejection(new Rig().tunnel.requestForwarding(options as ForwardingOptions))).toEqual(misuse(message));
  });

  it("on a tunnel that is not open are refused", async () => {
    expect(await rejection(new Rig().tunnel.requestForwarding({ port: 80 }))).toMatchObject({ code: "closed" });
  });
});
