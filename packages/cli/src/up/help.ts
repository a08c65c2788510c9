/** The help of `up`, `status` and `down`. @module */
import type { CommandHelp, OptionHelp } from "../help/command-help.ts";

const config: OptionHelp = {
  short: "c",
  long: "config",
  argument: "file",
  completes: "file",
  text: "The configuration: JSON, or a module with the ending `.mjs` or `.ts`. Default: `postern.json`, `postern.mjs` or `postern.ts` in the working directory.",
};

const control: OptionHelp = {
  long: "control",
  argument: "path",
  completes: "file",
  text: "The control socket, if the configuration is not here, or is a module that sets `control`. Default: that of the configuration.",
};

/** The help of `postern up`. */
export const upHelp: CommandHelp = {
  name: "up",
  summary: "opens all tunnels of a configuration file, and keeps them open",
  synopsis: ["[--config file] [--log text|json] [--log-file file]"],
  description: [
    "Opens the tunnels of a file, and reconnects each of them by itself. The file is read again when it changes, and at SIGHUP. Tunnels and forwardings that stay the same keep their connections. A file with a mistake is reported, and the tunnels go on as before.",
    "Another process asks and stops the tunnels with `postern status` and `postern down`.",
  ],
  options: [
    config,
    {
      long: "log",
      argument: "format",
      completes: ["text", "json"],
      text: "The format of the log: each record is one line of text, or one JSON object. Default: `text`.",
    },
    {
      long: "log-file",
      argument: "file",
      completes: "file",
      text: "Appends the log to a file, which is opened again at SIGHUP. Default: standard error.",
    },
    { long: "check", text: "Only checks the configuration." },
  ],
  examples: [
    { text: "Opens the tunnels of `postern.json`.", command: "postern up" },
    {
      text: "Runs as a service, with a log for machines.",
      command: "postern up --config /etc/postern/postern.json --log json",
    },
  ],
  sections: [
    {
      title: "signals",
      paragraphs: [
        "SIGHUP reads the configuration and the ssh configuration again, starts tunnels that have failed or were stopped, and opens the log file again.",
        "SIGTERM and SIGINT free all ports. Open connections may take `drainMs` to finish. A second signal ends them.",
      ],
    },
    {
      title: "service manager",
      paragraphs: [
        "Under systemd, a unit with `Type=notify` and `NotifyAccess=all` learns that the service is ready once each tunnel has been tried: its forwardings are open, or an attempt has failed and will be repeated. A server that is down does not delay the others. Reloads, the end, a status line and the watchdog are reported, too. The program `systemd-notify` sends these messages.",
      ],
    },
    {
      title: "exit status",
      paragraphs: [
        "0 after `postern down`, SIGTERM or SIGINT. 255 if the configuration has a mistake at the start, if another process runs it, or if every tunnel has failed for good.",
      ],
    },
  ],
};

/** The help of `postern status`. */
export const statusHelp: CommandHelp = {
  name: "status",
  summary: "shows the tunnels of a running `postern up`",
  synopsis: ["[--config file] [--json]"],
  description: [
    "Shows each tunnel with its state, server, forwardings, visitors and bytes, and the last error of each.",
  ],
  options: [config, control, { long: "json", text: "Prints one JSON object." }],
  examples: [
    { text: "Shows the tunnels of `postern.json`.", command: "postern status" },
    {
      text: "Lists the tunnels that are not open.",
      command: "postern status --json | jq '.tunnels[] | select(.state != \"open\") | .name'",
    },
  ],
  sections: [
    {
      title: "exit status",
      paragraphs: [
        "0 if all tunnels and forwardings are open, 1 if some are not, 255 if no process runs the configuration.",
      ],
    },
  ],
};

/** The help of `postern down`. */
export const downHelp: CommandHelp = {
  name: "down",
  summary: "stops a running `postern up`, or some of its tunnels",
  synopsis: ["[--config file] [name ...]"],
  description: [
    "Frees the ports, and lets open connections finish for `drainMs`. Without names the process ends; with names, only these tunnels. SIGHUP starts them again.",
  ],
  options: [config, control],
  examples: [
    { text: "Stops everything.", command: "postern down" },
    { text: "Stops two tunnels.", command: "postern down shop wiki" },
  ],
  sections: [
    {
      title: "exit status",
      paragraphs: ["0 once everything is stopped, 255 if no process runs the configuration or a name is unknown."],
    },
  ],
};
