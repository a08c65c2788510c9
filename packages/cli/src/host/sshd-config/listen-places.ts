/** The addresses of Port, ListenAddress and AddressFamily. @module */
import type { Settings } from "./parse.ts";
import { textOf, wordsOf } from "./settings.ts";
import { splitHostPort } from "./values.ts";

/** An address and a port. */
export interface ListenPlace {
  readonly host: string;
  readonly port: number;
}

/** As sshd: each ListenAddress without a port has every Port; without one, all addresses of the family. */
export function listenPlaces(settings: Settings): readonly ListenPlace[] {
  const family = textOf(settings, "AddressFamily");
  const ports = wordsOf(settings, "Port").map(Number);
  const given = wordsOf(settings, "ListenAddress");
  const all = ["::", "0.0.0.0"].filter((host) => fits(host, family));
  if (given.length === 0) return all.flatMap((host) => ports.map((port) => ({ host, port })));
  return given.flatMap((text) => {
    const { host = "", port } = splitHostPort(text) ?? {};
    const hosts = host === "" || host === "*" ? all : [host];
    const own = port === undefined || port === "*" ? ports : [Number(port)];
    return hosts.filter((one) => fits(one, family)).flatMap((one) => own.map((each) => ({ host: one, port: each })));
  });
}

function fits(host: string, family: string): boolean {
  if (family === "inet") return !host.includes(":");
  return family !== "inet6" || !/^[\d.]+$/.test(host);
}
