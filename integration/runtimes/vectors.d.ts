/** Every file of `test-vectors/`. `bundle.ts` adds them to the bundle. */
declare module "virtual:vectors" {
  export const files: readonly import("@postern/testkit/portable").VectorFile[];
}
