/** Makes a host from a configuration in JSON. @module */
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type GivenHostLimits, policy, type Signer, type TunnelHostOptions, type UserPolicy } from "@postern/node";
import { ConfigError, readBySchema } from "../../system/schema.ts";
import { readHostKey, withCertificate } from "../host-key-files.ts";
import type { HostSetup, ListenPlace } from "../setup.ts";
import { HostConfigError } from "../sshd-config/config-error.ts";
import { systemReason } from "../sshd-config/parse.ts";
import { splitHostPort } from "../sshd-config/values.ts";
import { withoutComments } from "./comments.ts";
import { hostSchema } from "./schema.ts";

const maxBytes = 8 * 1024 * 1024;
const defaultDrainMs = 5_000;

/** A configuration that matches the schema. */
interface HostConfig {
  readonly listen: readonly string[];
  readonly workers?: number | "auto";
  readonly hostKeys: readonly (string | { readonly key: string; readonly certificate?: string })[];
  readonly users: Readonly<Record<string, UserConfig>>;
  readonly revokedKeys?: string;
  readonly gatewayPorts?: NonNullable<TunnelHostOptions["gatewayPorts"]>;
  readonly socketMode?: string;
  readonly banner?: string;
  readonly versionAddendum?: string;
  readonly keepAlive?: NonNullable<TunnelHostOptions["keepAlive"]>;
  readonly rekey?: NonNullable<TunnelHostOptions["rekey"]>;
  readonly takeover?: NonNullable<TunnelHostOptions["takeover"]>;
  readonly url?: string;
  readonly limits?: GivenHostLimits;
  readonly health?: string;
  readonly drainMs?: number;
  readonly pidFile?: string;
  readonly log?: Partial<HostSetup["log"]>;
}

interface UserConfig extends Pick<UserPolicy, "password" | "permitListen" | "permitOpen"> {
  readonly keys?: readonly string[];
  readonly keysFiles?: readonly string[];
}

/** The options of the command line that change a configuration. */
export interface JsonOverrides {
  /** files of host keys, besides those of the configuration */
  readonly hostKeys: readonly string[];
  /** ports of all addresses, in place of `listen` */
  readonly ports: readonly number[];
}

/**
 * Reads a configuration.
 *
 * @throws HostConfigError that begins with the file, and names the path of the first mistake
 */
export async function setupFromJson(file: string, overrides: JsonOverrides): Promise<HostSetup> {
  try {
    const config = readBySchema(hostSchema, parse(readText(file)), {
      path: (text) => resolve(dirname(file), text),
    }) as HostConfig;
    const ports = overrides.ports.map(String);
    return await setupOf(ports.length === 0 ? config : { ...config, listen: ports }, overrides.hostKeys);
  } catch (error) {
    if (error instanceof HostConfigError) throw error;
    throw new HostConfigError(`${file}: ${(error as Error).message}`);
  }
}

async function setupOf(config: HostConfig, moreKeys: readonly string[]): Promise<HostSetup> {
  const { log = {}, url, socketMode, revokedKeys, health } = config;
  const { gatewayPorts, banner, versionAddendum, keepAlive, rekey, takeover, limits } = config;
  const users = usersOf(config.users);
  const given = { gatewayPorts, banner, versionAddendum, keepAlive, rekey, takeover, limits };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return {
    workers: config.workers,
    listen: config.listen.flatMap((text, index) => placesOf(text, `listen[${index}]`)),
    options: {
      ...(set as Partial<TunnelHostOptions>),
      hostKeys: await hostKeysOf(config, moreKeys),
      authorize: policy(users),
      ...(socketMode !== undefined && { socketMode: Number.parseInt(socketMode, 8) }),
      ...(revokedKeys !== undefined && { revokedKeys: readBytes(revokedKeys) }),
      ...(url !== undefined && { url: urlTemplate(url) }),
    },
    log: { level: "INFO", facility: "AUTH", format: "text", file: undefined, to: "stderr", ...log },
    pidFile: config.pidFile,
    health: health === undefined ? undefined : healthPlace(health),
    drainMs: config.drainMs ?? defaultDrainMs,
    isKnown: (user) => Object.hasOwn(users, user),
    notes: [],
  };
}

function usersOf(given: HostConfig["users"]): Readonly<Record<string, UserPolicy>> {
  const users = Object.entries(given).map(([name, { keys = [], keysFiles = [], ...rest }]) => {
    const lines = [...keys, ...keysFiles.map((path) => new TextDecoder().decode(readBytes(path)))];
    return [name, { ...rest, ...(lines.length > 0 && { keys: lines }) }] as const;
  });
  return Object.fromEntries(users);
}

async function hostKeysOf({ hostKeys }: HostConfig, more: readonly string[]): Promise<readonly Signer[]> {
  const keys: Signer[] = [];
  for (const given of [...hostKeys, ...more]) {
    const { key, certificate } = typeof given === "string" ? { key: given } : given;
    const signer = await readHostKey(key);
    keys.push(certificate === undefined ? signer : withCertificate(certificate, [signer]));
  }
  return keys;
}

/** A port alone is one of loopback, because the page is for the machine or its own network. */
function healthPlace(text: string): ListenPlace | undefined {
  return placesOf(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text, "health")[0];
}

/** A port alone stands for all addresses of both families. */
function placesOf(text: string, path: string): readonly ListenPlace[] {
  const isBare = /^\d+$/.test(text);
  const { host = "", port } = isBare ? { port: text } : (splitHostPort(text) ?? {});
  const number = Number(port);
  if (!(number >= 0 && number <= 65_535))
    throw new ConfigError(`expected ${path} to have a port up to 65535, got ${port}`);
  return (isBare ? ["::", "0.0.0.0"] : [host]).map((one) => ({ host: one, port: number }));
}

function urlTemplate(template: string): NonNullable<TunnelHostOptions["url"]> {
  return ({ port, address }, { user = "" }) => {
    const values: Readonly<Record<string, string>> = { user, port: String(port), address };
    return template.replace(/\{(user|port|address)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));
  };
}

function readText(file: string): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(readBytes(file));
}

function readBytes(path: string): Uint8Array<ArrayBuffer> {
  try {
    if (statSync(path).size > maxBytes) throw new ConfigError(`expected ${path} to have at most ${maxBytes} bytes`);
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new HostConfigError(`${path}: ${systemReason(code)}`, 1);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(withoutComments(text));
  } catch (cause) {
    // The message of V8 quotes the text, which may hold secrets.
    const position = Number(/at position (\d+)/.exec((cause as Error).message)?.[1] ?? text.length);
    const before = text.slice(0, position).split("\n");
    throw new ConfigError(
      `expected JSON, got a mistake at line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`,
    );
  }
}
