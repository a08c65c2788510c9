/** Which pages the site has, and in which order. Paths are those of the repository. @module */

/** The groups of the sidebar. Titles come from the pages. */
export const groups = [
  {
    text: "Start",
    pages: [
      "docs/getting-started.md",
      "docs/command.md",
      "docs/logging-in.md",
      "docs/host-keys.md",
      "docs/forwarding.md",
    ],
  },
  {
    text: "Use",
    pages: [
      "docs/answering-visitors.md",
      "docs/hosted-services.md",
      "docs/sessions.md",
      "docs/staying-connected.md",
      "docs/routes.md",
      "docs/ssh-config.md",
      "docs/many-tunnels.md",
      "docs/running-a-host.md",
      "docs/host-command.md",
      "docs/runtimes.md",
    ],
  },
  {
    text: "Operate",
    pages: ["docs/deploying.md", "docs/troubleshooting.md", "docs/performance.md", "docs/peers.md"],
  },
  {
    text: "Look up",
    pages: [
      "docs/errors-and-events.md",
      "docs/errors.md",
      "docs/options.md",
      "docs/command-options.md",
      "docs/events.md",
    ],
  },
  {
    text: "Coming from",
    pages: [
      "docs/coming-from/sshreversetunnel.md",
      "docs/coming-from/ssh2.md",
      "docs/coming-from/autossh.md",
      "docs/coming-from/ngrok.md",
    ],
  },
  {
    text: "Trust",
    pages: [
      "docs/security.md",
      "docs/audit/README.md",
      "docs/audit/clauses.md",
      "docs/audit/states.md",
      "docs/audit/implementations.md",
      "docs/audit/regress.md",
      "docs/protocol-explorer.md",
      "SECURITY.md",
      "test-vectors/README.md",
    ],
  },
  {
    text: "Project",
    pages: [
      "ARCHITECTURE.md",
      "docs/decisions/README.md",
      "CONTRIBUTING.md",
      "GOVERNANCE.md",
      "CODE_OF_CONDUCT.md",
      "SUPPORT.md",
      "CHANGELOG.md",
      "bench/README.md",
    ],
  },
  { text: "Examples", pages: ["examples/README.md"] },
];

/** Folders whose Markdown files are pages, and single pages. `node_modules` and `dist` are skipped. */
export const sources = [
  "docs",
  "examples",
  "test-vectors",
  "bench",
  "README.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CODE_OF_CONDUCT.md",
  "CONTRIBUTING.md",
  "GOVERNANCE.md",
  "SECURITY.md",
  "SUPPORT.md",
  "packages/node/README.md",
];

/** The page with the protocol explorer, in the place of this comment. */
export const explorer = { page: "docs/protocol-explorer.md", comment: "<!-- explorer -->" };

/** Sources that another page stands for: the start page of the site is the README of the repository. */
export const aliases = { "docs/README.md": "index.md", docs: "index.md" };

/** Returns the path of a page within the site. */
export function pageOf(source) {
  if (source === "README.md") return "index.md";
  const page = source.startsWith("docs/") ? source.slice("docs/".length) : source;
  const name = page.includes("/") || source.startsWith("docs/") ? page : `project/${page.toLowerCase()}`;
  return name.replace(/README\.md$/, "index.md");
}
