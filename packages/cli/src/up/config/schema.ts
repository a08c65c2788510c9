/** The JSON Schema of the configuration of `postern up`. `schema/postern.schema.json` is made from it. @module */
import type { RootSchema, Schema } from "../../system/schema.ts";

// biome-ignore lint/suspicious/noTemplateCurlyInString: the text is about this syntax.
const expands = "`${NAME}` is replaced by a variable of the environment.";
const text = (description: string): Schema => ({ $ref: "#/$defs/text", description });
const path = (description: string): Schema => ({ $ref: "#/$defs/path", description });
const secret = (description: string): Schema => ({ $ref: "#/$defs/secret", description });
const flag = (description: string): Schema => ({ type: "boolean", description });
const whole = (description: string, minimum = 0, maximum = 2_147_483_647): Schema => ({
  type: "integer",
  minimum,
  maximum,
  description,
});
const port = (minimum: 0 | 1, description: string): Schema => whole(description, minimum, 65_535);
const object = (
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = [],
  more: Schema = {},
): Schema => ({ type: "object", properties, required, additionalProperties: false, ...more });

const login: Readonly<Record<string, Schema>> = {
  identity: {
    description: "Private keys to log in with: a path, or a list of paths and objects.",
    anyOf: [
      { $ref: "#/$defs/path" },
      {
        type: "array",
        minItems: 1,
        maxItems: 32,
        items: {
          anyOf: [
            { $ref: "#/$defs/path" },
            object(
              {
                file: path("The private key."),
                certificate: path("Its certificate. Default: the file with `-cert.pub` behind its name, if it exists."),
                passphrase: secret("The passphrase of the private key."),
              },
              ["file"],
            ),
          ],
        },
      },
    ],
  },
  agent: {
    description: "Keys of an SSH agent: `true` for that of SSH_AUTH_SOCK, or the path of its socket.",
    anyOf: [{ type: "boolean" }, { $ref: "#/$defs/path" }],
  },
  password: secret("The password."),
  hostKey: {
    description:
      "Trust in the server's host key: a fingerprint, several, or known_hosts files. Default: the files of OpenSSH.",
    anyOf: [
      { $ref: "#/$defs/fingerprint" },
      { type: "array", minItems: 1, maxItems: 32, items: { $ref: "#/$defs/fingerprint" } },
      object(
        {
          knownHosts: {
            type: "array",
            minItems: 1,
            maxItems: 32,
            items: { $ref: "#/$defs/path" },
            description: "known_hosts files. New keys go to the first.",
          },
          mode: {
            type: "string",
            enum: ["strict", "accept-new"],
            description:
              "`accept-new` stores and accepts the key of a server that has no known key. Default: `strict`.",
          },
        },
        ["knownHosts"],
      ),
    ],
  },
  hostKeyAlias: text("The name under which known_hosts lists the server, as HostKeyAlias of ssh_config(5)."),
};

const localListen: Readonly<Record<string, Schema>> = {
  address: text('The address of this machine to listen on; "" means all. Default: loopback.'),
  port: port(0, "The port to listen on. 0 lets the system choose."),
  path: path("The path of a UNIX socket to listen on."),
  limits: object({ connections: whole("Connections at the same time. Default: 1024.", 1) }),
};
const portOrPath = [{ required: ["port"] }, { required: ["path"] }];
const remoteTarget: Schema = {
  description: "The address to which the server connects.",
  anyOf: [
    object({ host: text("The host, as the server resolves it."), port: port(1, "The port.") }, ["host", "port"]),
    object({ path: { $ref: "#/$defs/remotePath", description: "A UNIX socket of the server." } }, ["path"]),
  ],
};

const serviceNames = ["localhost.run", "serveo", "srv.us", "pinggy", "ngrok"];
const service = (name: string, properties: Readonly<Record<string, Schema>> = {}, required: string[] = []): Schema =>
  object({ name: { type: "string", const: name }, ...properties }, ["name", ...required]);

