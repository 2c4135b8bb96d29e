// node envelope.js KEY.pem STATEMENT.json [CERTIFICATE.pem [chain]]: a Sigstore bundle made by @sigstore/sign, to standard
// output. The key is a PKCS#8 PEM, P-256 or Ed25519. With a certificate, as keyless signing leaves it; with "chain" in the form
// before v0.3.
import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { bundleToJSON } from "@sigstore/bundle";
import { DSSEBundleBuilder } from "@sigstore/sign";

const [keyFile, statementFile, certificateFile, chain] = process.argv.slice(2);
const key = createPrivateKey(readFileSync(keyFile));
const known = certificateFile
  ? { $case: "x509Certificate", certificate: readFileSync(certificateFile, "utf8") }
  : { $case: "publicKey", publicKey: "", hint: "" };

// What @sigstore/sign asks of a signer; its own ones need a certificate authority on the network.
const signer = {
  async sign(data) {
    const digest = key.asymmetricKeyType === "ed25519" ? null : "sha256";
    return { signature: sign(digest, data, key), key: known };
  },
};

const bundle = await new DSSEBundleBuilder({ signer, witnesses: [], certificateChain: chain === "chain" }).create({
  data: readFileSync(statementFile),
  type: "application/vnd.in-toto+json",
});
process.stdout.write(JSON.stringify(bundleToJSON(bundle)) + "\n");
