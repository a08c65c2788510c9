/** The module, which platforms such as Cloudflare Workers compile when they import it. */
declare const module: WebAssembly.Module;
export default module;
