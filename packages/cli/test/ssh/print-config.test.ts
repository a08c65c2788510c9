/** The output of -G, compared with that of the real ssh for the same command line. */
import { spawnSync } from "node:child_process";
import { resolveSshConfig } from "@postern/node";
import { createHome, loadFixtures, realHome, sshEnvironment } from "@postern/testkit/ssh-config";
import { afterAll, describe, expect, it } from "vitest";
import { parseSshCommandLine } from "../../src/ssh/command-line.ts";
import { printConfig } from "../../src/ssh/print-config.ts";

const world = createHome();
const { stderr: version } = spawnSync("ssh", ["-V"], { encoding: "utf8" });
const isReference = version?.startsWith("OpenSSH_9.2p1 Debian") === true;
if (!isReference) process.stdout.write(`-G is compared with Debian's OpenSSH 9.2 only; this is ${version}\n`);

/** They name what each program supports. */
const algorithmKeywords =
  /^(?:casignature|hostbasedaccepted|hostkey|kex|gssapikex|pubkeyaccepted)algorithms |^(?:ciphers|macs) /;

/** A command line for each keyword and form of a value, and for each flag with a keyword. */
const lines: readonly (readonly string[])[] = [
  "AddKeysToAgent=confirm 5m",
  "AddKeysToAgent=90",
  "AddKeysToAgent=ask",
  "AddressFamily=inet6",
  "BatchMode=yes",
  "BindInterface=lo",
  "CanonicalDomains=a.b c.d",
  "CanonicalizeFallbackLocal=no",
  "CanonicalizeMaxDots=3",
  "CanonicalizePermittedCNAMEs=none",
  "CertificateFile=~/a%h",
  "CheckHostIP=yes",
  "ClearAllForwardings=yes",
  "Compression=no",
  "ConnectionAttempts=4",
  "ConnectTimeout=5",
  "ControlMaster=autoask",
  "ControlMaster=false",
  "ControlPath=~/%C-%h-%p-%r-%n-%l-%L-%u-%i-%%",
  "ControlPath=none",
  "ControlPersist=5m",
  "ControlPersist=0",
  "ControlPersist=yes",
  "DynamicForward=*:1080",
  "EnableEscapeCommandline=yes",
  "EnableSSHKeysign=yes",
  "EscapeChar=^A",
  "EscapeChar=none",
  "EscapeChar=%",
  "FingerprintHash=md5",
  "ForwardAgent=yes",
  "ForwardAgent=/run/%i/x",
  "ForwardX11=yes",
  "ForwardX11Trusted=no",
  "ForwardX11Timeout=0",
  "GatewayPorts=yes",
  "GlobalKnownHostsFile=/a /b",
  "GlobalKnownHostsFile=none",
  "GSSAPIAuthentication=yes",
  "GSSAPIClientIdentity=x",
  "GSSAPIKeyExchange=yes",
  "HashKnownHosts=yes",
  "HostbasedAuthentication=yes",
  "HostKeyAlias=ABC",
  "HostName=%h.example",
  "IdentitiesOnly=yes",
  "IdentityAgent=none",
  "IdentityAgent=$SOCK",
  "IdentityFile=none",
  "IdentityFile=%d/id_%r",
  "IgnoreUnknown=a,b",
  "IPQoS=af21 0x20",
  "IPQoS=5",
  "IPQoS=0xb8 none",
  "KbdInteractiveAuthentication=no",
  "KbdInteractiveDevices=pam",
  "KnownHostsCommand=/bin/x %H",
  "LocalCommand=x %h",
  "LocalCommand=none",
  "LocalForward=[::1]:1 [::2]:2",
  "LogLevel=debug",
  "LogLevel=DEBUG1",
  "LogLevel=quiet",
  "LogVerbose=a:1 b:2",
  "NoHostAuthenticationForLocalhost=yes",
  "NumberOfPasswordPrompts=1",
  "PasswordAuthentication=no",
  "PermitLocalCommand=yes",
  "PermitRemoteOpen=a:1 [::1]:2",
  "PermitRemoteOpen=none",
  "PermitRemoteOpen=any",
  "PKCS11Provider=/a",
  "PreferredAuthentications=a,b",
  "ProxyCommand=nc %h 'a  b'",
  "ProxyCommand=none",
  "ProxyJump=u@h:5,x",
  "ProxyJump=1.2.3.4",
  "ProxyJump=none",
  "ProxyUseFdpass=yes",
  "PubkeyAuthentication=host-bound",
  "RekeyLimit=1G 1h",
  "RemoteCommand=ls %h",
  "RemoteForward=1080",
  "RemoteForward=/a /b%h",
  "RequestTTY=force",
  "RequiredRSASize=3072",
  "RevokedHostKeys=/r",
  "RevokedHostKeys=none",
  "SecurityKeyProvider=none",
  "SendEnv=A B*",
  "ServerAliveCountMax=9",
  "ServerAliveInterval=1m",
  "ServerAliveInterval=none",
  "SessionType=none",
  "SetEnv=A=b C=d",
  "StdinNull=yes",
  "StreamLocalBindMask=077",
  "StreamLocalBindUnlink=yes",
  "StrictHostKeyChecking=off",
  "StrictHostKeyChecking=accept-new",
  "SyslogFacility=local3",
  "TCPKeepAlive=no",
  "Tunnel=yes",
  "Tunnel=ethernet",
  "TunnelDevice=1:2",
  "TunnelDevice=3",
  "UpdateHostKeys=ask",
  "UserKnownHostsFile=none",
  "UserKnownHostsFile=/a ~/%h",
  "VerifyHostKeyDNS=ask",
  "VisualHostKey=yes",
  "XAuthLocation=none",
].map((line) => ["-o", line]);

