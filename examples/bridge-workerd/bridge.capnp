# The bridge in plain workerd: `npx workerd serve bridge.capnp`. Change HOST, PORT and ORIGINS.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "bridge", worker = .bridge),
    # "public" is the internet; a host in your own network, or on this machine, needs "private".
    (name = "internet", network = (allow = ["public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "bridge")],
);

const bridge :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.mjs")],
  compatibilityDate = "2026-11-01",
  bindings = [
    (name = "HOST", text = "ssh.example.com"),
    (name = "PORT", text = "22"),
    (name = "ORIGINS", text = "https://page.example.com"),
  ],
  globalOutbound = "internet",
);
