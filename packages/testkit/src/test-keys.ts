/** Ed25519 keys of the tests, made by `ssh-keygen -t ed25519 -N '' -C test`. They open nothing. @module */
import type { Signer } from "@postern/crypto";
import { parsePrivateKey, signer } from "@postern/noble";

/** The text of the key file of {@link testHostKey}. */
export const testHostKeyText = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCDR21qHwhivAOg5W73/HK5y6aq9eBwjJ7VBi+uHsn8cwAAAIgQUdlVEFHZ
VQAAAAtzc2gtZWQyNTUxOQAAACCDR21qHwhivAOg5W73/HK5y6aq9eBwjJ7VBi+uHsn8cw
AAAEDRfVJeMsHa0AfqXSr5dnsSdAQcPN+OLr5BZ4CxhW5hW4NHbWofCGK8A6Dlbvf8crnL
pqr14HCMntUGL64eyfxzAAAABHRlc3QB
-----END OPENSSH PRIVATE KEY-----
`;

const otherHostKeyText = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACDb0J1P15a5B5xCFoV6qXrfMYyKEepVdxOoI2qkIFBcEQAAAIhcdl5kXHZe
ZAAAAAtzc2gtZWQyNTUxOQAAACDb0J1P15a5B5xCFoV6qXrfMYyKEepVdxOoI2qkIFBcEQ
AAAECINRU+Gwl81Eug5tfXweyTI5J4ge8PrYhJPDcyL5zFctvQnU/XlrkHnEIWhXqpet8x
jIoR6lV3E6gjaqQgUFwRAAAABHRlc3QB
-----END OPENSSH PRIVATE KEY-----
`;

/** Returns the host key of the servers in tests. */
export const testHostKey = (): Signer => signer(parsePrivateKey(testHostKeyText));

/** Returns a host key that differs from {@link testHostKey}: the key of a server that a test does not trust. */
export const otherHostKey = (): Signer => signer(parsePrivateKey(otherHostKeyText));
