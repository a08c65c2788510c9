import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/help/usage-error.ts";
import { parseSshCommandLine } from "../../src/ssh/command-line.ts";

const parse = (text: string) => parseSshCommandLine(text.split(" "));

describe("parseSshCommandLine", () => {
  it("reads joined letters and arguments, and options between the host and the command", () => {
    expect(parse("-vvp2222 host -N -l me -- ls -l")).toMatchObject({
      destination: "host",
      command: "ls -l",
      verbose: 2,
      noCommand: true,
      settings: ["RequestTTY=no", "SessionType=none", "LogLevel=DEBUG2", "LogLevel=DEBUG1", "Port=2222", "User=me"],
    });
  });

  it("takes all words after the first one of the command, and all after a -- before the host", () => {
    expect(parse("host ls -p 3")).toMatchObject({ command: "ls -p 3", settings: [] });
    expect(parse("-- host -p 3")).toMatchObject({ destination: "host", command: "-p 3", settings: [] });
  });

  it("keeps the first of user and port, wherever it is", () => {
    expect(parse("-l a b@host").settings).toEqual(["User=a", "User=b"]);
    expect(parse("ssh://b@[::1]:44 -p 5 -l a")).toMatchObject({
      destination: "::1",
      settings: ["User=b", "Port=44", "Port=5", "User=a"],
    });
  });

  it("puts options that override earlier ones first", () => {
    expect(parse("-oAddressFamily=any -4 -6 x").settings).toEqual([
      "AddressFamily=inet6",
      "AddressFamily=inet",
      "AddressFamily=any",
    ]);
  });

  it("writes forwardings as keywords", () => {
    const line = "-L 8080:web:80 -L [::1]:1:[2001:db8::1]:2 -L /a:/b -R 0:h:1 -R *:9 -R 1080 -D :7 -R 5:/s x";
    expect(parse(line).settings).toEqual([
      "LocalForward=8080 web:80",
      "LocalForward=[::1]:1 [2001:db8::1]:2",
      "LocalForward=/a /b",
      "RemoteForward=0 h:1",
      "RemoteForward=*:9",
      "RemoteForward=1080",
      "DynamicForward=:7",
      "RemoteForward=5 /s",
    ]);
  });

  it("quotes values that contain white space, quotes or comments", () => {
    const { settings } = parseSshCommandLine(["-S", 'a "b" \\#', "-b", "#x", "-P", "", "x"]);
    expect(settings).toEqual(['BindAddress="#x"', 'ControlPath="a \\"b\\" \\\\#"', 'Tag=""']);
  });

  it("leaves out identity files that do not exist, with a warning", () => {
    const { settings, warnings } = parse("-i /nonexistent -i /etc/passwd x");
    expect(settings).toEqual(["IdentityFile=/etc/passwd"]);
    expect(warnings).toEqual(["Warning: Identity file /nonexistent not accessible: No such file or directory."]);
  });

  it("reads -W, -t, -f, -n, -M, -S, -O, -e, -E, -F, -G and the long options", () => {
    expect(parse("-W [::1]:22 x").stdioForward).toEqual({ host: "::1", port: 22 });
    expect(parse("-W /run/s x").stdioForward).toEqual({ path: "/run/s" });
    expect(parse("-t x").tty).toBe("yes");
    expect(parse("-tt x").tty).toBe("force");
    expect(parse("-T x").tty).toBe("no");
    expect(parse("-fMMnG -S p -e ^A -E l -F c -y --no-reconnect --log json --log=json x")).toMatchObject({
      background: 1,
      controlMaster: 2,
      stdinNull: true,
      printConfig: true,
      controlPath: "p",
      escapeChar: "\u0001",
      logFile: "l",
      configFile: "c",
      syslog: true,
      reconnect: false,
      log: "json",
    });
    expect(parse("-O check x").controlCommand).toBe("check");
  });

  it("stops at -V, -Q and --help", () => {
    expect(parse("-V -z")).toMatchObject({ version: true, destination: undefined });
    expect(parse("-Qcipher -z")).toMatchObject({ query: "cipher" });
    expect(parse("--help -z")).toMatchObject({ help: true });
  });

  it.each([
    ["-z x", "unknown option -- z"],
    ["x -z", "unknown option -- z"],
    ["-p", "option requires an argument -- p"],
    ["--foo x", "unknown option --foo"],
    ["-p 99999 x", "Bad port '99999'"],
    ["-p 0 x", "Bad port '0'"],
    ["-L foo x", "Bad local forwarding specification 'foo'"],
    ["-L 0:a:1 x", "Bad local forwarding specification '0:a:1'"],
    ["-R a:b:c:d:e x", "Bad remote forwarding specification 'a:b:c:d:e'"],
    ["-D x:y:z x", "Bad dynamic forwarding specification 'x:y:z'"],
    ["-W foo x", "Bad stdio forwarding specification 'foo'"],
    ["-e ab x", "Bad escape character 'ab'."],
    ["-O foo x", "Invalid multiplex command."],
    ["-W a:1 -O check x", "Cannot specify multiplexing command with -W"],
    ["-O check -W a:1 x", "Cannot specify stdio forward with -O"],
    ["-N -s x y", "Cannot specify -s with -N/SessionType"],
    ["-s x", "You must specify a subsystem to invoke."],
    ["-J a -J b x", "Only a single -J option is permitted (use commas to separate multiple jump hops)"],
    ["-c nosuch x", "Unknown cipher type 'nosuch'"],
    ["-c +nosuch x", "Unknown cipher type '+nosuch'"],
    ["-m nosuch,other x", "Unknown mac type 'nosuch,other'"],
    ["-1 x", "SSH protocol v.1 is no longer supported"],
    ["a;b", "hostname contains invalid characters"],
    ["u;x@h", "remote username contains invalid characters"],
  ])("refuses %j in the words of ssh", (line, message) => {
    // ssh prints its usage after these errors only.
    const showsUsage = /^(unknown option|option requires|You must specify a subsystem)/.test(message);
    expect(() => parse(line)).toThrow(new UsageError("", message, showsUsage));
  });

  it.each(["-A", "-C", "-X", "-Y", "-K", "-I x", "-w any"])("refuses %s, and says why", (option) => {
    expect(() => parse(`${option} x`)).toThrow(`${option.slice(0, 2)} is not supported: `);
  });
});
