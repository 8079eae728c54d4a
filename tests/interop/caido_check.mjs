// Every document of the Caido plugin, against the schema that Caido publishes: caido_check.mjs NODE
//
// @caido/schema-proxy is the schema of 0.56, and there is none of a newer one. What 0.57 changed of what is used here is in
// caido/0.57.graphql, as the types of @caido/sdk-frontend 0.58.3 have it; the rest is 0.56's. The last line is the sum.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const [node] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(resolve(node, 'from-here.js'));
const { buildASTSchema, getVariableValues, parse, validate } = require('graphql');

let passed = 0;
let failed = 0;
function equal(what, seen, expected) {
  const same = JSON.stringify(seen) === JSON.stringify(expected);
  if (same) passed += 1;
  else failed += 1;
  console.log(same ? `ok    ${what}` : `FAIL  ${what}: got ${JSON.stringify(seen)}, expected ${JSON.stringify(expected)}`);
}

const published = parse(readFileSync(require.resolve('@caido/schema-proxy/graphql'), 'utf8'));
const changed = parse(readFileSync(resolve(here, 'caido/0.57.graphql'), 'utf8'));

// A type that is written anew stands for the old one; of a root, its fields stand for the old ones.
const roots = ['MutationRoot', 'QueryRoot'];
const anew = new Map(changed.definitions.map((definition) => [definition.name.value, definition]));
const merged = published.definitions.map((definition) => {
  const other = anew.get(definition.name?.value);
  if (!other) return definition;
  anew.delete(definition.name.value);
  if (!roots.includes(definition.name.value)) return other;
  const names = other.fields.map((field) => field.name.value);
  return { ...definition, fields: [...definition.fields.filter((field) => !names.includes(field.name.value)), ...other.fields] };
});
const schemas = {
  '056': buildASTSchema(published),
  '057': buildASTSchema({ ...published, definitions: [...merged, ...anew.values()] }, { assumeValidSDL: true }),
};

const faults = (version, document) => validate(schemas[version], parse(document)).map((error) => error.message);
const folder = resolve(here, '../../plugins/caido/src/documents');
const manifest = readFileSync(resolve(here, '../../plugins/caido/plugin.toml'), 'utf8');
const files = readdirSync(folder).filter((file) => file.endsWith('.graphql'));
equal('there are documents', files.length, 9);
for (const file of files) {
  const document = readFileSync(resolve(folder, file), 'utf8');
  // What has no version is asked of both.
  const version = /_(05[67])\.graphql$/.exec(file)?.[1];
  for (const one of version ? [version] : ['056', '057']) equal(`${file} is one of ${one}'s`, faults(one, document), []);
  const digest = createHash('sha256').update(document).digest('hex');
  equal(`${file} is in the manifest by its digest`, manifest.split(digest).length, 2);
  equal(`${file} is one operation`, parse(document).definitions.length, 1);
}
// The two ways to replay are really two, and a fault is found.
for (const [file, other] of [['create_session_057', '056'], ['replay_056', '057'], ['replay_057', '056'], ['session_057', '056'], ['session_056', '057']]) {
  const document = readFileSync(resolve(folder, `${file}.graphql`), 'utf8');
  equal(`${file} is none of ${other}'s`, faults(other, document).length > 0, true);
}
equal('a field that is not there is found', faults('056', 'query { runtime { versions } }').length, 1);

// What is recorded of each operation, as the variables that Caido would take.
const recorded = resolve(here, '../../plugins/caido/tests/recorded');
const variables = (version, { query, variables: given }) => {
  const [operation] = parse(query).definitions;
  const unknown = Object.keys(given).filter((name) => !operation.variableDefinitions.some((one) => one.variable.name.value === name));
  const { errors } = getVariableValues(schemas[version], operation.variableDefinitions, given);
  return [...unknown, ...(errors ?? []).map((error) => error.message)];
};
const bodies = readdirSync(recorded).flatMap((file) => {
  const { exchanges = [], expect } = JSON.parse(readFileSync(resolve(recorded, file), 'utf8'));
  return [...exchanges.map((exchange) => exchange.request), ...(expect.plan ?? [])].map((request) => [file, request.body.json]);
});
const operations = new Set();
for (const [file, body] of bodies) {
  operations.add(body.operationName);
  const version = /(05[67])$/.exec(body.operationName)?.[1] ?? '056';
  equal(`${file}: the variables of ${body.operationName}`, variables(version, body), []);
}
equal('every operation is recorded', operations.size, files.length);
const [, wrong] = bodies.find(([, body]) => body.operationName === 'CasemateReplay056');
equal('a variable that is none is found', variables('056', { ...wrong, variables: { ...wrong.variables, x: 1 } }), ['x']);

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
