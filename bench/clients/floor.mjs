/**
 * The floor of a client on Node.js: the relay without SSH, and one call of node:crypto for each 32 KiB that it moves.
 * The bytes are passed on unchanged. `node floor.mjs ORDERS`
 * @module
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { startRelay } from "./relay.mjs";

const { listenPort, targetPort, cipher } = JSON.parse(process.argv[2]);
const [name, keySize] = {
  "aes128-gcm@openssh.com": ["aes-128-gcm", 16],
  "aes256-gcm@openssh.com": ["aes-256-gcm", 32],
  // The tag is that of RFC 8439, not of OpenSSH: node:crypto has no cheaper way to encrypt and authenticate a packet.
  "chacha20-poly1305@openssh.com": ["chacha20-poly1305", 32],
}[cipher];
const [key, iv, packet] = [Buffer.alloc(keySize, 1), Buffer.alloc(12, 2), Buffer.alloc(32_768, 3)];
const options = { authTagLength: 16 };
const drop = findDrop();
const { text, tag } = seal();

startRelay(listenPort, targetPort, { up: perPacket(() => drop(seal().text)), down: perPacket(() => drop(open())) });

function seal() {
  const sealer = createCipheriv(name, key, iv, options);
  const text = sealer.update(packet);
  sealer.final();
  return { text, tag: sealer.getAuthTag() };
}

function open() {
  const opener = createDecipheriv(name, key, iv, options);
  opener.setAuthTag(tag);
  const plain = opener.update(text);
  opener.final();
  return plain;
}

/** Calls `action` once for each full packet of the bytes. */
function perPacket(action) {
  let waiting = 0;
  return (size) => {
    for (waiting += size; waiting >= packet.length; waiting -= packet.length) action();
  };
}

/** Returns the cheapest way to free the memory of a view at once, because garbage would cost more. */
function findDrop() {
  if ("transfer" in ArrayBuffer.prototype) return ({ buffer }) => buffer.transfer(0);
  const { port1 } = new MessageChannel();
  port1.close();
  return ({ buffer }) => port1.postMessage(null, [buffer]);
}
