/** `postern keygen`, compared with ssh-keygen. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keygenHelp } from "../src/keygen/help.ts";
import { runKeygen } from "../src/keygen/keygen.ts";
import type { KeygenQuestions } from "../src/keygen/questions.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-keygen-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const isThere = spawnSync("ssh-keygen", ["-?"]).error === undefined;
if (!isThere) console.log("not checked: ssh-keygen is not installed");

/** Runs our command. `answers` are those of the user, in order. */
async function keygen(args: readonly string[], answers: readonly string[] = []): Promise<Outcome> {
  const asked: string[] = [];
  const printed: string[] = [];
  const left = [...answers];
  const ask = async (text: string): Promise<string> => {
    asked.push(text);
    const answer = left.shift();
    if (answer === undefined) throw new Error(`expected no question, got ${text}`);
    return answer;
  };
  const questions: KeygenQuestions = {
    line: ask,
    secret: ask,
    newPassphrase: ask,
    async mayReplace() {
      if (left[0] !== "no") return true;
      left.shift();
      return false;
    },
  };
  const status = await runKeygen(keygenHelp, args, { questions, print: (line) => void printed.push(line) });
  expect(left).toEqual([]);
  return { status, printed: printed.map((line) => `${line}\n`).join(""), asked };
}

interface Outcome {
  readonly status: number;
  readonly printed: string;
  readonly asked: readonly string[];
}

function sshKeygen(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("ssh-keygen", args, { encoding: "utf8", cwd: folder });
  if (status !== 0) throw new Error(`ssh-keygen ${args.join(" ")}: ${stderr}`);
  return stdout;
}

const path = (name: string): string => join(folder, name);

