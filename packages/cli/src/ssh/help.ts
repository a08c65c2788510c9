/** The description of the command that connects, with the options of ssh(1). @module */
import type { CommandHelp, OptionHelp } from "../help/command-help.ts";

const forwardings: readonly OptionHelp[] = [
  {
    short: "R",
    argument: "[address:]port:host:hostport",
    repeats: true,
    text: "Listens on a port of the server, and connects its visitors to host:hostport from here. Port 0: the server chooses one, which is printed. A path in place of either side is a UNIX socket. Without a target, the port is a SOCKS proxy.",
  },
  {
    short: "L",
    argument: "[address:]port:host:hostport",
    repeats: true,
    text: "Listens on a port of this machine, and connects to host:hostport from the server. A path in place of either side is a UNIX socket.",
  },
  {
    short: "D",
    argument: "[address:]port",
    repeats: true,
    text: "Listens on a port of this machine as a SOCKS proxy, whose connections start at the server.",
  },
  {
    short: "W",
    argument: "host:port",
    text: "Connects standard input and output to host:port from the server. Implies -N, -T, ExitOnForwardFailure and ClearAllForwardings.",
  },
  { short: "g", text: "Lets other machines connect to the ports of -L and -D." },
  { short: "N", text: "Runs no command. A lost connection is made again, unless --no-reconnect is given." },
];

const connection: readonly OptionHelp[] = [
  { short: "p", argument: "port", text: "The port of the server. Default: 22." },
  { short: "l", argument: "user", text: "The user to log in as. Default: the user of this machine." },
  {
    short: "i",
    argument: "file",
    repeats: true,
    completes: "file",
    text: "A private key to log in with, or a public key whose private half an agent holds.",
  },
  {
    short: "J",
    argument: "[user@]host[:port],…",
    completes: "host",
    text: "Connects through these hosts, in order. Each has its own configuration, and sees only encrypted data.",
  },
  {
    short: "F",
    argument: "file",
    completes: "file",
    text: "Reads this configuration file in place of ~/.ssh/config and the one of the system; none reads none.",
  },
  {
    short: "o",
    argument: "keyword=value",
    repeats: true,
    text: "A line of ssh_config(5) that counts before those of the files.",
  },
  { short: "P", argument: "tag", text: "A tag, with which Match tagged compares." },
  { short: "4", text: "Connects to IPv4 addresses only." },
  { short: "6", text: "Connects to IPv6 addresses only." },
  { short: "b", argument: "address", text: "Connects from this address of this machine." },
  { short: "B", argument: "interface", text: "Connects from the address of this network interface." },
  { short: "c", argument: "ciphers", text: "The ciphers to offer, best first; +, - and ^ change the defaults." },
  { short: "m", argument: "macs", text: "The MACs to offer, best first; +, - and ^ change the defaults." },
  {
    long: "no-reconnect",
    text: "Ends with status 255 when the connection is lost, as ssh does.",
  },
];

const session: readonly OptionHelp[] = [
  { short: "t", repeats: true, text: "Requests a terminal for a command. Twice: even if standard input is none." },
  { short: "T", text: "Requests no terminal." },
  { short: "s", text: "The command is the name of a subsystem of the server." },
  {
    short: "e",
    argument: "character",
    text: "The escape character of a terminal, ^X for a control character, or none. Default: ~.",
  },
  { short: "n", text: "Reads nothing from standard input." },
  {
    short: "f",
    text: "Goes to the background once it is logged in, before the command runs. Implies -n. With ExitOnForwardFailure, it first waits for the forwardings.",
  },
];

const master: readonly OptionHelp[] = [
  {
    short: "M",
    repeats: true,
    text: "Lets later commands use this connection through the socket of -S. Twice: each use is asked for.",
  },
  { short: "S", argument: "path", completes: "file", text: "The control socket of a shared connection, or none." },
  {
    short: "O",
    argument: "command",
    completes: ["check", "forward", "cancel", "exit", "stop", "conninfo", "channels"],
    text: "Controls a connection that is shared: check, forward, cancel, exit, stop, conninfo or channels.",
  },
];

