/** Every file of `test-vectors/`, put into the bundle by `bundle.ts`. */
declare module "virtual:vectors" {
  export const files: readonly (
    | import("@postern/testkit/portable").VectorFile
    | import("@postern/testkit/portable").Transcript
  )[];
}
