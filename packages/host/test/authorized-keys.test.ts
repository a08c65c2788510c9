import { parsePublicKey } from "@postern/keys";
import { compatibleAlgorithms } from "@postern/noble";
import { toBase64, Writer } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { userKeyTypes } from "../src/authorized-keys.ts";
import { authorizedKeys } from "../src/index.ts";
import { parseTime } from "../src/key-options.ts";
import { grantsOf } from "../src/permissions.ts";

/** Keys generated for these tests. */
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIINHbWofCGK8A6Dlbvf8crnLpqr14HCMntUGL64eyfxz";
const other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
const { blob } = parsePublicKey(key);

const grants = (line: string, use: { host?: string; time?: number } = {}) => {
  const permissions = authorizedKeys(line).permissions(blob, use);
  return permissions && grantsOf(permissions);
};

describe("authorizedKeys", () => {
  it("reads keys between comments and blank lines, with any line ends", () => {
    const keys = authorizedKeys(`# mine\r\n\r\n  ${key} me@laptop\r\n\t# more\n${other}\n`);
    expect(keys).toMatchObject({ size: 2, refused: [] });
    expect(keys.permissions(blob)).toEqual({ permitListen: undefined, permitOpen: undefined });
    expect(keys.permissions(blob.map((byte) => byte ^ 1))).toBeUndefined();
  });

  // [options, address, port, may listen], as in sshd: sshd(8), and remote_open_match.
  it.each([
    ["", "localhost", 8080, true],
    ['permitlisten="8080" ', "localhost", 8080, true],
    ['permitlisten="8080" ', "0.0.0.0", 8080, true],
    ['permitlisten="8080" ', "localhost", 8081, false],
    ['permitlisten="8080" ', "localhost", 0, false],
    ['permitlisten="localhost:8080" ', "localhost", 8080, true],
    ['permitlisten="localhost:8080" ', "LOCALHOST", 8080, true],
    ['permitlisten="localhost:8080" ', "127.0.0.1", 8080, false],
    ['permitlisten="localhost:8080" ', "", 8080, false],
    ['permitlisten="localhost:*" ', "localhost", 0, true],
    ['permitlisten="*:*" ', "", 0, true],
    ['permitlisten="[::1]:8080" ', "::1", 8080, true],
    ['permitlisten="[::1]:8080" ', "::2", 8080, false],
    ['permitlisten="*.example.com:80" ', "www.example.com", 80, true],
    ['permitlisten="8080",permitlisten="localhost:9090" ', "localhost", 9090, true],
    ["no-port-forwarding ", "localhost", 8080, false],
    ["restrict ", "localhost", 8080, false],
    ["restrict,port-forwarding ", "localhost", 8080, true],
    ["port-forwarding,restrict ", "localhost", 8080, false],
    ['restrict,port-forwarding,permitlisten="8080" ', "localhost", 9090, false],
    ["RESTRICT ", "localhost", 8080, false],
    [
      'no-pty,no-agent-forwarding,no-X11-forwarding,no-user-rc,command="echo \\"hi, there\\"" ',
      "localhost",
      8080,
      true,
    ],
  ])("applies %s to listening on %s port %d: %s", (options, address, port, allowed) => {
    expect(grants(`${options}${key} comment`)?.mayListen(address, port)).toBe(allowed);
  });

  it.each([
    ['permitopen="db.example.com:5432" ', "db.example.com", 5432, true],
    ['permitopen="db.example.com:5432" ', "db.example.com", 5433, false],
    ['permitopen="*:5432" ', "other.example.com", 5432, true],
    ['permitopen="db.example.com:*" ', "db.example.com", 1, true],
    // sshd(8): "No pattern matching … is performed on the specified hostnames".
    ['permitopen="*.example.com:5432" ', "db.example.com", 5432, false],
    ['permitopen="[2001:db8::1]:22" ', "2001:db8::1", 22, true],
    ['permitopen="*:*",no-port-forwarding ', "db.example.com", 5432, false],
  ])("applies %s to connecting to %s port %d: %s", (options, host, port, allowed) => {
    expect(grants(`${options}${key}`)?.mayOpen(host, port)).toBe(allowed);
  });

  it.each([
    ['from="192.0.2.0/24,!192.0.2.9" ', "192.0.2.1", true],
    ['from="192.0.2.0/24,!192.0.2.9" ', "192.0.2.9", false],
    ['from="192.0.2.*" ', "192.0.2.1", true],
    ['from="192.0.2.1" ', undefined, false],
  ])("applies %s to a client at %s: %s", (options, host, allowed) => {
    expect(grants(`${options}${key}`, host === undefined ? {} : { host }) !== undefined).toBe(allowed);
  });

  it.each([
    ['expiry-time="20300101Z" ', Date.UTC(2030, 0, 1), true],
    ['expiry-time="20300101Z" ', Date.UTC(2030, 0, 1) + 1, false],
    ['expiry-time="203001011230Z",expiry-time="20400101Z" ', Date.UTC(2030, 0, 1, 12, 31), false],
  ])("applies %s at %d: %s", (options, time, allowed) => {
    expect(grants(`${options}${key}`, { time }) !== undefined).toBe(allowed);
  });

  it.each([
    ["20300102", new Date(2030, 0, 2).getTime()],
    ["20300102Z", Date.UTC(2030, 0, 2)],
    ["203001021304", new Date(2030, 0, 2, 13, 4).getTime()],
    ["20300102130405z", Date.UTC(2030, 0, 2, 13, 4, 5)],
    ["20300102UTC", Date.UTC(2030, 0, 2)],
  ])("reads the time %s", (text, time) => expect(parseTime(text)).toBe(time));

  it.each([
    "magic",
    "no-magic",
    'principals="me"',
    'cert-authority,principals=""',
    'cert-authority,principals="a,,b"',
    'cert-authority,principals="a",principals="b"',
    "permitlisten=8080",
    'permitlisten="eighty"',
    'permitlisten="localhost:0"',
    'permitlisten="localhost:65536"',
    'permitopen="5432"',
    'from="192.0.2.1/24"',
    'from=""',
    'from="a",from="b"',
    'expiry-time="tomorrow"',
    'expiry-time="20301301"',
    'expiry-time=""',
    "restrict,",
    'permitlisten="/run/tunnels/victim:1"',
    'permitopen="/run/docker.sock:1"',
    "restrict;port-forwarding",
    'command="unfinished',
    'command="unfinished\\"',
  ])("refuses a key with %s", (options) => {
    const keys = authorizedKeys(`${other}\n${options} ${key}`);
    expect(keys.permissions(blob)).toBeUndefined();
    expect(keys.size).toBe(1);
    expect(keys.refused).toEqual([{ line: 2, reason: expect.any(String) }]);
  });

  it.each([
    ["ssh-ed25519-cert-v01@openssh.com", "a certificate"],
    ["ssh-dss", "DSA"],
  ])("refuses %s, a type of key that users cannot log in with", (type) => {
    const blob = new Writer().text(type).string(new Uint8Array(32)).finish();
    for (const options of ["", "restrict,port-forwarding "]) {
      const keys = authorizedKeys(`${options}${type} ${toBase64(blob)} me@laptop`);
      expect(keys.size).toBe(0);
      expect(keys.permissions(blob)).toBeUndefined();
      expect(keys.refused).toEqual([{ line: 1, reason: expect.stringContaining(`got "${type}"`) }]);
    }
  });

  it.each([
    [1024, false],
    [2048, true],
    [8192, true],
    [16_384, false],
  ])("accepts an RSA key of %d bits: %s", (bits, taken) => {
    const modulus = new Uint8Array(bits / 8).fill(0xff);
    const rsa = new Writer()
      .text("ssh-rsa")
      .mpint(Uint8Array.of(1, 0, 1))
      .mpint(modulus)
      .finish();
    expect(authorizedKeys(`ssh-rsa ${toBase64(rsa)}`)).toMatchObject(
      taken ? { size: 1, refused: [] } : { size: 0, refused: [{ line: 1, reason: expect.stringMatching(/bits/) }] },
    );
  });

  it("accepts every key type that an algorithm supports", () => {
    for (const { keyType } of compatibleAlgorithms.hostKeys) expect(userKeyTypes).toContain(keyType);
  });

  it("uses the first line of a key whose conditions hold", () => {
    const keys = authorizedKeys(`from="192.0.2.1" ${key}\npermitlisten="8080" ${key}`);
    expect(keys.permissions(blob, { host: "192.0.2.1" })?.permitListen).toBeUndefined();
    expect(keys.permissions(blob, { host: "192.0.2.2" })?.permitListen).toEqual(["8080"]);
  });

  it("reads a key that is repeated n times in O(n) steps", () => {
    const steps = (lines: number): number => {
      let count = 0;
      const iterate = Array.prototype[Symbol.iterator];
      // Spreading a list takes one iterator step per element.
      Array.prototype[Symbol.iterator] = function (this: unknown[]) {
        count += this.length;
        return iterate.call(this);
      };
      try {
        expect(authorizedKeys(`${key}\n`.repeat(lines)).size).toBe(lines);
      } finally {
        Array.prototype[Symbol.iterator] = iterate;
      }
      return count;
    };
    expect(steps(1000)).toBeLessThan(3 * steps(500));
  });
});
