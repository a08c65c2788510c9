/** The description of `postern keygen`. @module */
import { fingerprintHashes } from "../fingerprint/hashes.ts";
import type { CommandHelp } from "../help/command-help.ts";

export const keygenHelp: CommandHelp = {
  name: "keygen",
  summary: "makes keys, and changes their passphrases",
  synopsis: [
    "[-q] [-t <type>] [-b <bits>] [-f <file>] [-C <comment>] [-N <passphrase>]",
    "-p [-f <file>] [-P <passphrase>] [-N <passphrase>]",
    "-c [-f <file>] [-P <passphrase>] [-C <comment>]",
    "-y [-f <file>] [-P <passphrase>]",
    "-l [-v] [-E <hash>] [-f <file>]",
  ],
  description: [
    "Makes a private key and a file with its public key, which goes into authorized_keys on a server. Files and " +
      "messages are those of ssh-keygen. It asks for what is not set: the file and a passphrase.",
    "-p, -c and -y also read keys of PuTTY and in the PEM, DER, PKCS #12 and JWK formats. -p and -c write the format " +
      "of OpenSSH.",
  ],
  options: [
    {
      short: "t",
      argument: "type",
      text: "Type of the key. Default: ed25519.",
      completes: ["ed25519", "ecdsa", "rsa"],
    },
    {
      short: "b",
      argument: "bits",
      text: "Size of the key: 256, 384 or 521 for ecdsa, 2048 to 16384 for rsa. Default: 256 and 3072.",
    },
    {
      short: "f",
      argument: "file",
      text: "The file of the private key. Default: id_ed25519, id_ecdsa or id_rsa in ~/.ssh.",
      completes: "file",
    },
    { short: "C", argument: "comment", text: "Comment of the key. Default: user@host." },
    {
      short: "N",
      argument: "passphrase",
      text: "The new passphrase; empty for none. Other users of the machine can see it in the list of processes.",
    },
    { short: "P", argument: "passphrase", text: "The old passphrase." },
    { short: "p", text: "Changes the passphrase of a key." },
    { short: "c", text: "Changes the comment of a key." },
    { short: "y", text: "Prints the public key of a private key." },
    { short: "l", text: "Prints the fingerprint of a key, or of every key in the file." },
    { short: "v", text: "Prints a picture of the key, too, with -l." },
    { short: "E", argument: "hash", text: "Hash of the fingerprints. Default: sha256.", completes: fingerprintHashes },
    { short: "q", text: "Prints nothing but questions and errors." },
  ],
  examples: [
    { text: "A key with a passphrase:", command: "postern keygen -f ~/.ssh/id_tunnel" },
    {
      text: "A key without a passphrase, such as a service needs:",
      command: "postern keygen -q -N '' -f tunnel_key",
    },
    { text: "Another passphrase:", command: "postern keygen -p -f ~/.ssh/id_tunnel" },
    { text: "The public key of a private key:", command: "postern keygen -y -f ~/.ssh/id_tunnel" },
  ],
};
