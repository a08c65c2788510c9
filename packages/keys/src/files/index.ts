/** Everything that encrypted keys and foreign formats need. Imported dynamically, so bundlers can load it later. @module */
export { bcryptPbkdf } from "./bcrypt-pbkdf.ts";
export { readKeyFile } from "./read-key-file.ts";
export { encodeEncrypted, keyOfJwk } from "./write-key-file.ts";
