/** The description of `postern host`. @module */
import type { CommandHelp } from "../help/command-help.ts";

export const hostHelp: CommandHelp = {
  name: "host",
  summary: "run a host that forwards ports, in place of an sshd",
  synopsis: [
    "[--config file] [--workers number]",
    "-f sshd_config [--workers number] [-46DdeiqtTV] [-C connection] [-c certificate] [-E log] [-g seconds] [-h key] [-o option] [-p port]",
    "init [--folder folder]",
    "hash",
  ],
  description: [
    "Runs an SSH server that forwards ports and nothing else: no shell, no files, no commands. Its configuration is a file in JSON, host.json in the current folder unless --config names another one, or a file in the form of sshd_config(5).",
    "With -f, the users are those of the system, and log in with the keys in their AuthorizedKeysFile. System passwords are out of reach, so passwords are refused. Keywords about shells, PAM, X11 and other things that a host lacks are accepted without effect.",
    "With -f and without -D, -d and -i, the host runs in the background; the command ends once it listens. With a configuration in JSON it stays in the foreground.",
    "SIGHUP reads the configuration again without disconnecting anybody. If it has an error, the earlier one stays. SIGTERM and SIGINT free the port, let open channels end for some seconds, and end the host.",
    "With --workers, several processes serve the clients on one set of ports, so that more than one core is used. One that ends takes only its own clients with it, and is replaced.",
    "init writes a configuration with comments and a host key into a folder, and never overwrites a file. hash reads a password from standard input and prints the hash for a configuration in JSON.",
  ],
  options: [
    { long: "config", argument: "file", text: "The configuration in JSON. Comments are allowed.", completes: "file" },
    {
      long: "folder",
      argument: "folder",
      text: "Of init: where to write. Default: the current folder.",
      completes: "folder",
    },
    {
      long: "workers",
      argument: "number",
      text: "Processes that serve the clients, in place of `workers` of the configuration: a number, or auto for one per core. Default: 1: no worker processes.",
    },
    { short: "f", argument: "file", text: "A configuration in the form of sshd_config(5).", completes: "file" },
    { short: "t", text: "Checks the configuration and the host keys, and exits." },
    { short: "T", text: "Prints the configuration that is in effect, and exits. See -C." },
    {
      short: "C",
      argument: "connection",
      repeats: true,
      text: "The connection whose Match blocks -T applies: user, host, addr, laddr and lport, as in user=deploy,addr=192.0.2.1.",
    },
    { short: "D", text: "Stays in the foreground." },
    {
      short: "d",
      repeats: true,
      text: "Debug mode: stays in the foreground, logs to standard error, and serves one connection. Up to three times.",
    },
    { short: "e", text: "Logs to standard error in place of the system's log." },
    { short: "E", argument: "file", text: "Appends the log to a file.", completes: "file" },
    { short: "i", text: "Serves the one connection of standard input and output, for inetd(8) and ProxyCommand." },
    {
      short: "p",
      argument: "port",
      repeats: true,
      text: "The port for clients, in place of those of the configuration.",
    },
    {
      short: "h",
      argument: "file",
      repeats: true,
      text: "A host key, besides those of the configuration.",
      completes: "file",
    },
    { short: "c", argument: "file", repeats: true, text: "A host certificate.", completes: "file" },
    {
      short: "o",
      argument: "option",
      repeats: true,
      text: "A line of sshd_config(5). It comes before those of the file.",
    },
    { short: "g", argument: "seconds", text: "LoginGraceTime." },
    { short: "4", text: "IPv4 only." },
    { short: "6", text: "IPv6 only." },
    { short: "q", text: "Logs nothing." },
    { short: "V", text: "Prints the version, and exits." },
  ],
  examples: [
    { text: "Write a configuration and a host key", command: "postern host init --folder /etc/postern" },
    { text: "Run the host of that configuration", command: "postern host --config /etc/postern/host.json" },
    { text: "Check a configuration of sshd", command: "postern host -t -f /etc/ssh/sshd_config" },
    {
      text: "Run it on another port, in the foreground",
      command: "postern host -D -e -f /etc/ssh/sshd_config -p 2222",
    },
  ],
  sections: [
    {
      title: "exit status",
      paragraphs: [
        "0 after SIGTERM, 1 for a wrong command line, a missing file or missing host keys, and 255 for a wrong configuration or if no port could be opened.",
      ],
    },
  ],
};