/** The schema of {@link TunnelsConfig}. */
export const tunnelsSchema: RootSchema = {
  title: "Configuration of postern up",
  description: "Tunnels of one process. See https://github.com/postern/postern/blob/main/docs/many-tunnels.md",
  ...object(
    {
      $schema: { type: "string", description: "The address of this schema, for editors." },
      log: object({
        level: {
          type: "string",
          enum: ["debug", "info", "warn", "error"],
          description: "The least important records to log. Default: `info`.",
        },
      }),
      health: object(
        {
          address: text("The address to listen on. Default: `127.0.0.1`."),
          port: port(0, "The port of an HTTP server with `/healthz` and `/metrics`."),
        },
        ["port"],
      ),
      control: path("The path of the control socket, in a folder that only you can change."),
      drainMs: whole("Milliseconds that open connections may take to finish when a tunnel is stopped. Default: 5000."),
      watch: flag("Reloads the file when it changes. Default: `true`."),
      tunnels: {
        type: "object",
        description: "The tunnels by name.",
        minProperties: 1,
        maxProperties: 1000,
        propertyNames: { pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" },
        additionalProperties: { $ref: "#/$defs/tunnel" },
      },
    },
    ["tunnels"],
  ),
  $defs: {
    text: { type: "string", maxLength: 4096, description: expands },
    path: {
      type: "string",
      minLength: 1,
      maxLength: 4096,
      description: `A path. It is relative to the folder of this file, and \`~\` is the home folder. ${expands}`,
    },
    remotePath: { type: "string", minLength: 1, maxLength: 4096, description: `A path of the server. ${expands}` },
    fingerprint: {
      type: "string",
      pattern: "^SHA256:[A-Za-z0-9+/]{43}=?$",
      description: "As `ssh-keygen -l` prints it.",
    },
    secret: {
      description: "A secret, which is never in this file.",
      anyOf: [
        object({ env: { type: "string", minLength: 1, description: "The name of a variable of the environment." } }, [
          "env",
        ]),
        object({ file: path("A file that only you can read. It is read at each login.") }, ["file"]),
      ],
    },
    tunnel: object(
      {
        host: text("Name or address of the SSH server."),
        port: port(1, "The port of the SSH server. Default: 22."),
        user: text("The user to log in as."),
        ssh: {
          description:
            "A host or an alias of ssh_config(5). Its forwardings are opened if the tunnel lists none of its own.",
          anyOf: [
            { $ref: "#/$defs/text" },
            object(
              {
                host: text("As on the command line of ssh: an alias, or `user@host`."),
                file: path("Reads only this file, as `ssh -F`."),
                allowExec: flag("Permits Match exec, ProxyCommand and KnownHostsCommand to run commands."),
              },
              ["host"],
            ),
          ],
        },
        service: {
          description: "A hosted service, by its name or with options.",
          anyOf: [
            { type: "string", enum: serviceNames },
            ...serviceNames.slice(0, 3).map((name) => service(name)),
            service("pinggy", {
              token: secret("The token of your account."),
              type: { type: "string", enum: ["http", "tcp", "tls"], description: "Default: `http`." },
            }),
            service("ngrok", { exec: text("The command line of the endpoint. Default: `http`.") }),
            service("sish", { host: text("The server."), port: port(1, "Default: 22.") }, ["host"]),
            service("frp", { host: text("The server."), port: port(1, "Default: 2200."), exec: text("The proxy.") }, [
              "host",
              "exec",
            ]),
          ],
        },
        ...login,
        via: {
          type: "array",
          maxItems: 16,
          description: "Jump hosts, as `ssh -J`.",
          items: object(
            {
              host: text("Name or address of the jump host."),
              port: port(1, "Default: 22."),
              user: text("The user to log in as."),
              ...login,
            },
            ["host", "user"],
          ),
        },
        proxy: text("A proxy on the way to the server: `socks5://…`, `http://…` or `https://…`."),
        keepAlive: object({
          intervalMs: whole("Milliseconds without data until a keepalive is sent. 0: none. Default: 30000."),
          countMax: whole("Unanswered keepalives until the connection is dropped. Default: 5.", 1),
        }),
        reconnect: object({
          intervalMs: whole("Milliseconds before the first attempt. Default: 1000."),
          maxRetries: whole("Attempts in a row. Default: without limit."),
          factor: { type: "number", minimum: 1, description: "Each wait is so many times the last one. Default: 2." },
          maxIntervalMs: whole("The longest wait in milliseconds. Default: 60000."),
        }),
        loginTimeoutMs: whole("Milliseconds until the login must be complete. Default: 60000.", 1),
        targetTimeoutMs: whole("Milliseconds to connect to a target. Default: 30000.", 1),
        forwards: {
          type: "array",
          maxItems: 256,
          description: "Ports and UNIX sockets of the server, as `ssh -R`.",
          items: { $ref: "#/$defs/forward" },
        },
        local: {
          type: "array",
          maxItems: 256,
          description: "Ports and UNIX sockets of this machine, as `ssh -L`.",
          items: object({ ...localListen, target: remoteTarget }, ["target"], { oneOf: portOrPath }),
        },
        dynamic: {
          type: "array",
          maxItems: 256,
          description: "SOCKS proxies on this machine, as `ssh -D`.",
          items: object(localListen, [], { oneOf: portOrPath }),
        },
      },
      [],
      { oneOf: [{ required: ["host"] }, { required: ["ssh"] }, { required: ["service"] }] },
    ),
    forward: object(
      {
        address: text('The address of the server to listen on; "" means all. Default: `localhost`.'),
        port: port(0, "The port of the server. 0 lets it choose. Services have a default."),
        path: { $ref: "#/$defs/remotePath", description: "The path of a UNIX socket on the server." },
        target: {
          description: "Where visitors are connected to. `socks`: each visitor names its target.",
          anyOf: [
            { type: "string", enum: ["socks"] },
            object({ host: text("Name or address."), port: port(1, "The port."), tls: flag("TLS with the target.") }, [
              "host",
              "port",
            ]),
            object({ path: path("A UNIX socket.") }, ["path"]),
          ],
        },
        allow: {
          type: "array",
          minItems: 1,
          maxItems: 256,
          description: "Targets of `socks`, such as `*.internal:443` or `10.0.0.5:*`.",
          items: { type: "string", maxLength: 300, pattern: "^\\S+:(\\d{1,5}|\\*)$" },
        },
        limits: object({
          connections: whole("Visitors at the same time.", 1),
          bytesPerSecond: whole("Bytes per second in each direction, of all visitors together.", 1),
          idleTimeoutMs: whole("Milliseconds without data until a visitor is disconnected.", 1),
          lifetimeMs: whole("Milliseconds until a visitor is disconnected in any case.", 1),
        }),
        proxyProtocol: whole("Sends the visitor's address to the target: the version of the PROXY protocol.", 1, 2),
        wait: flag("Retries a port that is taken. Default: `true`."),
        keepPort: flag("After a reconnection, waits for the port that the server chose. Default: `false`."),
        targetRetryMs: whole("Milliseconds during which a target is dialled again. Default: 0."),
        url: {
          type: "string",
          maxLength: 2048,
          description: "The public URL for `status`, if the server prints none.",
        },
      },
      ["target"],
    ),
  },
};
