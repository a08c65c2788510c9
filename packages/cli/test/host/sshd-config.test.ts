import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { HostConfigError } from "../../src/host/sshd-config/config-error.ts";
import { keywords } from "../../src/host/sshd-config/keywords.ts";
import { listenPlaces } from "../../src/host/sshd-config/listen-places.ts";
import { type MatchSubject, matchesUser } from "../../src/host/sshd-config/match.ts";
import { readSshdConfig, type Settings, type SshdConfig } from "../../src/host/sshd-config/parse.ts";
import { permissionsOf } from "../../src/host/sshd-config/permissions.ts";
import { printSettings } from "../../src/host/sshd-config/print.ts";
import { splitArguments } from "../../src/host/sshd-config/read-line.ts";
import { wordsOf } from "../../src/host/sshd-config/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "postern-sshd-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

const file = join(folder, "sshd_config");
const write = (text: string, name = "sshd_config"): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const read = (text: string, settings: readonly string[] = [], ports: readonly number[] = []): SshdConfig =>
  readSshdConfig({ file: write(text), settings, ports });
const error = (text: string, settings: readonly string[] = []): HostConfigError => {
  try {
    read(text, settings);
  } catch (problem) {
    if (problem instanceof HostConfigError) return problem;
    throw problem;
  }
  throw new Error("expected an error, got none");
};
const subject: MatchSubject = {
  ...{ user: "ann", isInvalid: false, groups: ["staff"], host: "192.0.2.7", address: "192.0.2.7" },
  ...{ localAddress: "198.51.100.1", localPort: 2222 },
};
const lines = (settings: Settings, name: string): readonly string[] =>
  printSettings(settings, [])
    .split("\n")
    .filter((line) => line.startsWith(`${name} `));

describe("a configuration of sshd", () => {
  it("may write keywords in any case, with an equals sign, quotes and comments", () => {
    const { global } = read('\tDENYUSERS="a b"\n  denyusers = c # d\n#port 1\nPidFile "/a b"\n');
    expect(wordsOf(global, "DenyUsers")).toEqual(["a b", "c"]);
    expect(wordsOf(global, "PidFile")).toEqual(["/a b"]);
    expect(splitArguments(`a 'b "c' "d \\" e" f\\ g`)).toEqual(["a", 'b "c', 'd " e', "f g"]);
  });

  it("takes the first value, with the command line before the file, and adds up lists", () => {
    const text = "MaxAuthTries 3\nMaxAuthTries 4\nPort 22\nPort 2222\nAllowUsers a b\nAllowUsers c\n";
    const { global } = read(text, ["MaxAuthTries=2"]);
    expect(wordsOf(global, "MaxAuthTries")).toEqual(["2"]);
    expect(wordsOf(global, "Port")).toEqual(["22", "2222"]);
    expect(wordsOf(global, "AllowUsers")).toEqual(["a", "b", "c"]);
    expect(wordsOf(read(text, [], [4022]).global, "Port")).toEqual(["4022"]);
  });

  // The words are those of sshd 9.2, compared in integration/host-command.test.ts.
  it.each([
    [
      "Foo bar\nBar x",
      "FILE: line 1: Bad configuration option: Foo\nFILE: line 2: Bad configuration option: Bar\nFILE: terminating, 2 bad configuration options",
    ],
    ["Foo bar\nPort x", "FILE: line 1: Bad configuration option: Foo\nFILE line 2: Badly formatted port number."],
    ["Port", 'FILE line 1: no argument after keyword "Port"\nFILE: terminating, 1 bad configuration options'],
    ["PubkeyAuthentication maybe", 'FILE line 1: unsupported option "maybe".'],
    ["Ciphers foo", "FILE line 1: Bad SSH2 cipher spec 'foo'."],
    ["LogLevel foo", "FILE line 1: unsupported log level 'foo'"],
    ["LoginGraceTime foo", "FILE line 1: invalid time value."],
    ["MaxStartups foo", "FILE line 1: Invalid MaxStartups spec."],
    ["MaxAuthTries foo", "FILE line 1: MaxAuthTries integer value invalid."],
    [
      "Port 22 33",
      "FILE line 1: keyword Port extra arguments at end of line\nFILE: terminating, 1 bad configuration options",
    ],
    ["Match User foo\nPort 33", "FILE line 2: Directive 'Port' is not allowed within a Match block"],
    ["PermitOpen foo", "FILE line 1: PermitOpen bad port number"],
    ["AuthorizedKeysCommand /bin/x", "FILE line 1: unsupported option AuthorizedKeysCommand: commands are not run."],
  ])("refuses %j in the words of sshd", (text, message) => {
    expect(error(text).message.replaceAll(file, "FILE")).toBe(message);
  });

  it("is refused with status 1 for a wrong option of the command line, or if the file is missing", () => {
    expect(error("", ["Foo bar"])).toMatchObject({
      status: 1,
      message: "command-line: line 0: Bad configuration option: Foo",
    });
    const missing = join(folder, "missing");
    expect(() => readSshdConfig({ file: missing, settings: [] })).toThrow(`${missing}: No such file or directory`);
    expect(error("Foo bar").status).toBe(255);
  });

  it("accepts keywords without effect, and says so", () => {
    const { notes } = read("UsePAM yes\nUseLogin no\nProtocol 2\nSubsystem sftp internal-sftp\nPermitTTY no");
    expect(notes.map(({ level, text }) => `${level} ${text.replace(file, "FILE")}`)).toEqual([
      "DEBUG1 FILE line 1: UsePAM has no effect: PAM is native code",
      "INFO FILE line 2: Deprecated option UseLogin",
      "DEBUG1 FILE line 3: Deprecated option Protocol",
      "DEBUG1 FILE line 4: Subsystem has no effect: subsystems are refused",
      "DEBUG1 FILE line 5: PermitTTY has no effect: a session only prints the ports",
    ]);
  });

  it("includes files in order, and ends their Match blocks with them", () => {
    write("Match User ann\nPermitOpen b:2\n", "10.conf");
    write("MaxSessions 3\n", "20.conf");
    const { global, settings } = read(`Include ${folder}/*.conf ${folder}/none\nMaxSessions 4\nPermitOpen a:1\n`);
    expect(wordsOf(global, "MaxSessions")).toEqual(["3"]);
    expect(wordsOf(global, "PermitOpen")).toEqual(["a:1"]);
    expect(wordsOf(settings(subject), "PermitOpen")).toEqual(["b:2"]);
    write(`Include ${folder}/20.conf`, "20.conf");
    expect(error(`Include ${folder}/20.conf`).message).toContain("Too many recursive configuration includes");
    rmSync(join(folder, "20.conf"));
  });
});

