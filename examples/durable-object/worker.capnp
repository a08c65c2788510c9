# The fleet in plain workerd: `TOKEN=… PRIVATE_KEY="$(cat key)" npm start`
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .tunnels),
    (name = "internet", network = (allow = ["public"])),
    (name = "storage", disk = (path = "storage", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const tunnels :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "dist/worker.mjs")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [(className = "Tunnel", uniqueKey = "Tunnel", enableSql = true)],
  durableObjectStorage = (localDisk = "storage"),
  bindings = [
    (name = "TUNNELS", durableObjectNamespace = "Tunnel"),
    (name = "TOKEN", fromEnvironment = "TOKEN"),
    (name = "PRIVATE_KEY", fromEnvironment = "PRIVATE_KEY"),
    (name = "ALARM_MS", text = "30000"),
  ],
  globalOutbound = "internet",
);
