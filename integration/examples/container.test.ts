/** The Express example in its container: the Dockerfile, and its entry point as a process. No image is built. */
import { copyFileSync, readFileSync, symlinkSync } from "node:fs";
import { posix } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  freePort,
  launch,
  missing,
  type Running,
  refusingPort,
  type Sshd,
  startSshd,
  tempDir,
  userKey,
  visit,
} from "../harness/index.ts";
import { lintDockerfile, readImage } from "./dockerfile.ts";
import { freed, pathOf, type Settings, settingsFor, shellEnv } from "./example.ts";

const text = readFileSync(pathOf("express", "Dockerfile"), "utf8");
const image = readImage(text);

describe("examples/express/Dockerfile", () => {
  it("has no finding", () => {
    expect(lintDockerfile(text)).toEqual([]);
  });

  it.each([
    ["a shell as process 1", 'CMD ["node", "server.mjs"]', "CMD node server.mjs", /CMD with brackets/],
    ["no command", 'CMD ["node", "server.mjs"]', "", /expected CMD/],
    ["the user root", "USER node", "", /USER other than root/],
    ["the user root by number", "USER node", "USER 0:0", /USER other than root/],
    ["an image without a version", "FROM node:24-slim\nENV", "FROM node\nENV", /tag of node/],
    ["the latest image", "FROM node:24-slim\nENV", "FROM node:latest\nENV", /tag of node:latest/],
    ["a secret in the history", "USER node", "ARG NPM_TOKEN\nUSER node", /secret in the image, got NPM_TOKEN/],
    ["a copy of the whole folder", "COPY package.json server.mjs ./", "COPY . .", /named files/],
    ["a relative folder", "WORKDIR /app\nCOPY --from", "WORKDIR app\nCOPY --from", /WORKDIR/],
    ["an unknown instruction", "USER node", "USSR node", /Unknown instruction: USSR/],
  ])("would have a finding for %s", (_name, right, wrong, finding) => {
    expect(text).toContain(right);
    expect(lintDockerfile(text.replace(right, wrong))).toContainEqual(expect.stringMatching(finding));
  });

  it("copies the files that .dockerignore admits, and no others", () => {
    const [first, ...admitted] = readFileSync(pathOf("express", ".dockerignore"), "utf8").trim().split("\n");
    expect(first).toBe("*");
    expect(admitted.sort()).toEqual(["!package-lock.json", ...image.files.map((file) => `!${file}`)].sort());
  });
});

describe.skipIf(missing("sshd"))("the entry point of examples/express/Dockerfile", () => {
  const app = tempDir("postern-container");
  let sshd: Sshd;
  let settings: Settings;
  beforeAll(async () => {
    for (const file of image.files) copyFileSync(pathOf("express", file), app.file(file));
    for (const path of image.fromStages)
      symlinkSync(pathOf("express", posix.basename(path)), app.file(posix.basename(path)));
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
    settings = await settingsFor(sshd);
  });
  afterAll(async () => {
    await sshd?.stop();
    app.remove();
  });

  function runInApp(
    [command = "", ...args]: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Running> {
    const { PATH = "" } = shellEnv();
    return launch(command, args, { cwd: app.path, env: { PATH, ...image.env, ...env } });
  }

  it("is healthy while visitors can come, and after SIGTERM completes a request, frees the port and exits with 0", async ({
    signal,
  }) => {
    const env = { ...settings.env, HEALTH_PORT: String(await freePort()) };
    const server = await runInApp(image.command, env);
    const healthCheck = async (): Promise<number | NodeJS.Signals> => (await runInApp(image.healthCheck, env)).exited;
    await server.stdout.waitFor(/leads here/, 30_000);
    expect(await healthCheck()).toBe(0);
    const visitor = await visit(settings.port);
    const body = '{"tea":2}';
    await visitor.send(
      "POST /orders HTTP/1.1\r\nhost: example.com\r\ncontent-type: application/json\r\n" +
        `expect: 100-continue\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    const goOn = "HTTP/1.1 100 Continue\r\n\r\n";
    expect((await visitor.read(goOn.length)).toString()).toBe(goOn);

    process.kill(server.pid, "SIGTERM");
    await freed(settings.port, signal);
    expect(await healthCheck()).toBe(1);
    await visitor.send(body);
    const answer = (await visitor.readAll()).toString();
    expect(answer).toMatch(/^HTTP\/1.1 201 Created\r\n/);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    expect(answer).toMatch(/\r\n\r\n\{"ordered":\{"tea":2\}\}$/);
    visitor.end();
    expect(await server.exited).toBe(0);
    expect(server.stderr.text()).toBe("");
  });

  it("is unhealthy while it waits for the server, and exits with 0 at SIGTERM", async () => {
    const env = { ...settings.env, POSTERN_PORT: String(await refusingPort()), HEALTH_PORT: String(await freePort()) };
    const server = await runInApp(image.command, env);
    await server.stdout.waitFor(/tunnel: waiting/, 30_000);
    expect(await (await runInApp(image.healthCheck, env)).exited).toBe(1);
    process.kill(server.pid, "SIGTERM");
    expect(await server.exited).toBe(0);
  });

  it("exits with 1 if the server denies the port", async () => {
    const strict = await startSshd({
      authorizedKeys: [(await userKey()).publicLine],
      config: { AllowTcpForwarding: "no" },
    });
    const { env } = await settingsFor(strict);
    const server = await runInApp(image.command, { ...env, HEALTH_PORT: "0" });
    expect(await server.exited).toBe(1);
    expect(server.stderr.text()).toMatch(/forward/);
    await strict.stop();
  });
});
