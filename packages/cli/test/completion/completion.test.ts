/** The completion scripts, in the shells that are installed. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { descriptions } from "../../src/commands.ts";
import { renderBash } from "../../src/completion/bash.ts";
import { renderFish } from "../../src/completion/fish.ts";
import { renderZsh } from "../../src/completion/zsh.ts";
import { sampleHelp } from "../sample-help.ts";

const shells = {
  bash: { render: renderBash, complete: inBash },
  zsh: { render: renderZsh, complete: inZsh },
  fish: { render: renderFish, complete: inFish },
};
let folder = "";
let zshOutputs: ReadonlyMap<string, string> | undefined;
const lineMark = "=====";
const loginLine = "postern -N me@al";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-completion-"));
  mkdirSync(join(folder, ".ssh"));
  const config =
    "Host alias other *.pattern\nHost=quoted\nHost $(touch$IFS;broken) `touch$IFS;broken`\n  HostName ignored\n";
  writeFileSync(join(folder, ".ssh", "config"), config);
  const known = "known.example,192.0.2.1 ssh-ed25519 AAAA\n[port.example]:2222 ssh-rsa AAAA\n|1|hash= ssh-rsa AAAA\n";
  writeFileSync(join(folder, ".ssh", "known_hosts"), `# comment\n@revoked gone ssh-rsa AAAA\n${known}`);
  mkdirSync(join(folder, "sub folder"));
  writeFileSync(join(folder, "sub-file"), "");
  for (const [shell, { render }] of Object.entries(shells)) writeFileSync(join(folder, shell), render(sampleHelp));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hosts = ["alias", "other", "quoted", "known.example", "192.0.2.1", "port.example"];
const cases = [
  {
    title: "commands and hosts as the first word",
    line: "postern ",
    has: ["keygen", "service", ...hosts],
    lacks: ["gone", "ignored", "sub-file"],
  },
  { title: "the rest of a command", line: "postern key", has: ["keygen"], lacks: ["service"] },
  { title: "the rest of a host name", line: "postern -N kno", has: ["known.example"], lacks: ["alias", "keygen"] },
  {
    title: "options of the command that connects",
    line: "postern -",
    has: ["-N", "-R", "--no-reconnect", "--help"],
    lacks: ["--type"],
  },
  {
    title: "options of a command",
    line: "postern keygen -",
    has: ["-t", "--type", "--folder", "--help"],
    lacks: ["-R"],
  },
  { title: "the values of an option", line: "postern keygen -t e", has: ["ed25519", "ecdsa"], lacks: ["rsa"] },
  { title: "the values of a long option", line: "postern keygen --type ", has: ["ed25519", "rsa"], lacks: ["keygen"] },
  { title: "hosts after an option", line: "postern -J al", has: ["alias"], lacks: ["other", "keygen"] },
  { title: "files after an option", line: "postern keygen -f sub-", has: ["sub-file"], lacks: ["alias"] },
  { title: "words of a command", line: "postern service ", has: ["install", "logs"], lacks: ["alias", "sub-file"] },
];
const lines = cases.map(({ line }) => line);

describe.each(["bash", "zsh", "fish"] as const)("the completion of %s", (shell) => {
  const isThere = spawnSync(shell, ["-c", "exit"]).error === undefined;
  if (!isThere) console.log(`not checked: ${shell} is not installed, so its completion is not run`);

  it.runIf(isThere)("has no error of syntax", () => {
    writeFileSync(join(folder, "all"), shells[shell].render(descriptions()));
    for (const file of [shell, "all"]) {
      const { status, stderr } = spawnSync(shell, ["-n", file], { cwd: folder, encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    }
  });

  it.runIf(isThere).each(cases)("offers $title", ({ line, has, lacks }) => {
    const offered = shells[shell].complete(line);
    expect(offered).toEqual(expect.arrayContaining(has));
    for (const word of lacks) expect(offered).not.toContain(word);
  });

  it.runIf(isThere)("offers hosts after a login", () => {
    expect(shells[shell].complete(loginLine).map((word) => word.replace(/^me@/, ""))).toEqual(["alias"]);
  });

  it.runIf(isThere)("runs nothing that is written in ssh_config", () => {
    expect(shells[shell].complete("postern ").join(" ")).not.toContain("broken");
    expect(spawnSync("ls", [folder], { encoding: "utf8" }).stdout).not.toContain("broken");
  });
});

describe("the completion of bash", () => {
  it("offers files beside the value of an option with =, which bash breaks in three words", () => {
    expect(inBash("postern keygen --type = ec")).toEqual(["ecdsa"]);
  });

  it("offers hosts after @ as a word of its own", () => {
    expect(inBash("postern me @ kn")).toEqual(["known.example"]);
  });

  it("offers nothing for the words of a remote command that it does not know", () => {
    expect(inBash("postern keygen extra ")).toEqual([]);
  });
});

function run(shell: string, script: string, env: Record<string, string> = {}): string {
  const { stdout, stderr } = spawnSync(shell, ["-c", script], {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env.PATH, HOME: folder, TERM: "dumb", ...env },
  });
  if (stderr !== "") throw new Error(`${shell}: ${stderr}`);
  return stdout;
}

/** Calls the function that `complete` names, with the words that readline would pass. */
function inBash(line: string): string[] {
  const words = line.split(" ").map((word) => `'${word}'`);
  const script = `source ./bash; COMP_WORDS=(${words.join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    complete -p postern >/dev/null && _postern && printf '%s\\n' "\${COMPREPLY[@]}"`;
  return linesOf(run("bash", script));
}

/**
 * Presses the tab key in an interactive zsh, in which `compadd` prints what it would offer. One shell completes all
 * lines of this file, because its start takes most of the time.
 */
function inZsh(line: string): string[] {
  zshOutputs ??= new Map(
    run("zsh", zshProgram([...lines, loginLine]))
      .split(lineMark)
      .slice(1)
      .map((output, at) => [[...lines, loginLine][at] ?? "", output]),
  );
  return [...(zshOutputs.get(line) ?? "").matchAll(/<([^<>\n]*)>/g)].map(([, word = ""]) => word.trim());
}

function zshProgram(all: readonly string[]): string {
  const printing = `compadd() {
    local -a found
    if [[ \${@[1,(i)(-|--)]} != *-(O|A|D)\\ * ]]; then
      builtin compadd -A found "$@"
      print -l -- "<"$^found">"
    fi
    builtin compadd "$@"
  }`;
  return `
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell 'PS1= PS2=; autoload -Uz compinit && compinit -u -d $HOME/.zcompdump; source ./zsh'
    zpty -w shell '${printing.replaceAll("\n", " ; ").replaceAll(/(\{|then|;) ; /g, "$1 ")}'
    zpty -w shell 'finish() { BUFFER= CURSOR=0; print EN""D }; zle -N finish; bindkey "^I" complete-word "^O" finish; print REA""DY'
    zpty -r shell output '*READY*'
    for line in ${all.map((one) => `'${one}'`).join(" ")}; do
      zpty -w -n shell "$line"$'\\t\\x0f'
      zpty -r shell output '*END*'
      print -r -- '${lineMark}'$output
    done`;
}

function inFish(line: string): string[] {
  const output = run("fish", `source ./fish; complete -C '${line}'`, {
    XDG_CONFIG_HOME: folder,
    XDG_DATA_HOME: folder,
  });
  return linesOf(output).map((one) => one.split("\t", 1)[0] ?? "");
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((one) => one !== "");
}