const output: readonly OptionHelp[] = [
  { short: "q", text: "Prints errors that end the program only." },
  { short: "v", repeats: true, text: "Prints what happens. Two or three times: more of it." },
  { short: "E", argument: "file", completes: "file", text: "Appends the log to this file instead of standard error." },
  { short: "y", text: "Sends the log to the system log." },
  {
    long: "log",
    argument: "format",
    completes: ["text", "json"],
    text: "The format of the log: text, or json with one object per line. Default: text.",
  },
  { short: "G", text: "Prints the configuration of the host, and does not connect." },
  {
    short: "Q",
    argument: "name",
    completes: [
      "cipher",
      "cipher-auth",
      "compression",
      "help",
      "kex",
      "key",
      "key-ca-sign",
      "key-cert",
      "key-plain",
      "key-sig",
      "mac",
      "protocol-version",
      "sig",
    ],
    text: "Lists the algorithms of a kind that this program supports, or those that a keyword such as HostKeyAlgorithms takes. help lists the kinds.",
  },
  { short: "V", text: "Prints the version." },
];

/** Options of ssh without an effect, and those that end the program with an error. */
const without: readonly OptionHelp[] = [
  { short: "a", text: "Forwards no agent, which is always so." },
  { short: "x", text: "Forwards no X11, which is always so." },
  { short: "k", text: "Delegates no GSSAPI credentials, which is always so." },
  { short: "2", text: "Has no effect: there is no other version of the protocol." },
  { short: "A", text: "Refused: a forwarded agent lets the server use your keys. Use -J to pass through a host." },
  { short: "C", text: "Refused: compression of encrypted data reveals its content by its length." },
  { short: "X", text: "Refused: X11 is not forwarded." },
  { short: "Y", text: "Refused: X11 is not forwarded." },
  { short: "K", text: "Refused: there is no GSSAPI here." },
  { short: "I", argument: "library", text: "Refused: an agent can hold the keys of a PKCS#11 token." },
  { short: "w", argument: "device", text: "Refused: tun devices are not forwarded." },
  { short: "1", text: "Refused: version 1 of the protocol is insecure." },
];

export const sshHelp: CommandHelp = {
  name: "",
  summary: "connects to an SSH server, and keeps forwardings open",
  synopsis: ["[options] [user@]host [command]", "[options] ssh://[user@]host[:port] [command]"],
  description: [
    "Connects to an SSH server with the options, the configuration files, the keys and the known hosts of ssh. Forwards ports in both directions, and runs a command or a shell.",
    "Options may follow the host, up to the command. Letters may be joined, as in -NTvp2222.",
  ],
  options: [...forwardings, ...connection, ...session, ...master, ...output, ...without],
  examples: [
    {
      text: "Show the web server on port 3000 of this machine on port 8080 of the server, until interrupted:",
      command: "postern -N -R 8080:localhost:3000 me@ssh.example.com",
    },
    {
      text: "End if the port is taken or the connection is lost, so that a supervisor can start it again:",
      command: "postern -N -o ExitOnForwardFailure=yes --no-reconnect -R 8080:localhost:3000 me@ssh.example.com",
    },
    {
      text: "Reach a database that only the server can reach:",
      command: "postern -N -L 5432:db.internal:5432 me@ssh.example.com",
    },
    { text: "Run a command:", command: "postern me@ssh.example.com uptime" },
    { text: "Show what the configuration says about a host:", command: "postern -G my-alias" },
  ],
  sections: [
    {
      title: "configuration",
      paragraphs: [
        "The files are ~/.ssh/config and /etc/ssh/ssh_config, with the keywords, tokens and defaults of ssh_config(5). The first value of a keyword counts: options, then the user's file, then the system's.",
        "ForwardAgent, ForwardX11, Tunnel, GSSAPIAuthentication, HostbasedAuthentication, PKCS11Provider, VerifyHostKeyDNS and others of what is refused or not supported have no effect in a file: -v names their lines. Compression yes is an error. Match exec, ProxyCommand, KnownHostsCommand and LocalCommand run commands, as with ssh.",
      ],
    },
    {
      title: "exit status",
      paragraphs: ["The status of the command, or 255 if an error occurs."],
    },
  ],
};
