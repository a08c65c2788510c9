/**
 * Writes docs/options.md and docs/events.md from the doc comments of the sources, and docs/command-options.md and the
 * man page from the descriptions of the commands. `--check` only compares. All are committed, so that they can be read
 * in the repository.
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandPages } from "./lib/command-pages.mjs";
import { declarationsOf, oneLine } from "./lib/docstrings.mjs";
import { root } from "./lib/run.mjs";

/** The option objects, in the order of the page, and the defaults that the doc comments do not state. */
const optionGroups = /** @type {[string, string, string, (string | Record<string, string>)?][]} */ ([
  [
    "`new ReverseTunnel(options)`",
    "tunnel/src/options.ts",
    "TunnelOptions",
    { hostKey: "required; in `@postern/node` `knownHosts()`" },
  ],
  [
    "`reconnect`, an option of a tunnel",
    "tunnel/src/reconnect.ts",
    "ReconnectOptions",
    { mode: "`established`", backoff: "see below" },
  ],
  ["`reconnect.backoff`", "tunnel/src/reconnect.ts", "BackoffOptions"],
  [
    "`keepAlive`, an option of a tunnel",
    "ssh/src/keepalive.ts",
    "KeepAliveOptions",
    { intervalMs: "30 s", countMax: "5" },
  ],
  [
    "`session`, an option of a tunnel, and `openSession(connection, options)`",
    "ssh/src/session-requests.ts",
    "SessionProgram",
  ],
  ["`openSession(connection, options)`, besides", "ssh/src/session.ts", "OpenSessionOptions"],
  ["`session.pty`", "ssh/src/session-requests.ts", "PtyOptions"],
  ["`hostedService(options)`", "tunnel/src/hosted-session.ts", "ServiceProfile"],
  ["`pinggy(options)`", "tunnel/src/services.ts", "PinggyOptions"],
  ["`sish(options)`", "tunnel/src/services.ts", "SishOptions"],
  ["`ngrok(options)`", "tunnel/src/services.ts", "NgrokOptions"],
  ["`frp(options)`", "tunnel/src/services.ts", "FrpOptions"],
  ["`via`, jump hosts of a tunnel", "tunnel/src/options.ts", "JumpHost"],
  ["`new ReverseTunnel(options)` of `@postern/node`", "node/src/reverse-tunnel.ts", "NodeTunnelOptions"],
  ["`new ReverseTunnel(options)` of `@postern/web`", "web/src/reverse-tunnel.ts", "WebTunnelOptions"],
  ["`tunnel.forward(options)` and `tunnel.listen(options)`", "tunnel/src/options.ts", "RequestOptions"],
  ["`tunnel.forward(options)`, besides", "tunnel/src/options.ts", "ForwardOptions"],
  ["`tunnel.forward(options)` of `@postern/node`, besides", "node/src/reverse-tunnel.ts", "NodeForwardOptions"],
  ["`limits`, an option of a forwarding", "tunnel/src/visitor-limits.ts", "ForwardingLimits"],
  ["`tunnel.listen(options)`, besides", "tunnel/src/options.ts", "ListenOptions"],
  ["`tunnel.forwardLocal(options)` and `tunnel.socks(options)`", "tunnel/src/local-options.ts", "LocalListenOptions"],
  ["`tunnel.forwardLocal(options)`, besides", "tunnel/src/local-options.ts", "ForwardLocalOptions"],
  ["`tunnel.close(options)`", "tunnel/src/options.ts", "CloseOptions"],
  ["`password(secret, options)`", "auth/src/methods/password.ts", "PasswordOptions"],
  ["`privateKey(file, options)`", "keys/src/key-reader.ts", "ReadPrivateKeyOptions"],
  [
    "`privateKeyFile(path, options)`, besides",
    "node/src/private-key.ts",
    "PrivateKeyFileOptions",
    { allowOpenPermissions: "`false`" },
  ],
  ["`agent(options)`", "node/src/agent.ts", "AgentOptions"],
  ["`knownHosts(options)`", "tunnel/src/known-hosts-options.ts", "KnownHostsOptions"],
  ["`socks5(options)`, `httpConnect(options)`", "ssh/src/proxy/proxy-server.ts", "ProxyOptions"],
  ["`httpConnect(options)` of `@postern/node`, besides", "node/src/proxy.ts", "HttpConnectOptions"],
  ["`dialPipe(target, options)`", "node/src/dial.ts", "DialOptions"],
  ["`commandPipe(command, args, options)`", "node/src/command.ts", "CommandPipeOptions"],
  ["`dialPipe(target, options)`", "node/src/dial.ts", "DialOptions"],
  ["`webSocketPipe(url, options)`", "web/src/websocket.ts", "WebSocketPipeOptions"],
  ["`fromSshConfig(host, options)`", "node/src/ssh-config/from-ssh-config.ts", "FromSshConfigOptions"],
  ["`fromSshConfig(host, options)`, secrets", "node/src/ssh-config/login-methods.ts", "SshConfigSecrets"],
  ["`fromSshConfig(host, options)`, files", "node/src/ssh-config/resolve.ts", "ResolveSshConfigOptions"],
  ["`serve(listener, handler, options)`", "http/src/options.ts", "ServeOptions"],
  ["`attach(listener, server, options)`", "node/src/attach.ts", "AttachOptions"],
  ["`new TunnelHost(options)`", "host/src/options.ts", "TunnelHostOptions"],
  ["`new TunnelHost(options)` of `@postern/node`, besides", "node/src/host.ts", "NodeTunnelHostOptions"],
  ["`workers` of `@postern/node`", "node/src/host-workers.ts", "HostWorkersOptions"],
  ["`TunnelHost.listen(options)`, besides", "node/src/host.ts", "TunnelHostListenOptions"],
  ["`new TunnelHost(options)` of `@postern/web`, besides", "web/src/host.ts", "WebTunnelHostOptions"],
  ["`host.serve(pipe, options)`", "host/src/tunnel-host.ts", "ServeClientOptions"],
  ["`host.close(options)`", "host/src/tunnel-host.ts", "CloseOptions"],
  ["`host.revoke(revocation)`", "host/src/revocations.ts", "Revocation"],
  ["`limits`, an option of a host", "host/src/limits.ts", "HostLimits", "defaultHostLimits"],
  ["`limits.penalties`", "host/src/limits.ts", "PenaltyLimits", "defaultHostLimits"],
  [
    "`generatePrivateKey(options)`",
    "keys/src/generate.ts",
    "GenerateOptions",
    { bits: "256 for `ecdsa`, 3072 for `rsa`" },
  ],
  ["`rewritePrivateKey(file, options)`", "keys/src/rewrite.ts", "RewriteOptions"],
  [
    "`createCertificateSigner(signer, certificate, options)`",
    "keys/src/certificate-signer.ts",
    "CertificateSignerOptions",
  ],
]);