describe.runIf(isThere)("postern keygen", () => {
  it.each([
    { type: "ed25519", bits: undefined },
    { type: "ecdsa", bits: "256" },
    { type: "ecdsa", bits: "384" },
    { type: "ecdsa", bits: "521" },
    { type: "rsa", bits: "2048" },
  ])("makes a key that ssh-keygen reads: $type $bits", async ({ type, bits = "" }) => {
    const file = path(`new-${type}-${bits}`);
    const size = bits === "" ? [] : ["-b", bits];
    const { status, printed } = await keygen(["-t", type, ...size, "-N", "", "-C", "me@here", "-f", file]);
    expect(status).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(`${file}.pub`).mode & 0o777).toBe(0o644);
    expect(sshKeygen("-y", "-f", file)).toBe(readFileSync(`${file}.pub`, "utf8"));
    // Our messages contain the fingerprint and the picture that ssh-keygen shows.
    const [line = "", ...picture] = sshKeygen("-lv", "-f", file).trimEnd().split("\n");
    expect(printed.trimEnd().split("\n")).toEqual([
      `Generating public/private ${type} key pair.`,
      `Your identification has been saved in ${file}`,
      `Your public key has been saved in ${file}.pub`,
      "The key fingerprint is:",
      line.split(" ").slice(1, 3).join(" "),
      "The key's randomart image is:",
      ...picture,
    ]);
  });

  it("asks for a passphrase, with which ssh-keygen opens the key", async () => {
    const { asked } = await keygen(["-f", path("locked")], ["correct horse"]);
    expect(asked).toEqual(["Enter passphrase (empty for no passphrase): "]);
    expect(sshKeygen("-y", "-P", "correct horse", "-f", path("locked"))).toBe(readFileSync(path("locked.pub"), "utf8"));
    expect(() => sshKeygen("-y", "-P", "another", "-f", path("locked"))).toThrow("incorrect passphrase");
  });

  it("asks for the file", async () => {
    const { asked } = await keygen(["-q", "-N", ""], [path("asked")]);
    expect(asked[0]).toMatch(/^Enter file in which to save the key \(.*\/\.ssh\/id_ed25519\): $/);
    expect(sshKeygen("-l", "-f", path("asked"))).toContain("(ED25519)");
  });

  it("keeps a file that the user does not want to replace", async () => {
    writeFileSync(path("kept"), "precious");
    expect((await keygen(["-N", "", "-f", path("kept")], ["no"])).status).toBe(1);
    expect(readFileSync(path("kept"), "utf8")).toBe("precious");
  });

  it("replaces the target of a symbolic link, with the permissions of a private key", async () => {
    writeFileSync(path("target"), "old", { mode: 0o644 });
    symlinkSync(path("target"), path("link"));
    await keygen(["-q", "-N", "", "-f", path("link")]);
    expect(statSync(path("target")).mode & 0o777).toBe(0o600);
    expect(sshKeygen("-l", "-f", path("target"))).toContain("(ED25519)");
  });

  it("changes the passphrase of a key of ssh-keygen", async () => {
    sshKeygen("-q", "-t", "ecdsa", "-N", "first one", "-C", "a comment", "-f", path("changed"));
    const { printed, asked } = await keygen(["-p", "-f", path("changed")], ["first one", "second one"]);
    expect(asked).toEqual(["Enter old passphrase: ", "Enter new passphrase (empty for no passphrase): "]);
    expect(printed).toBe("Key has comment 'a comment'\nYour identification has been saved with the new passphrase.\n");
    expect(sshKeygen("-y", "-P", "second one", "-f", path("changed"))).toBe(readFileSync(path("changed.pub"), "utf8"));
  });

  it("leaves a key alone if its passphrase is wrong", async () => {
    sshKeygen("-q", "-t", "ed25519", "-N", "right", "-f", path("closed"));
    const before = readFileSync(path("closed"), "utf8");
    await expect(keygen(["-p", "-P", "wrong", "-N", "new", "-f", path("closed")])).rejects.toMatchObject({
      code: "passphrase",
    });
    expect(readFileSync(path("closed"), "utf8")).toBe(before);
  });

  it("changes the comment, and keeps the passphrase", async () => {
    sshKeygen("-q", "-t", "ed25519", "-N", "kept secret", "-C", "before", "-f", path("commented"));
    const { printed } = await keygen(["-c", "-C", "after", "-P", "kept secret", "-f", path("commented")]);
    expect(printed).toBe("Old comment: before\nComment 'after' applied\n");
    expect(sshKeygen("-y", "-P", "kept secret", "-f", path("commented"))).toMatch(/ after\n$/);
    expect(readFileSync(path("commented.pub"), "utf8")).toMatch(/ after\n$/);
  });

  it("prints the public key that ssh-keygen prints, and converts other formats", async () => {
    sshKeygen("-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-C", "", "-f", path("pem"));
    expect((await keygen(["-y", "-f", path("pem")])).printed).toBe(sshKeygen("-y", "-f", path("pem")));
    await keygen(["-q", "-p", "-N", "", "-f", path("pem")]);
    expect(readFileSync(path("pem"), "utf8")).toContain("BEGIN OPENSSH PRIVATE KEY");
    expect(sshKeygen("-l", "-f", path("pem"))).toContain("2048 ");
  });

  it.each([["-l"], ["-l", "-v"], ["-l", "-E", "md5"], ["-l", "-v", "-E", "md5"]])(
    "prints fingerprints as ssh-keygen does: %s %s %s %s",
    async (...args) => {
      sshKeygen("-q", "-t", "ed25519", "-N", "secret", "-C", "of a file", "-f", path(`list${args.join("")}`));
      const file = path(`list${args.join("")}`);
      const given = args.filter((arg) => arg !== undefined);
      for (const one of [file, `${file}.pub`])
        expect((await keygen([...given, "-f", one])).printed).toBe(sshKeygen(...given, "-f", one));
    },
  );

  it("prints each fingerprint of authorized_keys and known_hosts, and of a certificate", async () => {
    for (const type of ["ed25519", "rsa"])
      sshKeygen("-q", "-t", type, "-N", "", "-C", `comment ${type}`, "-f", path(`list-${type}`));
    sshKeygen("-q", "-s", path("list-rsa"), "-I", "id", "-n", "me", path("list-ed25519.pub"));
    const [first = "", second = ""] = ["ed25519", "rsa"].map((type) => readFileSync(path(`list-${type}.pub`), "utf8"));
    writeFileSync(path("authorized_keys"), `# comment\n\nrestrict,command="echo ssh-rsa AAAA" ${first}${second}`);
    const bare = (line: string): string => line.split(" ").slice(0, 2).join(" ");
    writeFileSync(path("known_hosts"), `example.com,192.0.2.1 ${bare(first)}\n[other]:2222 ${bare(second)}\n`);
    for (const name of ["authorized_keys", "known_hosts", "list-ed25519-cert.pub"])
      expect((await keygen(["-l", "-f", path(name)])).printed).toBe(sshKeygen("-l", "-f", path(name)));
  });

  it.each([
    { args: ["-t", "dsa"], message: "expected the type ed25519, ecdsa or rsa" },
    { args: ["-t", "rsa", "-b", "1024", "-N", "", "-f", "x"], message: "expected bits of an RSA key" },
    { args: ["-b", "many", "-f", "x"], message: "expected a number of bits" },
    { args: ["-p", "-y"], message: "expected one of -p, -c, -y and -l" },
    { args: ["-l", "-E", "sha1", "-f", "x"], message: "expected the hash md5 or sha256" },
    { args: ["extra"], message: "expected at most 0 arguments" },
  ])("rejects $args", async ({ args, message }) => {
    await expect(keygen(args)).rejects.toThrow(message);
  });
});
