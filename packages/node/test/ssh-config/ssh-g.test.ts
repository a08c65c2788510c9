/** Realistic configuration files, compared keyword by keyword with the `ssh -G` of this machine. */
import { execFileSync, spawnSync } from "node:child_process";
import { askSsh, createHome, loadFixtures, realHome, sshEnvironment, sshVersion } from "@postern/testkit/ssh-config";
import { afterAll, describe, expect, it } from "vitest";
import { createKeywordLookup, type SshConfigValues } from "../../src/ssh-config/keywords.ts";
import type { ResolvedSshConfig } from "../../src/ssh-config/resolve.ts";
import { resolveSshConfig } from "../../src/ssh-config.ts";
import { type AlgorithmNames, render } from "./render.ts";

const world = createHome();
const version = sshVersion();
const all = loadFixtures();
const lookup = createKeywordLookup();
const compared = { hosts: 0, values: 0, keywords: new Set<string>() };

describe.skipIf(version === undefined)("the values of ssh -G", () => {
  afterAll(() => {
    world.remove();
    const { hosts, values, keywords } = compared;
    process.stdout.write(
      `${version}: ${all.length} files, ${hosts} hosts, ${values} values of ${keywords.size} keywords as in ssh -G\n`,
    );
  });

  it("are compared on at least forty files", () => {
    expect(all.length).toBeGreaterThanOrEqual(40);
    for (const { hosts } of all) expect(hosts).not.toEqual([]);
  });

  it("expand IdentityFile as ssh -v reports", async () => {
    const file = world.write(
      "config",
      `Host tok
  HostName %h.example
  User robot
  ProxyCommand true
  CanonicalizeHostname no
  IdentityFile ~/.ssh/%n/%h/%p/%r/%u/%i/%L/%l/%k/%C
  IdentityFile %d/a%%b
  IdentityFile "\${POSTERN_A}/with space"
`,
    );
    const env = sshEnvironment(world.home, { POSTERN_A: "/tmp/%h" });
    const { stderr } = spawnSync("ssh", ["-v", "-o", "BatchMode=yes", "-F", file, "tok"], { env, encoding: "utf8" });
    const theirs = [...stderr.matchAll(/identity file (.*) type/g)].map(([, path]) => path ?? "");
    const { identityFile } = await resolveSshConfig("tok", { file, home: world.home, env });
    expect(theirs.filter((path) => !path.endsWith("-cert"))).toEqual(
      identityFile.map((path) => path.replace(world.home, realHome)),
    );
  });

  it.each(all.map((fixture) => [fixture.name, fixture] as const))("are those of %s", async (_name, fixture) => {
    const { path, env, allowExec } = fixture;
    for (const host of fixture.hosts) {
      const environment = sshEnvironment(world.home, env);
      const theirs = askSsh(["-F", path, host], environment);
      const ours = await resolveSshConfig(host, { file: path, home: world.home, env: environment, allowExec });
      for (const name of keywordsOf(ours)) {
        const keyword = name.toLowerCase();
        const got = render(ours, name, algorithmNames).map((line) => line.replaceAll(world.home, realHome));
        expect([host, keyword, ...got]).toEqual([host, keyword, ...expected(theirs, keyword)]);
        compared.values++;
        compared.keywords.add(keyword);
      }
      compared.hosts++;
    }
  });
});

/** The keywords that the file sets for the host, and those that every host has. */
function keywordsOf(config: ResolvedSshConfig): ReadonlySet<keyof SshConfigValues> {
  const names = new Set<keyof SshConfigValues>(["hostName", "port", "user", "identityFile", "userKnownHostsFile"]);
  for (const { keyword } of config.settings) {
    const kind = lookup(keyword);
    if (kind.at === "value") names.add(kind.name);
  }
  return names;
}

/** The lines of ssh, with the words and the expansions that it applies only later. */
function expected(theirs: ReadonlyMap<string, readonly string[]>, keyword: string): readonly string[] {
  const lines = theirs.get(keyword) ?? [];
  switch (keyword) {
    case "identityfile":
    case "certificatefile": {
      const [host = "", user = ""] = ["hostname", "user"].map((name) => theirs.get(name)?.[0] ?? "");
      // These two are printed as they are written.
      return lines
        .map((line) => line.replace(/^~/, realHome).replaceAll("%h", host).replaceAll("%r", user))
        .filter((line) => !/id_(?:xmss|dsa)$/.test(line));
    }
    // Printed once for each line that names it.
    case "sendenv":
      return [...new Set(lines)];
    default:
      return lines.map((line) => (line === "true" ? "yes" : line === "false" ? "no" : line));
  }
}

const known = new Map<string, AlgorithmNames>();

function algorithmNames(keyword: string): AlgorithmNames {
  const cached = known.get(keyword);
  if (cached !== undefined) return cached;
  const [defaults = ""] = askSsh(["-F", "none", "x"], sshEnvironment(world.home)).get(keyword) ?? [];
  const supported = execFileSync("ssh", ["-Q", keyword], { encoding: "utf8" }).trim().split("\n");
  const names = { defaults: defaults.split(","), supported };
  known.set(keyword, names);
  return names;
}
