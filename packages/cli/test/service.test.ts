/** `postern service`: the files as text, checked by the tools of the machine, and the commands that it runs. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serviceHelp } from "../src/service/help.ts";
import { launchdPlan } from "../src/service/launchd.ts";
import type { Command, ServiceRequest } from "../src/service/plan.ts";
import { runService, type ServiceSystem } from "../src/service/service.ts";
import { systemdPlan } from "../src/service/systemd.ts";
import { windowsPlan } from "../src/service/windows.ts";

let home = "";
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "postern-service-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const connect = ["-N", "-R", "8080:localhost:3000", "me@example.com"];
const awkward = ["-N", "-o", "RemoteCommand=echo \"100%\" $HOME \\ 'x' <&>", "me@example.com"];
const request: ServiceRequest = {
  name: "web",
  isSystem: false,
  runAs: undefined,
  program: ["/usr/bin/node", "/opt/postern/dist/postern.js"],
  args: connect,
  workingFolder: "/srv/a folder",
  home: "/home/me",
};
const systemRequest: ServiceRequest = { ...request, isSystem: true, runAs: "daemon" };

describe("units of systemd", () => {
  it.each([
    {
      title: "of a connection",
      plan: systemdPlan(request, {}),
      path: "/home/me/.config/systemd/user/postern-web.service",
      type: "exec",
    },
    {
      title: "of up",
      plan: systemdPlan({ ...request, args: ["up"] }, {}),
      path: "/home/me/.config/systemd/user/postern-web.service",
      type: "notify",
    },
    {
      title: "of the system",
      plan: systemdPlan(systemRequest, {}),
      path: "/etc/systemd/system/postern-web.service",
      type: "exec",
    },
    {
      title: "of a host of the system",
      plan: systemdPlan({ ...systemRequest, args: ["host"] }, {}),
      path: "/etc/systemd/system/postern-web.service",
      type: "notify",
    },
    {
      title: "with awkward words",
      plan: systemdPlan({ ...request, args: awkward }, {}),
      path: "/home/me/.config/systemd/user/postern-web.service",
      type: "exec",
    },
  ])("$title have no warning of systemd-analyze", ({ plan, path, type }) => {
    expect(plan.path).toBe(path);
    expect(plan.text).toContain(`\nType=${type}\n`);
    expect(plan.text.includes("WatchdogSec=60\n") && plan.text.includes("NotifyAccess=all\n")).toBe(type === "notify");
    const file = join(home, "postern-check.service");
    // The program and the folder of the unit need not be here.
    writeFileSync(
      file,
      plan.text.replace("/usr/bin/node", "/bin/true").replace(/^WorkingDirectory=.*$/m, "WorkingDirectory=/"),
    );
    const { status, stderr, error } = spawnSync(
      "systemd-analyze",
      ["verify", "--man=no", "--recursive-errors=no", file],
      { encoding: "utf8" },
    );
    if (error !== undefined) return console.log("not checked: systemd-analyze is not installed");
    expect({ status, lines: stderr.split("\n").filter((line) => line.includes("postern-check")) }).toEqual({
      status: 0,
      lines: [],
    });
  });

  it("pass each word on as it is", () => {
    const [, line = ""] = /^ExecStart=(.*)$/m.exec(systemdPlan({ ...request, args: awkward }, {}).text) ?? [];
    expect(line).toBe(
      '/usr/bin/node /opt/postern/dist/postern.js -N -o "RemoteCommand=echo \\"100%%\\" $$HOME \\\\ \'x\' <&>" me@example.com',
    );
  });

  it("run as the user, without capabilities but that of low ports for a host", () => {
    const { text } = systemdPlan(systemRequest, {});
    expect(text).toContain("\nUser=daemon\n");
    expect(text).toContain("\nCapabilityBoundingSet=\n");
    expect(text).toContain("\nNoNewPrivileges=yes\n");
    expect(text).not.toContain("AmbientCapabilities");
    const host = systemdPlan({ ...systemRequest, args: ["host"] }, {}).text;
    expect(host).toContain("\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n");
  });

  it("are where XDG_CONFIG_HOME says", () => {
    expect(systemdPlan(request, { XDG_CONFIG_HOME: "/etc/xdg" }).path).toBe(
      "/etc/xdg/systemd/user/postern-web.service",
    );
  });
});

describe("a property list of launchd", () => {
  const { path, text, logs } = launchdPlan({ ...request, args: awkward }, 501);

  it("has the words, the folder and a log", () => {
    expect(path).toBe("/home/me/Library/LaunchAgents/io.github.postern.web.plist");
    expect(text).toContain("<string>RemoteCommand=echo &quot;100%&quot; $HOME \\ 'x' &lt;&amp;&gt;</string>");
    expect(text).toContain("<key>WorkingDirectory</key>\n  <string>/srv/a folder</string>");
    expect(logs({ lines: 20, follow: true })).toEqual([
      "tail",
      "-n",
      "20",
      "-F",
      "/home/me/Library/Logs/postern-web.log",
    ]);
    expect(text).not.toContain("UserName");
  });

  it("is XML", () => {
    const { stderr, error, status } = spawnSync(
      "python3",
      ["-c", "import plistlib,sys; plistlib.loads(sys.stdin.buffer.read())"],
      { input: text },
    );
    if (error !== undefined) return console.log("not checked: python3 is not installed");
    expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: "" });
  });

  it("of the system names its user", () => {
    const plan = launchdPlan(systemRequest, 0);
    expect(plan.text).toContain("<key>UserName</key>\n  <string>daemon</string>");
    expect(plan.install).toEqual([["launchctl", "bootstrap", "system", plan.path]]);
  });
});

describe("a task of Windows", () => {
  const env = { LOCALAPPDATA: "C:\\Users\\me\\AppData\\Local" };
  const program = ["C:\\Program Files\\nodejs\\node.exe", "C:\\tools\\postern.js"];

  it("runs Node.js with the words, and a log file", () => {
    const { path, text, logs } = windowsPlan({ ...request, program, args: ["-N", "-o", 'A="b c\\"', "host"] }, env);
    expect(path).toBe("C:\\Users\\me\\AppData\\Local\\postern\\services\\web.xml");
    expect(text).toContain("<Command>C:\\Program Files\\nodejs\\node.exe</Command>");
    const log = "C:\\Users\\me\\AppData\\Local\\postern\\services\\web.log";
    const words = `C:\\tools\\postern.js -E ${log} -N -o "A=\\"b c\\\\\\"" host`;
    expect(text).toContain(`<Arguments>${words.replaceAll('"', "&quot;")}</Arguments>`);
    expect(text).toContain("<LogonTrigger>");
    expect(logs({ lines: 5, follow: false }).at(-1)).toBe(`Get-Content -LiteralPath '${log}' -Tail 5`);
  });

  it("of the system starts with it, as a user without privileges", () => {
    const { text } = windowsPlan({ ...systemRequest, program, runAs: undefined }, {});
    expect(text).toContain("<BootTrigger>");
    expect(text).toContain("<UserId>LOCAL SERVICE</UserId><RunLevel>LeastPrivilege</RunLevel>");
  });
});

describe("postern service", () => {
  interface Outcome {
    readonly status: number;
    readonly printed: readonly string[];
    readonly ran: readonly string[];
  }

  async function service(args: readonly string[], more: Partial<ServiceSystem> = {}): Promise<Outcome> {
    const printed: string[] = [];
    const ran: string[] = [];
    const run = (command: Command): number => {
      ran.push(command.join(" "));
      return 0;
    };
    const machine: ServiceSystem = {
      ...{ platform: "linux", uid: 1000, home, workingFolder: "/srv", program: request.program },
      ...{ print: (line: string) => void printed.push(line), run },
      ...more,
    };
    return { status: await runService(serviceHelp, args, machine), printed, ran };
  }

  const unit = (name: string): string => systemdPlan({ ...request, name, home }).path;

  it("installs a unit, starts it, and says what it does", async () => {
    const { status, printed, ran } = await service(["install", "web", "--", ...connect]);
    expect(status).toBe(0);
    expect(readFileSync(unit("web"), "utf8")).toContain(
      "ExecStart=/usr/bin/node /opt/postern/dist/postern.js -N -R 8080:localhost:3000 me@example.com\n",
    );
    expect(ran).toEqual(["systemctl --user daemon-reload", "systemctl --user enable --now postern-web.service"]);
    expect(printed).toEqual([
      `wrote ${unit("web")}`,
      ...ran.map((line) => `running: ${line}`),
      "The service runs while you are logged in. To keep it running: loginctl enable-linger",
    ]);
  });

  it("replaces its own unit, and uninstalls it", async () => {
    await service(["install", "again", "--", "up"]);
    await service(["install", "again", "--", "up", "-c", "other.json"]);
    expect(readFileSync(unit("again"), "utf8")).toContain("up -c other.json\n");
    const { ran } = await service(["uninstall", "again"]);
    expect(ran).toEqual(["systemctl --user disable --now postern-again.service", "systemctl --user daemon-reload"]);
    expect(existsSync(unit("again"))).toBe(false);
    await expect(service(["uninstall", "again"])).rejects.toThrow("got no such file");
  });

  it("leaves a file of others alone", async () => {
    mkdirSync(dirname(unit("foreign")), { recursive: true });
    writeFileSync(unit("foreign"), "[Service]\n");
    await expect(service(["install", "foreign", "--", "up"])).rejects.toThrow("got another file");
    await expect(service(["uninstall", "foreign"])).rejects.toThrow("got another file");
    expect(readFileSync(unit("foreign"), "utf8")).toBe("[Service]\n");
  });

  it("changes nothing with --dry-run, and prints the file and the commands", async () => {
    const { printed, ran } = await service(["install", "--dry-run", "dry", "--", ...connect]);
    expect(printed.join("\n")).toContain(`# would write ${unit("dry")}:\n# Written by postern service install\n[Unit]`);
    expect(printed.at(-1)).toBe("# would run: systemctl --user enable --now postern-dry.service");
    expect(ran).toEqual([]);
    expect(existsSync(unit("dry"))).toBe(false);
  });

  it("shows the log of a unit", async () => {
    expect((await service(["logs", "-f", "-n", "5", "web"])).ran).toEqual([
      "journalctl --user-unit postern-web.service --lines 5 --follow",
    ]);
    expect((await service(["logs", "--system", "web"])).ran).toEqual([
      "journalctl --unit postern-web.service --lines 100",
    ]);
  });

  it("runs nothing as root without being told", async () => {
    await expect(service(["install", "web", "--", "up"], { uid: 0 })).rejects.toThrow("another user than root");
    await expect(service(["install", "--system", "web", "--", "up"], { uid: 0 })).rejects.toThrow("expected --run-as");
    await expect(service(["install", "--system", "--run-as", "me", "web", "--", "up"])).rejects.toThrow(
      "expected root",
    );
  });

  it.each([
    { args: ["start", "web"], message: "expected install, uninstall, logs" },
    { args: ["install", "../web", "--", "up"], message: "expected a name" },
    { args: ["install", "web"], message: "expected the arguments of postern" },
    { args: ["install", "web", "--", "-fN", "host"], message: "in the foreground" },
    { args: ["install", "web", "--", "up", "a\nb"], message: "without line feeds" },
    { args: ["install", "--system", "--run-as", "me\nUser=root", "web", "--", "up"], message: "name of a user" },
    { args: ["install", "--run-as", "me", "web", "--", "up"], message: "expected --system" },
    { args: ["logs", "-n", "many", "web"], message: "number of lines" },
    { args: ["logs", "web", "other"], message: "expected one name" },
  ])("rejects $args", async ({ args, message }) => {
    await expect(service(args)).rejects.toThrow(message);
  });

  it.each(["/srv/a\nExecStartPre=/bin/true", "/srv/a\\"])(
    "rejects the current folder %j, which would add settings",
    async (workingFolder) => {
      await expect(service(["install", "web", "--", "up"], { workingFolder })).rejects.toThrow("expected a folder");
    },
  );

  it("knows no services of other systems", async () => {
    await expect(service(["logs", "web"], { platform: "sunos" })).rejects.toThrow("expected --manager systemd");
  });
});
