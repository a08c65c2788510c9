/** Descriptions with everything that a renderer has to treat: each kind of option, choice and character. @module */
import type { CommandHelp } from "../src/help/command-help.ts";

const connect: CommandHelp = {
  name: "",
  summary: "connects as ssh does",
  synopsis: ["[options] [<user>@]<host> [<command>]"],
  description: ["Connects to a host. It's the \\ of `commands`, and ~/.ssh/config – applies."],
  options: [
    { short: "N", text: "Runs no command. Use it for tunnels." },
    { short: "p", argument: "port", text: "port of the server" },
    { short: "R", argument: "forward", repeats: true, text: "opens a port [on the server]: a reverse tunnel" },
    { short: "i", argument: "file", text: "a private key", completes: "file", repeats: true },
    { short: "J", argument: "host", text: "a jump host", completes: "host" },
    { long: "no-reconnect", text: "ends with the connection" },
  ],
  examples: [{ text: "A web server on port 80:", command: "postern -N -R 8080:localhost:80 me@example.com" }],
  sections: [{ title: "exit status", paragraphs: ["255 if it fails.", ".starts with a dot", "'quoted'"] }],
  completes: ["host"],
};

const keygen: CommandHelp = {
  name: "keygen",
  summary: "makes keys",
  synopsis: ["[options]", "-y -f <file>"],
  description: ["Makes keys as ssh-keygen does."],
  options: [
    { short: "t", long: "type", argument: "type", text: "the type", completes: ["ed25519", "ecdsa", "rsa"] },
    { short: "f", long: "file", argument: "file", text: "the file", completes: "file" },
    { long: "folder", argument: "path", text: "a folder", completes: "folder" },
  ],
  examples: [{ text: "A key:", command: "postern keygen -t ed25519" }],
};

const service: CommandHelp = {
  name: "service",
  summary: "a service: of systemd [or launchd]",
  synopsis: ["install|logs [<name>]"],
  description: [],
  options: [],
  examples: [],
  completes: [["install", "logs"], "command"],
};

/** Three commands. */
export const sampleHelp: readonly CommandHelp[] = [connect, keygen, service];
