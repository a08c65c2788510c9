/** Units of systemd: systemd.service(5), systemd.exec(5). @module */
import { join } from "node:path";
import { kindOf, type ServicePlan, type ServiceRequest, signature } from "./plan.ts";

/** Plans a unit of the user's manager, or of the system. */
export function systemdPlan(request: ServiceRequest, env: NodeJS.ProcessEnv = process.env): ServicePlan {
  const { name, isSystem, home } = request;
  const unit = `postern-${name}.service`;
  const folder = isSystem
    ? "/etc/systemd/system"
    : join(env.XDG_CONFIG_HOME || join(home, ".config"), "systemd", "user");
  const manager = isSystem ? ["systemctl"] : ["systemctl", "--user"];
  return {
    path: join(folder, unit),
    text: unitText(request),
    install: [
      [...manager, "daemon-reload"],
      [...manager, "enable", "--now", unit],
    ],
    uninstall: { before: [[...manager, "disable", "--now", unit]], after: [[...manager, "daemon-reload"]] },
    logs: ({ lines, follow }) => [
      "journalctl",
      ...(isSystem ? ["--unit"] : ["--user-unit"]),
      unit,
      ...["--lines", String(lines)],
      ...(follow ? ["--follow"] : []),
    ],
    notes: isSystem ? [] : ["The service runs while you are logged in. To keep it running: loginctl enable-linger"],
  };
}

function unitText(request: ServiceRequest): string {
  const { name, isSystem, runAs, program, args, workingFolder } = request;
  const kind = kindOf(args);
  const lines = [
    `# ${signature}`,
    "[Unit]",
    `Description=Postern: ${specifiers(name)}`,
    "Documentation=man:postern(1)",
    ...(isSystem ? ["Wants=network-online.target", "After=network-online.target"] : []),
    // Never give up: a network may be down for days.
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    ...type(kind),
    `ExecStart=${[...program, ...args].map(word).join(" ")}`,
    ...(kind === "connect" ? [] : ["ExecReload=/bin/kill -HUP $MAINPID"]),
    `WorkingDirectory=${specifiers(workingFolder)}`,
    "Restart=always",
    "RestartSec=5",
    ...(isSystem && runAs !== undefined ? [`User=${runAs}`] : []),
    "",
    ...(isSystem ? [...sandbox, ...systemSandbox(kind, runAs)] : sandbox),
    "",
    "[Install]",
    `WantedBy=${isSystem ? "multi-user.target" : "default.target"}`,
  ];
  return `${lines.join("\n")}\n`;
}

function type(kind: ReturnType<typeof kindOf>): string[] {
  if (kind === "connect") return ["Type=exec"];
  // systemd-notify, a child process, sends the messages.
  return ["Type=notify", "NotifyAccess=all", "WatchdogSec=60", "TimeoutStartSec=120"];
}

/** Restrictions that need no privileges. Memory must stay executable, because Node.js compiles code in it. */
const sandbox = [
  "NoNewPrivileges=yes",
  "LockPersonality=yes",
  "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "UMask=0077",
];

/** Homes are readable, because keys and known_hosts are there. */
function systemSandbox(kind: ReturnType<typeof kindOf>, runAs: string | undefined): string[] {
  const capabilities = kind === "host" ? "CAP_NET_BIND_SERVICE" : "";
  return [
    "PrivateDevices=yes",
    "PrivateTmp=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=read-only",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectSystem=full",
    `CapabilityBoundingSet=${capabilities}`,
    ...(runAs === "root" || capabilities === "" ? [] : [`AmbientCapabilities=${capabilities}`]),
  ];
}

/** Quotes a word of a command line: systemd.service(5), COMMAND LINES. */
function word(text: string): string {
  const plain = specifiers(text).replaceAll("$", "$$$$");
  if (/^[\w@%+=:,./$-]+$/.test(plain)) return plain;
  return `"${plain.replaceAll(/[\\"]/g, "\\$&")}"`;
}

function specifiers(text: string): string {
  return text.replaceAll("%", "%%");
}
