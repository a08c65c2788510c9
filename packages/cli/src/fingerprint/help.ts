/** The description of `postern fingerprint`. @module */
import type { CommandHelp } from "../help/command-help.ts";
import { fingerprintHashes } from "./hashes.ts";

export const fingerprintHelp: CommandHelp = {
  name: "fingerprint",
  summary: "prints the fingerprints of keys, and of the host keys of servers",
  synopsis: ["[-v] [-E <hash>] [<file>|<host>[:<port>] ...]", "-F [-v] [-E <hash>] <host>[:<port>] ..."],
  description: [
    "Of a file, it prints the fingerprint of every key in it: a private or public key, a certificate, authorized_keys " +
      "or known_hosts. Without an argument, it prints those of the public keys in ~/.ssh.",
    "Anything else is a host. It connects once for each type of host key, does not log in, and prints the " +
      "fingerprints of the keys that the host has proved to own. Compare them with those that the operator of the " +
      "host publishes, because an attacker between you and the host could answer, too.",
  ],
  options: [
    { short: "E", argument: "hash", text: "Hash of the fingerprints. Default: sha256.", completes: fingerprintHashes },
    { short: "F", long: "known", text: "Looks the host up in known_hosts, and does not connect." },
    {
      short: "f",
      argument: "file",
      text: "The known_hosts file for -F. Default: those of ssh.",
      repeats: true,
      completes: "file",
    },
    {
      short: "k",
      long: "keys",
      text: "Prints the lines for known_hosts, as ssh-keyscan does, and not the fingerprints.",
    },
    { short: "p", argument: "port", text: "Port of the hosts. Default: 22." },
    { short: "T", argument: "seconds", text: "How long to wait for a host. Default: 5." },
    { short: "v", text: "Prints a picture of each key, too." },
  ],
  examples: [
    { text: "The fingerprints of a server:", command: "postern fingerprint example.com" },
    { text: "Those that ssh has stored for it:", command: "postern fingerprint --known example.com:2222" },
    { text: "The fingerprint of a key:", command: "postern fingerprint ~/.ssh/id_ed25519" },
  ],
  completes: ["host"],
};
