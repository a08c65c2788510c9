/**
 * Checks the shell blocks of pages: looks up the commands of this project, and runs those of OpenSSH with all options.
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadCommandHelp } from "./command-help.mjs";
import { readJson } from "./packages.mjs";
import { root } from "./run.mjs";

const { descriptions, namesOf } = await loadCommandHelp();

/**
 * Checks a block of a page in `folder`. The verdict is `checked` if the options of every command are known to exist,
 * otherwise `parsed`. `makeKey()` returns the path of a public key.
 */
export function checkShell(code, folder, makeKey) {
  const { status, stderr } = spawnSync("bash", ["-n"], { input: code, encoding: "utf8" });
  if (status !== 0) return { problems: [stderr.trim()], verdict: "parsed" };
  const problems = [];
  const verdicts = commandsOf(code).map((command) => checkCommand(command, folder, problems, makeKey));
  return { problems, verdict: verdicts.every((isChecked) => isChecked) ? "checked" : "parsed" };
}

/** Returns the words of each command, without comments, variables in front of it, and quotes. */
function commandsOf(code) {
  return code
    .replaceAll(/\\\n\s*/g, " ")
    .split("\n")
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "")
    .map((line) => [...line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replaceAll(/["']/g, "")))
    .map((words) => words.slice(words.findIndex((word) => !/^\w+=/.test(word))));
}

/** Returns whether all of the command could be checked. */
function checkCommand([program, ...args], folder, problems, makeKey) {
  switch (program) {
    case "npm":
      return checkNpm(args, folder, problems);
    case "npx":
      return args[0] === "postern" ? checkPostern(args.slice(1), problems) : checkTool(args, problems);
    case "postern":
      return checkPostern(args, problems);
    case "node":
      return checkScript(args, problems);
    case "ssh-keygen":
      return succeeds(
        program,
        args.map((arg) => (arg.endsWith(".pub") || arg === "known_hosts" ? makeKey() : arg)),
        problems,
      );
    case "autossh":
      // Its only option here is the monitoring port; the others are those of ssh.
      return succeeds(
        "ssh",
        [
          "-G",
          "-F",
          "none",
          ...args
            .join(" ")
            .replace(/-M \d+ ?/, "")
            .split(" "),
        ],
        problems,
      );
    case "ssh":
      return succeeds("ssh", ["-G", "-F", "none", ...args], problems);
    default:
      return false;
  }
}

/** A page beside a package.json speaks of its scripts, or of those of the workspace. */
function checkNpm([command, ...args], folder, problems) {
  if (command === "test") return true;
  if (command === "install") {
    const own = args.filter((name) => name.startsWith("@postern/")).map((name) => name.slice("@postern/".length));
    for (const name of own)
      if (!existsSync(join(root, "packages", name))) problems.push(`expected a package, got @postern/${name}`);
    return own.length === args.length;
  }
  if (command !== "run" && command !== "start") return false;
  const [name, ...options] = command === "start" ? ["start", ...args] : args;
  const home = [folder, "."].find((one) => scriptsOf(one)[name] !== undefined);
  if (home === undefined) {
    problems.push(`expected a script of package.json, got npm ${command} ${args.join(" ")}`);
    return true;
  }
  const [program, file, ...more] = scriptsOf(home)[name].split(" && ").at(-1).split(" ");
  return program === "node" && checkScript([join(home, file), ...more, ...options], problems);
}

function scriptsOf(folder) {
  return existsSync(join(root, folder, "package.json")) ? (readJson(folder, "package.json").scripts ?? {}) : {};
}

/** A script of this project has each option in its text, or in a file of the folder `src` beside it. */
function checkScript([file, ...args], problems) {
  // A file without a folder is a program of the reader.
  if (!file.includes("/")) return false;
  if (!existsSync(join(root, file))) {
    problems.push(`expected a file, got node ${file}`);
    return true;
  }
  const sources = join(root, dirname(file), "src");
  const entries = existsSync(sources) ? readdirSync(sources, { withFileTypes: true }) : [];
  const more = entries.filter((entry) => entry.isFile()).map(({ name }) => join(sources, name));
  const text = [join(root, file), ...more].map((name) => readFileSync(name, "utf8")).join("\n");
  for (const option of args.filter((arg) => /^--\w/.test(arg)))
    if (!new RegExp(`${option}\\b|\\b${option.slice(2)}"?: \\{`).test(text))
      problems.push(`${file}: expected one of its options, got ${option}`);
  return true;
}

/** A command of this project has each option in its description. The words of a command on the server are not ours. */
function checkPostern(words, problems) {
  const end = words.findIndex((one) => /^(?:\||&|;|<|\d?>)/.test(one));
  const [word = "", ...more] = end < 0 ? words : words.slice(0, end);
  const named = descriptions().find(({ name }) => name !== "" && name === word);
  const help = named ?? descriptions().find(({ name }) => name === "");
  if (help === undefined) return false;
  const known = new Map(help.options.flatMap((option) => namesOf(option).map((name) => [name, option])));
  const args = named === undefined ? [word, ...more] : more;
  for (let at = 0; at < args.length; at++) {
    const [name] = args[at].split("=");
    if (["--help", "--version", "-V"].includes(name)) continue;
    if (name === "--" || (named === undefined && !name.startsWith("-"))) break;
    if (!name.startsWith("-")) continue;
    const option = known.get(name);
    // Letters of switches, such as -NT, or an argument without a space, such as -p2222.
    const letters = name.startsWith("--") ? [] : [...name.slice(1)];
    const isJoined = letters.every(
      (letter) => known.get(`-${letter}`)?.argument === undefined && known.has(`-${letter}`),
    );
    const isAttached = known.get(name.slice(0, 2))?.argument !== undefined && !name.startsWith("--");
    if (option === undefined && !isAttached && !(letters.length > 0 && isJoined))
      problems.push(`expected an option of postern ${help.name}, got ${name}`);
    if (option?.argument !== undefined && !args[at].includes("=")) at++;
  }
  return true;
}

/** Tools of the services that a program is deployed to. */
const foreignTools = ["wrangler"];

function checkTool([name = ""], problems) {
  if (foreignTools.includes(name)) return false;
  const { devDependencies } = readJson("package.json");
  if (devDependencies[name] === undefined) problems.push(`expected a tool of package.json, got npx ${name}`);
  return devDependencies[name] !== undefined;
}

/** Returns false if the program is not installed. */
function succeeds(program, args, problems) {
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (error !== undefined) return false;
  if (status !== 0) problems.push(`${program} ${args.join(" ")}: ${stderr.trim()}`);
  return true;
}