const flags: readonly (readonly string[])[] = [
  "-p2222 -l me",
  "-l a b@h",
  "-4 -6",
  "-a -x -k",
  "-b 127.0.0.1 -B lo",
  "-D 1080 -L 1:a:2 -L [::1]:1:[::2]:2 -R 0:a:1 -R 1080",
  "-e ^B",
  "-e none",
  "-f -N",
  "-g -n -T",
  "-i /etc/passwd -i /nonexistent",
  "-J u@h:5,x",
  "-M",
  "-M -M",
  "-q",
  "-vv",
  "-q -v",
  "-S ~/s-%h",
  "-t",
  "-tt",
  "-W a:1",
  "-W a:1 -oExitOnForwardFailure=no -L 1:a:2",
  "-oPort=5 -p6",
  "-oForwardAgent=yes -a",
  "-oUser=foo -l bar baz@h",
].map((line) => line.split(" "));

describe.skipIf(!isReference)("printConfig", () => {
  afterAll(world.remove);

  it.each(loadFixtures().map((fixture) => [fixture.name, fixture] as const))(
    "prints the lines of ssh -G for %s",
    async (_name, { path, hosts, env, allowExec }) => {
      for (const host of hosts) await compare(["-F", path, host], env, allowExec);
    },
  );

  it.each([...lines, ...flags])("prints the lines of ssh -G for %s %s", async (...words) => {
    await compare(["-F", "none", ...words, ...(words.some((word) => word.endsWith("@h")) ? [] : ["h"])], {
      SOCK: "/s",
    });
  });

  it("prints a configuration that prints the same again", async () => {
    const first = await ours(["-F", "none", "-L", "1:a:2", "-D", "5", "-oSetEnv=A=1", "-J", "j", "h"]);
    const file = world.write("again", first.replace(/^host .*\n/, "").replace(/^obscure.*\n/m, ""));
    expect(await ours(["-F", file, "h"])).toBe(first);
  });

  it("changes lists of algorithms with +, -, ^ and wildcards", async () => {
    const list = async (keyword: string, value: string) => {
      const text = await ours(["-F", "none", "-o", `${keyword}=${value}`, "h"]);
      return new RegExp(`^${keyword} (.*)$`, "m").exec(text)?.[1]?.split(",") ?? [];
    };
    expect(await list("ciphers", "aes128-ctr,aes256-gcm@openssh.com")).toEqual([
      "aes128-ctr",
      "aes256-gcm@openssh.com",
    ]);
    expect((await list("macs", "^hmac-sha2-512"))[0]).toBe("hmac-sha2-512");
    expect(await list("kexalgorithms", "-diffie*")).not.toContain("diffie-hellman-group14-sha256");
    const keys = await list("pubkeyacceptedalgorithms", "-ssh-ed25519-cert*");
    expect(keys).toContain("ssh-ed25519");
    expect(keys.filter((name) => name.startsWith("ssh-ed25519-cert"))).toEqual([]);
    expect(await list("casignaturealgorithms", "+ssh-ed25519")).toContain("rsa-sha2-512");
  });
});

async function compare(args: readonly string[], env: Readonly<Record<string, string>>, allowExec = false) {
  const environment = sshEnvironment(world.home, env);
  const theirs = spawnSync("ssh", ["-G", ...args], { env: environment, encoding: "utf8" });
  expect(theirs.status).toBe(0);
  expect(comparable(await ours(args, environment, allowExec))).toEqual(comparable(theirs.stdout));
}

async function ours(args: readonly string[], env: Record<string, string> = {}, allowExec = false): Promise<string> {
  const { destination = "", configFile, settings, defaults, command = "" } = parseSshCommandLine(args);
  const file = configFile === undefined ? {} : { file: configFile };
  const options = { ...file, settings, defaults, command, env, home: world.home, allowExec };
  return printConfig(await resolveSshConfig(destination, options)).replaceAll(world.home, realHome);
}

/** ssh prints a LocalForward from a path to a path as a DynamicForward, too. */
function comparable(text: string): readonly string[] {
  return text.split("\n").filter((line) => !algorithmKeywords.test(line) && !/^dynamicforward .*\//.test(line));
}
