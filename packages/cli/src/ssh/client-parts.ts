/** The tunnel of a client, and what belongs to it, from the command line and its configuration. @module */
import {
  fromSshConfig,
  type HostKeyCheck,
  type ResolvedSshConfig,
  ReverseTunnel,
  type StateEvent,
} from "@postern/node";
import { maxTimerMs } from "@postern/wire";
import type { MuxForward } from "../mux/forward.ts";
import { createHostKeyReport, type Prompts } from "../terminal/index.ts";
import type { SshCommandLine } from "./command-line.ts";
import { createDebugTap } from "./debug-tap.ts";
import { createDialer, type Dialer } from "./dial.ts";
import { createForwarder, type Forwarder, forwardsOfConfig } from "./forwardings.ts";
import { createHostKeyUpdates, type HostKeyUpdates } from "./host-key-updates.ts";
import type { SshLog } from "./log.ts";
import type { MessageContext } from "./messages.ts";
import { type ClientSettings, configOptions, sessionEnvironment } from "./settings.ts";
import { withoutEffect } from "./unused-settings.ts";

/** A command line that is ready to run. */
export interface ClientPlan {
  readonly line: SshCommandLine;
  readonly settings: ClientSettings;
  readonly config: ResolvedSshConfig;
  readonly log: SshLog;
  readonly prompts: Prompts;
  /** Called once: the login and the forwardings are complete, and the program runs. */
  readonly ready?: (() => void) | undefined;
}

/** The tunnel of a client, and the parts that observe it or open its forwardings. */
export interface ClientParts {
  readonly tunnel: ReverseTunnel;
  readonly forwarder: Forwarder;
  /** the forwardings of the command line and the files */
  readonly forwards: readonly MuxForward[];
  readonly environment: Readonly<Record<string, string>>;
  readonly context: () => MessageContext;
  readonly updates: HostKeyUpdates;
  readonly dialer: Dialer;
}

/** A login without a person, when reconnecting. */
const reconnectMs = 60_000;

/** Creates the parts from the configuration. Nothing connects yet. */
export async function createParts(plan: ClientPlan): Promise<ClientParts> {
  const { line, settings, log, prompts } = plan;
  const { destination = "" } = line;
  const { config } = plan;
  const hostKeys = createHostKeyReport({
    files: config.userKnownHostsFile,
    globalFiles: config.globalKnownHostsFile,
    fingerprintHash: config.fingerprintHash,
    visualHostKey: config.visualHostKey,
    hasCommand: config.knownHostsCommand !== undefined,
    address({ host }) {
      const { host: address } = dialer.address;
      return host === (via?.[0] ?? given).host && address !== "UNKNOWN" ? address : undefined;
    },
  });
  const added = new Set<string>();
  const { options: given, unused } = await fromSshConfig(destination, {
    ...configOptions(line),
    config,
    passphrase: (path) => passphraseOf(path, plan, added),
    password: (login) => prompts.password(login),
    keyboardInteractive: (request, login) => prompts.keyboardInteractive(request, login),
    ask: async (key) => await prompts.confirmHostKey(key, await hostKeys.describe(key)),
    onCommandStderr: (text) => void process.stderr.write(text),
  });
  for (const text of withoutEffect(unused, config)) log.write("debug1", text);
  const print = (text: string, level: "error" | "info"): void => log.write(level, text);
  const updates = createHostKeyUpdates();
  const observed = (check: HostKeyCheck): HostKeyCheck => updates.observe(hostKeys.observe(check, print));
  const via = given.via?.map((hop) => ({ ...hop, hostKey: observed(hop.hostKey) }));
  const options = { ...given, hostKey: observed(given.hostKey), ...(via !== undefined && { via }) };
  const isCommand = config.proxyCommand !== undefined && config.proxyCommand.toLowerCase() !== "none";
  const dialer = createDialer({ ...config, log, dial: isCommand ? options.dial : undefined });
  const isNetwork = settings.session === "none" && line.stdioForward === undefined;
  let wasOpen = false;
  let method = "";
  const tunnel = new ReverseTunnel({
    ...options,
    async dial(server, call) {
      prompts.newConnection();
      const pipe = await dialer.dial(server, call);
      if (!wasOpen) return pipe;
      // A person may answer prompts as long as they like, but only at the first login.
      const timer = setTimeout(() => pipe.abort(new Error("the login took too long")), reconnectMs);
      const stop = ({ state }: StateEvent): void => {
        if (state === "connecting" || state === "authenticating") return;
        clearTimeout(timer);
        tunnel.removeEventListener("state", stop);
      };
      tunnel.addEventListener("state", stop);
      return pipe;
    },
    loginTimeoutMs: maxTimerMs,
    // The client does it, with the words of ssh.
    exitOnForwardFailure: false,
    reconnect: { mode: isNetwork && line.reconnect ? "established" : "never" },
    ...(log.isJson && { log: (record) => log.record(record) }),
    ...(log.includes("verbose") && {
      tap: (server) =>
        createDebugTap(log, server, (name) => {
          method = name;
        }),
    }),
  });
  tunnel.closed.catch(() => {});
  tunnel.addEventListener("state", ({ state }) => {
    wasOpen ||= state === "open";
  });
  const context = (): MessageContext => ({
    host: options.host,
    user: options.user,
    address: dialer.address,
    method,
    wasOpen,
  });
  const forwarder = createForwarder({
    tunnel,
    log,
    gatewayPorts: config.gatewayPorts,
    unlinksSockets: settings.unlinksSockets,
    permitRemoteOpen: settings.permitRemoteOpen,
  });
  const forwards = settings.clearsForwardings ? [] : forwardsOfConfig(config);
  return { tunnel, forwarder, forwards, environment: sessionEnvironment(config), context, updates, dialer };
}

/** Asks for the passphrase of a key, which then goes to the agent if AddKeysToAgent says so. */
async function passphraseOf(path: string, { config, log, prompts }: ClientPlan, added: Set<string>): Promise<string> {
  const passphrase = await prompts.passphrase(path);
  // A reconnection uses the passphrase again.
  if (config.addKeysToAgent !== undefined && config.addKeysToAgent.mode !== "no" && !added.has(path)) {
    added.add(path);
    const { addToAgent } = await import("./add-to-agent.ts");
    const confirm = (question: string): Promise<boolean> => prompts.askPermission(question);
    await addToAgent({ config, path, passphrase, confirm, debug: (line) => log.write("debug1", line) });
  }
  return passphrase;
}
