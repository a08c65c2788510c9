/** Encrypted keys and other formats. Imported dynamically, so that bundlers can load it when needed. @module */
export { bcryptPbkdf } from "./bcrypt-pbkdf.ts";
export { readKeyFile } from "./read-key-file.ts";
export { encodeEncrypted, keyOfJwk } from "./write-key-file.ts";
