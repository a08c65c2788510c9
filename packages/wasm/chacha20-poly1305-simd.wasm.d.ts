/** The module, which platforms such as Cloudflare Workers compile when they import it: a `WebAssembly.Module`. */
declare const module: object;
export default module;
