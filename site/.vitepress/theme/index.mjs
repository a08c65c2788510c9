/** VitePress's theme with fonts of the system, the protocol explorer, and a page for paths that do not exist. @module */
import { withBase } from "vitepress";
import theme from "vitepress/theme-without-fonts";
import { h } from "vue";
import ProtocolExplorer from "./protocol-explorer.mjs";
import "./style.css";

export default {
  ...theme,
  Layout: () => h(theme.Layout, undefined, { "not-found": notFound }),
  enhanceApp: ({ app }) => app.component("ProtocolExplorer", ProtocolExplorer),
};

function notFound() {
  return h("main", { class: "vp-doc not-found" }, [
    h("h1", "Page not found"),
    h("p", ["The search finds pages by their words. ", h("a", { href: withBase("/") }, "Start page")]),
  ]);
}
