/** Prints the effective configuration, as `sshd -T`. @module */
import { type AlgorithmKind, algorithmKinds, selectNames } from "./algorithm-names.ts";
import { keywords } from "./keywords.ts";
import { type ListenPlace, listenPlaces } from "./listen-places.ts";
import type { Settings } from "./parse.ts";
import { givenValue, wordsOf } from "./settings.ts";

/** Returns the lines. `hostKeys` are the files that are used. */
export function printSettings(settings: Settings, hostKeys: readonly string[]): string {
  const lines: string[] = [];
  for (const { name, form, byDefault } of keywords) {
    const lower = name.toLowerCase();
    const values = wordsOf(settings, name);
    const kind = algorithmKinds[name]?.kind;
    if (name === "ListenAddress") lines.push(...listenPlaces(settings).map((place) => `${lower} ${showPlace(place)}`));
    else if (name === "HostKey") lines.push(...hostKeys.map((file) => `${lower} ${file}`));
    else if (kind !== undefined) lines.push(`${lower} ${algorithmNames(settings, name, kind).join(",")}`);
    else if (name === "RequiredRSASize") lines.push(`${lower} ${Math.max(2048, Number(values[0]))}`);
    else if (name === "PerSourcePenalties") lines.push(`${lower} ${printPenalties(values)}`);
    else if (form === "lines" || name === "Port" || name === "Subsystem") {
      lines.push(...values.map((value) => `${lower} ${value}`));
    } else if (values.length > 0 || byDefault !== undefined) lines.push(`${lower} ${values.join(" ")}`);
  }
  return `${lines.join("\n")}\n`;
}

/** CAs sign with plain keys. */
function algorithmNames(settings: Settings, name: string, kind: AlgorithmKind): readonly string[] {
  const names = selectNames(kind, givenValue(settings, name));
  return name === "CASignatureAlgorithms" ? names.filter((one) => !one.includes("-cert-v01@")) : names;
}

function showPlace({ host, port }: ListenPlace): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function printPenalties(values: readonly string[]): string {
  if (values[0] === "no") return "no";
  const given = new Map(values.filter((one) => one.includes(":")).map((one) => one.split(":") as [string, string]));
  const defaults = "authfail:5 noauth:1 grace-exceeded:10 max:600 min:15 max-sources4:16384".split(" ");
  return defaults
    .map((one) => `${one.split(":")[0]}:${given.get(one.split(":")[0] ?? "") ?? one.split(":")[1]}`)
    .join(" ");
}
