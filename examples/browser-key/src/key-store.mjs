/** Keeps a key pair in the browser. IndexedDB stores a CryptoKey without showing its bytes to any page. @module */

/**
 * Returns the stored pair, or makes one that cannot be exported.
 * @param {"Ed25519" | "ECDSA"} algorithm
 * @returns {Promise<CryptoKeyPair>}
 */
export async function keyPair(algorithm) {
  const database = await request(indexedDB.open("postern-key"), (open) => open.result.createObjectStore("pairs"));
  try {
    const pairs = () => database.transaction("pairs", "readwrite").objectStore("pairs");
    const stored = await request(pairs().get(algorithm));
    if (stored !== undefined) return stored;
    const made = await crypto.subtle.generateKey({ name: algorithm, namedCurve: "P-256" }, false, ["sign", "verify"]);
    await request(pairs().put(made, algorithm));
    return made;
  } finally {
    database.close();
  }
}

function request(made, upgrade) {
  return new Promise((resolve, reject) => {
    made.onupgradeneeded = () => upgrade?.(made);
    made.onsuccess = () => resolve(made.result);
    made.onerror = () => reject(made.error);
  });
}
