/** Another host key, made for these tests alone: ssh-keygen -t ed25519 -N '' -C test */
import type { Signer } from "@postern/crypto";
import { parsePrivateKey, signer } from "@postern/noble";

const text = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACDb0J1P15a5B5xCFoV6qXrfMYyKEepVdxOoI2qkIFBcEQAAAIhcdl5kXHZe
ZAAAAAtzc2gtZWQyNTUxOQAAACDb0J1P15a5B5xCFoV6qXrfMYyKEepVdxOoI2qkIFBcEQ
AAAECINRU+Gwl81Eug5tfXweyTI5J4ge8PrYhJPDcyL5zFctvQnU/XlrkHnEIWhXqpet8x
jIoR6lV3E6gjaqQgUFwRAAAABHRlc3QB
-----END OPENSSH PRIVATE KEY-----
`;

export const otherHostKey = (): Signer => signer(parsePrivateKey(text));