/** Types of the platforms without a table of their own. */
const others = new Set([
  // Others of the page under a second name, or a part of them.
  ...[
    "PrivateKeyOptions",
    "PlainGenerateOptions",
    "Socks5Options",
    "HostCloseOptions",
    "GivenHostLimits",
    "ReloadOptions",
  ],
  "LocalSocksOptions",
  // Of calls on a connection, below a tunnel.
  ...["ChannelLimits", "ChannelOptions", "OpenTcpOptions"],
  // Only a signal, or for programs with pipes of their own.
  ...["CallOptions", "StartOptions", "TypedListenerOptions"],
  // Not an argument of a call.
  ...["SshErrorOptions", "SshConfigTunnelOptions", "HttpServiceEvents"],
  // Of node:tls.
  "ConnectionOptions",
]);

/** Limits whose defaults are not written as a number. */
const adjusted = { penalties: "see below", attempts: "`6`", memory: "64 MiB", totalMemory: "2 GiB" };

const eventGroups = [
  ["Events of a `ReverseTunnel`", "tunnel/src/events.ts", "TunnelEvents"],
  ["Events of a `TunnelHost`", "host/src/events.ts", "HostEvents"],
  ["Events of an `HttpService`, which `serve` returns", "http/src/serve.ts", "HttpServiceEvents"],
];

