// Check a package's signature with `@sigstore/verify`, the verifier of sigstore-js: sigstore_check.mjs PUBLIC.pem COMPONENT BUNDLE NODE_MODULES
//
// It accepts the package as it is and refuses it after each change below, so its yes means something. The last line is the sum.
import { createHash, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [keyFile, componentFile, bundleFile, modules] = process.argv.slice(2);
const require = createRequire(resolve(modules, 'from-here.js'));
const { bundleFromJSON } = require('@sigstore/bundle');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');

const key = createPublicKey(readFileSync(keyFile));
const raw = key.export({ type: 'spki', format: 'der' }).subarray(-32);
const hint = `SHA256:${createHash('sha256').update(raw).digest('base64').replace(/=+$/, '')}`;
const root = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
const trust = toTrustMaterial(root, (asked) => {
  if (asked !== hint) throw new Error(`unknown key ${asked}`);
  return { publicKey: key, validFor: () => true };
});
// A key that the operator enrolled needs no log and no timestamp authority.
const verifier = new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });

/** Throws where sigstore-js does not verify the bundle, or its statement is about another component. */
function verify(bundle, component) {
  const parsed = bundleFromJSON(bundle);
  verifier.verify(toSignedEntity(parsed));
  const statement = JSON.parse(parsed.content.dsseEnvelope.payload.toString());
  const digest = createHash('sha256').update(component).digest('hex');
  if (statement.subject[0].digest.sha256 !== digest) throw new Error('the statement is about another component');
}

let passed = 0;
let failed = 0;
function check(what, accepted, change) {
  const bundle = JSON.parse(readFileSync(bundleFile, 'utf8').split('\n')[0]);
  const component = readFileSync(componentFile);
  let error;
  try {
    verify(bundle, change(bundle, component) ?? component);
  } catch (refusal) {
    error = refusal;
  }
  const ok = accepted === (error === undefined);
  ok ? passed++ : failed++;
  console.log(`${ok ? 'ok   ' : 'FAIL '} ${what}${ok ? '' : `: ${error ?? 'it was accepted'}`}`);
}
const flip = (text) => {
  const bytes = Buffer.from(text, 'base64');
  bytes[bytes.length >> 1] ^= 1;
  return bytes.toString('base64');
};

check('sigstore-js accepts the package', true, () => {});
check('sigstore-js refuses a changed statement', false, ({ dsseEnvelope }) => { dsseEnvelope.payload = flip(dsseEnvelope.payload); });
check('sigstore-js refuses a changed signature', false, ({ dsseEnvelope }) => { dsseEnvelope.signatures[0].sig = flip(dsseEnvelope.signatures[0].sig); });
check('sigstore-js refuses another payload type', false, ({ dsseEnvelope }) => { dsseEnvelope.payloadType = 'application/json'; });
check('sigstore-js refuses an unknown key', false, ({ verificationMaterial }) => { verificationMaterial.publicKey.hint = 'SHA256:somebody-else'; });
check('a changed component is not the one that was signed', false, (_, component) => { component[component.length >> 1] ^= 1; });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
