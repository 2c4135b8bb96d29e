// node envelope.js KEY.pem STATEMENT.json: a DSSE envelope made by @sigstore/sign, to standard output.
// The key is a PKCS#8 PEM, P-256 or Ed25519.
import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { bundleToJSON } from "@sigstore/bundle";
import { DSSEBundleBuilder } from "@sigstore/sign";

const [keyFile, statementFile] = process.argv.slice(2);
const key = createPrivateKey(readFileSync(keyFile));

// What @sigstore/sign asks of a signer; its own ones need a certificate authority on the network.
const signer = {
  async sign(data) {
    const digest = key.asymmetricKeyType === "ed25519" ? null : "sha256";
    return { signature: sign(digest, data, key), key: { $case: "publicKey", publicKey: "", hint: "" } };
  },
};

const bundle = await new DSSEBundleBuilder({ signer, witnesses: [] }).create({
  data: readFileSync(statementFile),
  type: "application/vnd.in-toto+json",
});
process.stdout.write(JSON.stringify(bundleToJSON(bundle).dsseEnvelope) + "\n");
