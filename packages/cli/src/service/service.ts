/** The command `postern service`. @module */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname } from "node:path";
import type { CommandHelp } from "../help/command-help.ts";
import { type ParsedOptions, parseOptions } from "../help/parse-options.ts";
import { UsageError } from "../help/usage-error.ts";
import { serviceActions, serviceManagers } from "./help.ts";
import { launchdPlan } from "./launchd.ts";
import { type Command, kindOf, type ServicePlan, type ServiceRequest, signature } from "./plan.ts";
import { systemdPlan } from "./systemd.ts";
import { windowsPlan } from "./windows.ts";

/** The parts of the process and the machine that tests replace. */
export interface ServiceSystem {
  readonly platform: NodeJS.Platform;
  readonly uid: number | undefined;
  readonly home: string;
  readonly workingFolder: string;
  readonly program: readonly string[];
  readonly print: (line: string) => void;
  /** Runs a command, and returns its exit status. */
  readonly run: (command: Command) => number;
}

/** Runs the command. Resolves with the exit status. */
export async function runService(
  help: CommandHelp,
  args: readonly string[],
  system: ServiceSystem = thisMachine(),
): Promise<number> {
  const { values, positionals } = parseOptions(help, args, 1000);
  const [action = "", name = "", ...rest] = positionals;
  const fail = (message: string): never => {
    throw new UsageError(help.name, message);
  };
  if (!serviceActions.some((one) => one === action))
    fail(`expected ${serviceActions.join(", ")}, got ${JSON.stringify(action)}`);
  if (!/^[A-Za-z0-9][\w-]{0,63}$/.test(name))
    fail(`expected a name of letters, digits, - and _, got ${JSON.stringify(name)}`);
  if (action !== "install" && rest.length > 0) fail(`expected one name, got ${JSON.stringify(rest[0])}, too`);
  const plan = planFor(help, values, { name, args: rest }, system);
  switch (action) {
    case "install":
      checkInstall(rest, values, system, fail);
      return install(plan, values["dry-run"] === true, system);
    case "uninstall":
      return uninstall(plan, values["dry-run"] === true, system);
    default: {
      const { lines = "100" } = values;
      if (typeof lines !== "string" || !/^\d{1,7}$/.test(lines)) fail("expected a number of lines after -n");
      return system.run(plan.logs({ lines: Number(lines), follow: values.follow === true }));
    }
  }
}

/** @throws UsageError for a service that could not run, or would run as root without being told */
function checkInstall(
  args: readonly string[],
  values: ParsedOptions["values"],
  { uid, platform, workingFolder, program }: ServiceSystem,
  fail: (message: string) => never,
): void {
  if (args.length === 0) fail("expected the arguments of postern after --, got none");
  // In the file of a service, a line feed begins another setting, and a backslash at the end joins two lines.
  for (const path of [workingFolder, ...program])
    if (/[\0\r\n]|\\$/.test(path) && platform !== "win32")
      fail(`expected a folder without line feeds and a backslash at the end, got ${JSON.stringify(path)}`);
  if (args.some((arg) => /[\0\r\n]/.test(arg))) fail("expected arguments without line feeds");
  // Letters of switches, as in -fN; -F is another option. cspell:ignore CGMNTVXY Aaknqtvx
  const isBackground = args.some((arg) => /^-[46CGMNTVXYAaknqtvx]*f/.test(arg));
  if (kindOf(args) === "connect" && isBackground) fail("expected a connection in the foreground, got -f");
  const { system: isSystem, "run-as": runAs } = values;
  if (runAs !== undefined && isSystem !== true) fail("expected --system with --run-as");
  if (typeof runAs === "string" && !/^[A-Za-z0-9_][A-Za-z0-9_. -]*\$?$/.test(runAs))
    fail(`expected the name of a user after --run-as, got ${JSON.stringify(runAs)}`);
  if (platform === "win32") return;
  if (isSystem === true && runAs === undefined) fail("expected --run-as with --system, because a tunnel needs no root");
  if (values["dry-run"] === true) return;
  if (isSystem === true && uid !== 0)
    throw new Error("expected root, because --system writes files of the system: sudo");
  if (isSystem !== true && uid === 0)
    fail("expected another user than root, or --system with --run-as, so that the service does not run as root");
}

function planFor(
  help: CommandHelp,
  values: ParsedOptions["values"],
  request: Pick<ServiceRequest, "name" | "args">,
  { platform, uid, home, workingFolder, program }: ServiceSystem,
): ServicePlan {
  const runAs = typeof values["run-as"] === "string" ? values["run-as"] : undefined;
  const whole = { ...request, isSystem: values.system === true, runAs, program, workingFolder, home };
  const manager = values.manager ?? { linux: "systemd", darwin: "launchd", win32: "windows" }[String(platform)];
  switch (manager) {
    case "systemd":
      return systemdPlan(whole);
    case "launchd":
      return launchdPlan(whole, uid);
    case "windows":
      return windowsPlan(whole);
    default:
      throw new UsageError(
        help.name,
        `expected --manager ${serviceManagers.join(", ")}, got ${typeof manager === "string" ? manager : `none for ${platform}`}`,
      );
  }
}

function install(
  { path, text, install: commands, notes }: ServicePlan,
  dryRun: boolean,
  system: ServiceSystem,
): number {
  const { print } = system;
  if (dryRun) {
    print(`# would write ${path}:\n${text}`);
    for (const command of commands) print(`# would run: ${command.join(" ")}`);
    return 0;
  }
  checkOurs(path);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o644 });
  print(`wrote ${path}`);
  const status = runAll(commands, system);
  if (status === 0) for (const note of notes) print(note);
  return status;
}

function uninstall(
  { path, uninstall: { before, after } }: ServicePlan,
  dryRun: boolean,
  system: ServiceSystem,
): number {
  const { print } = system;
  if (dryRun) {
    for (const command of before) print(`# would run: ${command.join(" ")}`);
    print(`# would remove ${path}`);
    for (const command of after) print(`# would run: ${command.join(" ")}`);
    return 0;
  }
  if (!existsSync(path)) throw new Error(`expected the service ${path}, got no such file`);
  checkOurs(path);
  // A service that does not run any more is removed all the same.
  runAll(before, system);
  rmSync(path);
  print(`removed ${path}`);
  return runAll(after, system);
}

/** @throws Error for a file that another program wrote */
function checkOurs(path: string): void {
  if (existsSync(path) && !readFileSync(path, "utf8").includes(signature))
    throw new Error(`expected ${path} to be written by postern, got another file; remove it first`);
}

function runAll(commands: readonly Command[], { print, run }: ServiceSystem): number {
  let status = 0;
  for (const command of commands) {
    print(`running: ${command.join(" ")}`);
    const one = run(command);
    if (one !== 0) print(`${command[0]} exited with ${one}`);
    status ||= one;
  }
  return status;
}

function thisMachine(): ServiceSystem {
  return {
    platform: process.platform,
    uid: process.getuid?.(),
    home: homedir(),
    workingFolder: process.cwd(),
    // The service has no PATH of a shell.
    program: [process.execPath, realpathSync(process.argv[1] ?? "")],
    print: (line) => void process.stdout.write(`${line}\n`),
    run([program = "", ...args]) {
      const { status, error } = spawnSync(program, args, { stdio: "inherit" });
      if (error !== undefined) throw new Error(`expected to run ${program}, got ${error.message}`);
      return status ?? 1;
    },
  };
}