describe("a Match block", () => {
  it("of a file that another block includes needs the conditions of both, as in sshd", () => {
    write("Match Address 192.0.2.0/24\nAllowTcpForwarding yes\n", "inner.conf");
    const { settings } = read(
      `AllowTcpForwarding no\nMatch User bob\nInclude ${folder}/inner.conf\nMatch LocalPort 22\nMaxSessions 1\n`,
    );
    const forwarding = (more: object): readonly string[] =>
      wordsOf(settings({ ...subject, ...more }), "AllowTcpForwarding");
    expect(forwarding({ user: "bob" })).toEqual(["yes"]);
    expect(forwarding({})).toEqual(["no"]);
    expect(forwarding({ user: "bob", address: "198.51.100.9" })).toEqual(["no"]);
    expect(wordsOf(settings({ ...subject, localPort: 22 }), "MaxSessions")).toEqual(["1"]);
    rmSync(join(folder, "inner.conf"));
  });

  it.each([
    ["User ann", true],
    ["User bob,a*", true],
    ["User a*,!ann", false],
    ["user=ann address=192.0.2.0/24", true],
    ["Address 192.0.2.0/24,!192.0.2.7", false],
    ["Group staff", true],
    ["Group wheel", false],
    ["LocalPort 2222 LocalAddress 198.51.100.1", true],
    ["LocalPort 22", false],
    ["All", true],
    ["Invalid-User", false],
  ])("%s applies: %s", (conditions, applies) => {
    const { settings } = read(`MaxSessions 1\nMatch ${conditions}\nMaxSessions 2\n`);
    expect(wordsOf(settings(subject), "MaxSessions")).toEqual([applies ? "2" : "1"]);
  });

  it.each([
    ["Match User", "Missing Match criteria for User\nFILE line 1: Bad Match condition"],
    ["Match Foo a", "Unsupported Match attribute Foo\nFILE line 1: Bad Match condition"],
    ["Match All User a", "'all' cannot be combined with other Match attributes\nFILE line 1: Bad Match condition"],
  ])("%j is refused", (text, message) => {
    expect(error(text).message.replaceAll(file, "FILE")).toContain(message);
  });

  it("is replaced by a later one only for other keywords: the first that matches counts", () => {
    const { settings } = read("Match User ann\nPermitOpen a:1\nMatch All\nPermitOpen b:2\nMaxSessions 2\n");
    expect(wordsOf(settings(subject), "PermitOpen")).toEqual(["a:1"]);
    expect(wordsOf(settings(subject), "MaxSessions")).toEqual(["2"]);
  });
});