const pages = { "docs/options.md": optionsPage(), "docs/events.md": eventsPage(), ...(await commandPages()) };
const missing = missingNames();
for (const name of missing) console.error(`scripts/generate-docs.mjs: expected a table of ${name}, got none`);
if (missing.length > 0) process.exitCode = 1;
const isCheck = process.argv.includes("--check");
const outdated = Object.entries(pages).filter(([file, text]) => readFileSync(join(root, file), "utf8") !== text);
if (isCheck) {
  for (const [file] of outdated)
    console.error(`${file}: expected the text of the sources: node scripts/generate-docs.mjs`);
  if (outdated.length > 0) process.exitCode = 1;
} else for (const [file, text] of outdated) writeFileSync(join(root, file), text);
const rows = Object.values(pages).join("\n").match(/^\| `/gm)?.length ?? 0;
console.log(`generate-docs: ${rows} options and events, ${outdated.length} pages ${isCheck ? "outdated" : "written"}`);

/** Returns the option types and event classes that a platform exports, and that are on neither page. */
function missingNames() {
  const known = new Set([...optionGroups.map(([, , name]) => name), ...others]);
  const text = Object.values(pages).join("\n");
  const exported = ["node", "web"].flatMap((platform) => {
    const index = readFileSync(join(root, "packages", platform, "src", "index.ts"), "utf8");
    return [...index.matchAll(/\b[A-Z]\w*(?:Options|Limits|Event)\b/g)].map(([name]) => name);
  });
  return [...new Set(exported)].filter((name) => !known.has(name) && !text.includes(`| \`${name}\` |`));
}

function optionsPage() {
  const parts = optionGroups.map(([title, file, name, defaults]) => {
    const { members, text } = find(file, name);
    if (members.length === 0) throw new Error(`${file}: expected members of ${name}, got none`);
    const values = typeof defaults === "string" ? { ...constantsOf(file, defaults), ...adjusted } : (defaults ?? {});
    const lines = members.map((member) => optionRow(member, values[member.name]));
    const note = oneLine(text) === "" ? "" : `\`${name}\`: ${oneLine(text)}\n\n`;
    return `## ${title}\n\n${note}| option | default | meaning |\n| --- | --- | --- |\n${lines.join("\n")}\n`;
  });
  return `# All options\n\n${intro("option of the calls that most programs use")}\n\n${parts.join("\n")}`;
}

function eventsPage() {
  const parts = eventGroups.map(([title, file, map]) => {
    const declarations = declarationsOf(root, join("packages", file));
    const lines = declarations.get(map).members.map(({ name, type }) => {
      const { text, members } = declarations.get(type);
      const properties = members.map((one) => `\`${one.name}\`${one.text === "" ? "" : `: ${oneLine(one.text)}`}`);
      return `| \`${name}\` | \`${type}\` | ${oneLine(text)} | ${properties.join("<br>")} |`;
    });
    return `## ${title}\n\n| event | class | when | properties |\n| --- | --- | --- | --- |\n${lines.join("\n")}\n`;
  });
  const more =
    "Events are notifications. No listener is required, and a listener that throws does not change the connection.\n" +
    "The names of events are checked by TypeScript.";
  return `# All events\n\n${intro("event")}\n${more}\n\n${parts.join("\n")}`;
}

function intro(noun) {
  return `This page lists every ${noun}.`;
}

function optionRow({ name, type, isOptional, text }, constant) {
  const { value, rest } = splitDefault(oneLine(text));
  const fallback = isOptional ? "none" : "required";
  const meaning = rest === "" ? `\`${type.replaceAll("|", "\\|")}\`` : rest;
  return `| \`${name}\` | ${constant ?? value ?? fallback} | ${meaning} |`;
}

/** Returns the default that a doc comment states, and the text without it if it is the end: `…; default 30 s`. */
function splitDefault(text) {
  const match = /(^|[;.:,] )[Dd]efault:? ((?:\d[\d,.]*\d|[^;.:`]|`[^`]*`)+)(?=[;:.]|$)\.?/.exec(text);
  if (match === null) return { value: undefined, rest: text };
  const [whole, sign, value] = match;
  const isEnd = match.index + whole.length === text.length;
  return { value, rest: isEnd ? `${text.slice(0, match.index)}${sign === ". " ? "." : ""}` : text };
}

function find(file, name) {
  const declaration = declarationsOf(root, join("packages", file)).get(name);
  if (declaration === undefined) throw new Error(`${file}: expected ${name}, got no such declaration`);
  return declaration;
}

/** Returns the numbers of an object literal, and of the objects in it, as they are written. */
function constantsOf(file, name) {
  const text = readFileSync(join(root, "packages", file), "utf8");
  const body = text.slice(text.indexOf(`const ${name}`));
  const end = body.indexOf("\n};");
  const entries = [...body.slice(0, end).matchAll(/^\s+(\w+): (\{ .* \}|[^{\n]+),$/gm)];
  return Object.fromEntries(entries.map(([, key, value]) => [key, `\`${value}\``]));
}
