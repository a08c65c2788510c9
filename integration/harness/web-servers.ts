/** Real web servers on loopback that expect the PROXY protocol: nginx and haproxy. @module */
import { writeFileSync } from "node:fs";
import { makeCertificate, type RealProxy, startServer } from "./proxies.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";

/** Its answer is the visitor's address and port, and those that the visitor connected to, by the header. */
export async function startNginx({ tls = false } = {}): Promise<RealProxy & { readonly certificate: string }> {
  const keys = tempDir("postern-nginx-tls");
  const { key, certificate } = await makeCertificate(keys);
  const server = await startServer("nginx", (port, dir) => {
    const ssl = tls ? `ssl_certificate ${certificate}; ssl_certificate_key ${key};` : "";
    writeFileSync(
      dir.file("nginx.conf"),
      `daemon off; master_process off; pid ${dir.file("pid")}; error_log stderr;
      events {}
      http {
        access_log off;
        ${temporary(dir)}
        server {
          listen 127.0.0.1:${port} ${tls ? "ssl" : ""} proxy_protocol; ${ssl}
          return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port";
        }
      }`,
    );
    return ["-c", dir.file("nginx.conf"), "-e", "stderr", "-p", dir.file("")];
  });
  return {
    ...server,
    certificate,
    async stop() {
      await server.stop();
      keys.remove();
    },
  };
}

/** Its answer is the visitor's address and port, and those that the visitor connected to, by the header. */
export function startHaproxy(): Promise<RealProxy> {
  return startServer("haproxy", (port, dir) => {
    writeFileSync(
      dir.file("haproxy.cfg"),
      `defaults
  mode http
  timeout client 10s
  timeout connect 10s
  timeout server 10s
frontend web
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"
`,
    );
    return ["-db", "-f", dir.file("haproxy.cfg")];
  });
}

/** nginx makes these folders at its start. */
function temporary(dir: TempDir): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return kinds.map((kind) => `${kind}_temp_path ${dir.file(kind)};`).join(" ");
}
