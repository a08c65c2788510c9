/** The JSON Schema of the configuration of `postern host`. `schema/host.schema.json` is made from it. @module */
import type { RootSchema, Schema } from "../../system/schema.ts";
import { logFacilities, logLevels } from "../log-levels.ts";

const text = (description: string, more: Schema = {}): Schema => ({
  type: "string",
  minLength: 1,
  maxLength: 4096,
  description,
  ...more,
});
const path = (description: string): Schema => ({ $ref: "#/$defs/path", description });
const place = (description: string): Schema => ({ $ref: "#/$defs/place", description });
const whole = (description: string, minimum = 0, maximum = Number.MAX_SAFE_INTEGER): Schema => ({
  type: "integer",
  minimum,
  maximum,
  description,
});
const choice = (description: string, values: readonly string[]): Schema => ({
  type: "string",
  enum: values,
  description,
});
const list = (items: Schema, description: string, minItems = 0): Schema => ({
  type: "array",
  minItems,
  maxItems: 10_000,
  items,
  description,
});
const object = (
  description: string,
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = [],
): Schema => ({ type: "object", properties, required, additionalProperties: false, description });

const patterns = (description: string): Schema => list({ type: "string", minLength: 1, maxLength: 1024 }, description);

const limits: Readonly<Record<string, Schema>> = {
  connections: whole("Clients at once.", 1),
  startups: object("Clients that have not logged in, as MaxStartups of sshd_config(5).", {
    start: whole("From here on, connections are refused at random."),
    rate: whole("The percentage that is refused at `start`.", 0, 100),
    full: whole("From here on, all are refused."),
  }),
  startupsPerSource: whole("Clients of one address that have not logged in."),
  sourceBits: object("Bits of an address that make a source.", {
    ipv4: whole("Of an IPv4 address.", 0, 32),
    ipv6: whole("Of an IPv6 address.", 0, 128),
  }),
  penalties: {
    description: "Slows down and refuses sources that fail too often; `false` turns it off.",
    anyOf: [
      { type: "boolean", const: false },
      object("As PerSourcePenalties of sshd_config(5).", {
        authFailMs: whole("For a failed login."),
        noAuthMs: whole("For a connection that never tried to log in."),
        graceMs: whole("For a connection that did not log in in time."),
        thresholdMs: whole("A source is refused above this sum."),
        maxMs: whole("The most that a source may have."),
        delayMs: whole("The delay of the answer to the first wrong password. It doubles with each further one."),
        maxDelayMs: whole("The longest delay."),
        maxSources: whole("Sources that are remembered.", 1),
        exempt: {
          type: "string",
          maxLength: 65_536,
          description: "Addresses and networks without penalties, separated by commas.",
        },
      }),
    ],
  },
  loginTimeoutMs: whole("From the first byte to the end of the login.", 1),
  attempts: whole("Refused login attempts of a connection."),
  channels: whole("Visitors and direct connections of a client."),
  visitorsPerForwarding: whole("Visitors of one port."),
  visitorsPerSource: whole("Visitors of a client from one address."),
  forwardings: whole("Ports of a client."),
  sessions: whole("Sessions of a client."),
  connectionsPerUser: whole("Connections of one user."),
  forwardingsPerUser: whole("Ports of one user."),
  channelsPerUser: whole("Visitors and direct connections of one user."),
  memory: whole("Unread bytes of a client."),
  totalMemory: whole("Unread bytes of all clients, and 2 MiB for each."),
  lowestPort: whole("The lowest port that clients may listen on.", 0, 65_535),
  targetTimeoutMs: whole("For the connection to a target.", 1),
};

const user = object("How one user may log in, and what the user may forward.", {
  password: text("The hash of the password, as `postern host hash` prints it.", {
    pattern: "^\\$(?:scrypt|argon2id)\\$",
  }),
  keys: list(
    text("A line of an authorized_keys file.", { maxLength: 16_384 }),
    "Public keys, with options before them.",
  ),
  keysFiles: list(
    path("A file of keys."),
    "Files in the form of authorized_keys. They are read at the start and on SIGHUP.",
  ),
  permitListen: patterns(
    "The ports that the user may listen on, such as `localhost:8080` or `localhost:*`. Default: every port, no UNIX socket.",
  ),
  permitOpen: patterns("The targets that the user may connect to, such as `db.internal:5432`. Default: none."),
});

