/** The description of `postern service`. @module */
import type { CommandHelp } from "../help/command-help.ts";

/** The parts of an operating system that run services. */
export const serviceManagers = ["systemd", "launchd", "windows"] as const;

/** The things to do with a service. */
export const serviceActions = ["install", "uninstall", "logs"] as const;

export const serviceHelp: CommandHelp = {
  name: "service",
  summary: "installs a tunnel or a host as a service, which starts by itself",
  synopsis: [
    "install [--system --run-as <user>] [--dry-run] <name> -- <arguments of postern>",
    "uninstall [--system] [--dry-run] <name>",
    "logs [--system] [-n <lines>] [-f] <name>",
  ],
  description: [
    "Writes a unit of systemd, an agent of launchd on macOS, or a scheduled task on Windows, and starts it. The " +
      "service runs postern with the arguments after --, in the current folder: up, host, or a connection with the " +
      "options of ssh. No terminal is there, so that keys must have no passphrase or be in an agent, and the host key " +
      "must be known.",
    "Without --system, the service belongs to you and needs no privileges. A service of the system runs as the user " +
      "of --run-as, and as root only if that says so.",
  ],
  options: [
    { long: "system", text: "The service belongs to the system, and starts without a login. Needs root." },
    { long: "run-as", argument: "user", text: "The user that a service of the system runs as." },
    { long: "dry-run", text: "Prints the file and the commands, and changes nothing." },
    {
      long: "manager",
      argument: "name",
      text: "The manager of services. Default: that of this operating system.",
      completes: serviceManagers,
    },
    { short: "f", long: "follow", text: "Of logs: prints new lines as they come." },
    { short: "n", long: "lines", argument: "number", text: "Of logs: how many lines to print. Default: 100." },
  ],
  examples: [
    {
      text: "A web server of this machine on port 8080 of a server:",
      command: "postern service install web -- -N -R 8080:localhost:3000 me@example.com",
    },
    { text: "All tunnels of a file:", command: "postern service install tunnels -- up --config ~/postern.json" },
    {
      text: "A host, as the user postern:",
      command: "sudo postern service install --system --run-as postern host -- host --config /etc/postern/host.json",
    },
    { text: "Its messages:", command: "postern service logs -f web" },
  ],
  completes: [serviceActions],
};