describe("the values of a configuration", () => {
  it("are refused if a pattern of users has a network that no address is in", () => {
    const message = 'line 1: invalid DenyUsers pattern: "ann@192.0.2.7/24"';
    expect(error("DenyUsers ann@192.0.2.7/24").message).toContain(message);
    expect(error("AllowUsers ann ann@a,,b").message).toContain("invalid AllowUsers pattern");
  });

  it("compare users with addresses after an @", () => {
    expect(matchesUser("ann", subject)).toBe(true);
    expect(matchesUser("ann@192.0.2.0/24", subject)).toBe(true);
    expect(matchesUser("*@198.*", subject)).toBe(false);
  });

  it("listen on each port of each address, in the family", () => {
    const places = (text: string): readonly string[] =>
      listenPlaces(read(text).global).map(({ host, port }) => `${host} ${port}`);
    expect(places("")).toEqual([":: 22", "0.0.0.0 22"]);
    expect(places("ListenAddress 127.0.0.1\nListenAddress [::1]:33\nPort 1\nPort 2")).toEqual([
      "127.0.0.1 1",
      "127.0.0.1 2",
      "::1 33",
    ]);
    expect(places("AddressFamily inet\nListenAddress ::1\nListenAddress 127.0.0.1")).toEqual(["127.0.0.1 22"]);
  });

  it.each([
    ["", ["*:*", "/**"], ["*:*", "/**"]],
    ["AllowTcpForwarding local\nAllowStreamLocalForwarding no", [], ["*:*"]],
    ["AllowTcpForwarding remote\nAllowStreamLocalForwarding no", ["*:*"], []],
    ["AllowStreamLocalForwarding remote\nPermitOpen none\nPermitListen 80 [::1]:81", ["*:80", "[::1]:81", "/**"], []],
    ["DisableForwarding yes", [], []],
  ])("permit forwardings: %j", (text, permitListen, permitOpen) => {
    expect(permissionsOf(read(text).global, 1000, 1000)).toMatchObject({ permitListen, permitOpen, lowestPort: 1024 });
    expect(permissionsOf(read(text).global, 0).lowestPort).toBe(0);
  });

  it("permit no UNIX sockets to another user than that of the host, which would open them as itself", () => {
    const permitted = permissionsOf(read("AllowStreamLocalForwarding yes").global, 1000, 0);
    expect(permitted).toMatchObject({ permitListen: ["*:*"], permitOpen: ["*:*"] });
  });

  it("are printed with their defaults, and with the algorithms that this host has", () => {
    const { global } = read(
      "Ciphers aes128-cbc,aes256-ctr\nRekeyLimit 1G 1h\nMaxStartups 5\nKexAlgorithms -*nistp*,diffie*\nPerSourcePenalties authfail:1m",
    );
    expect(lines(global, "ciphers")).toEqual(["ciphers aes256-ctr"]);
    const rsa = read("HostKeyAlgorithms ssh-rsa,ssh-dss").global;
    expect(lines(rsa, "hostkeyalgorithms")).toEqual(["hostkeyalgorithms rsa-sha2-512,rsa-sha2-256"]);
    expect(lines(global, "rekeylimit")).toEqual(["rekeylimit 1073741824 3600"]);
    expect(lines(global, "maxstartups")).toEqual(["maxstartups 5:30:5"]);
    expect(lines(global, "kexalgorithms")[0]).not.toMatch(/nistp|diffie/);
    expect(lines(global, "logingracetime")).toEqual(["logingracetime 120"]);
    expect(lines(global, "persourcepenalties")[0]).toMatch(/^persourcepenalties authfail:60 noauth:1 /);
  });

  it("are printed so that they mean the same when they are read again, as those of sshd -T", () => {
    for (const text of [
      "",
      "FingerprintHash md5\nPermitRootLogin NO\nCompression True\nGatewayPorts ClientSpecified",
    ]) {
      const printed = printSettings(read(text).global, []);
      expect(printSettings(read(printed).global, [])).toBe(printed);
    }
    expect(lines(read("FingerprintHash sha512").global, "fingerprinthash")).toEqual(["fingerprinthash SHA512"]);
  });

  it("have keywords with unique names", () => {
    const names = keywords.map(({ name }) => name.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
  });
});