/** The schema of host.json. */
export const hostSchema: RootSchema = {
  title: "The configuration of postern host",
  type: "object",
  properties: {
    $schema: { type: "string", maxLength: 1024, description: "The address of this schema, for editors." },
    listen: list(
      place("An address and a port."),
      "Where clients connect, such as `0.0.0.0:2222`, `[::]:2222`, or `2222` for all addresses.",
      1,
    ),
    workers: {
      description:
        "Processes that serve the clients. `auto` is one for each core. Default: 1: no worker processes. A change needs a restart of the host.",
      anyOf: [whole("Their number.", 1, 1024), choice("One for each core.", ["auto"])],
    },
    hostKeys: list(
      {
        anyOf: [
          path("A private key."),
          object(
            "A private key with a host certificate.",
            { key: path("The private key."), certificate: path("The certificate.") },
            ["key"],
          ),
        ],
      },
      "Private keys, which clients know the host by. `postern host init` makes one.",
      1,
    ),
    users: {
      type: "object",
      description: "The users by name.",
      propertyNames: { pattern: "^\\S{1,256}$" },
      additionalProperties: user,
      maxProperties: 100_000,
    },
    revokedKeys: path("Keys that may not log in: a public key per line, or a KRL of `ssh-keygen -k`."),
    gatewayPorts: choice("The addresses that users may listen on: `no` is loopback.", ["no", "yes", "clientspecified"]),
    socketMode: text("The mode of UNIX sockets that users listen on.", { pattern: "^0?[0-7]{3}$", default: "0600" }),
    banner: text("A text for clients before the login.", { maxLength: 65_536 }),
    versionAddendum: text("Comments after the software version.", { maxLength: 100 }),
    keepAlive: object("Keepalives to clients.", {
      intervalMs: whole("The silence before one is sent. 0 turns them off."),
      countMax: whole("Unanswered ones before the client is disconnected.", 1),
    }),
    rekey: object("When new keys are exchanged.", {
      bytes: whole("Bytes in one direction.", 1),
      packets: whole("Packets in one direction.", 1),
      ms: whole("Milliseconds.", 1),
    }),
    takeover: {
      description: "Whose new connection gets a port that a silent one holds. Default: `user`.",
      anyOf: [{ type: "boolean", const: false }, choice("Of the same user, or of the same key too.", ["user", "key"])],
    },
    url: text("The public URL of a forwarding. `{user}`, `{port}` and `{address}` are replaced.", {
      pattern: "^https?://",
    }),
    limits: object("Limits. Those that are not named have their defaults.", limits),
    health: place(
      "Where /health and /metrics are served over HTTP, for your own network only. A port alone is one of 127.0.0.1.",
    ),
    drainMs: whole("How long open channels may take to end after SIGTERM.", 0, 3_600_000),
    pidFile: path("A file for the process ID."),
    log: object("The log.", {
      level: choice("The least important messages. Default: INFO.", logLevels),
      format: choice("`text` is that of sshd; `json` writes records to standard output.", ["text", "json"]),
      file: path("A file that the log is appended to."),
      to: choice("Without a file: standard error (default), or the log of the system.", ["stderr", "system"]),
      facility: choice("The facility of the log of the system. Default: AUTH.", Object.keys(logFacilities)),
    }),
  },
  required: ["listen", "hostKeys", "users"],
  additionalProperties: false,
  $defs: {
    path: {
      type: "string",
      minLength: 1,
      maxLength: 4096,
      description: "A path, relative to the folder of the configuration.",
    },
    place: {
      type: "string",
      maxLength: 300,
      pattern: "^(?:(?:\\[[0-9a-fA-F:.]+\\]|[^:\\[\\]\\s]+):)?\\d{1,5}$",
      description: "`ADDRESS:PORT`, or a port alone.",
    },
  },
};
