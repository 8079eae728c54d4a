// Kusto's own parser, @kusto/language-service-next, on what is sent for KQL: `kusto_check.mjs kql-sent.txt NODE`.
//
// It knows nothing of Casemate. A query that it reads without a complaint, as one statement with one operator for each line, is one that Kusto
// reads as it is written.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [corpus, folder] = process.argv.slice(2);
if (!corpus || !folder) {
  console.error('usage: kusto_check.mjs kql-sent.txt NODE');
  process.exit(2);
}
const require = createRequire(join(resolve(folder), 'package.json'));
require('@kusto/language-service-next/bridge.min.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.min.js');
const { Kusto, System } = globalThis;
const code = (query) => Kusto.Language.KustoCode.Parse(query);

function complaints(query) {
  const found = code(query).GetDiagnostics();
  return Array.from({ length: found.Count }, (_, at) => found.getItem(at).Message);
}

// How often each kind of node is in the tree.
function kinds(query) {
  const seen = {};
  const left = [code(query).Syntax];
  while (left.length > 0) {
    const node = left.pop();
    const kind = System.Enum.toString(Kusto.Language.Syntax.SyntaxKind, node.Kind);
    seen[kind] = (seen[kind] ?? 0) + 1;
    for (let at = 0; at < node.ChildCount; at += 1) {
      const child = node.GetChild(at);
      if (child) left.push(child);
    }
  }
  return seen;
}

let passed = 0;
let failed = 0;
function check(what, holds, seen) {
  if (holds) {
    passed += 1;
  } else {
    failed += 1;
    console.log(`FAIL  ${what}: ${JSON.stringify(seen)}`);
  }
}

// What reads a table, or is another statement. `in` and its kin may hold a query: then there is one of these inside, too.
const elsewhere = /^(Union|Join|Lookup|Find|Search|Evaluate|Invoke|Externaldata|DataTable|Materialize|ToScalar|ToTable|MvApply|Fork|Facet|Partition|Let|Set|Print|Range)/i;

check('the parser complains', complaints('T | where').length > 0 && complaints('T | wher x').length > 0);
check('and sees a union', Object.keys(kinds('T | union U')).some((kind) => elsewhere.test(kind)));
for (const query of readFileSync(corpus, 'utf8').split('\n---\n').filter((query) => query.trim())) {
  const seen = kinds(query);
  check(query, complaints(query).length === 0, complaints(query));
  check(query, seen.PipeExpression === query.split('\n').length - 1, seen);
  check(query, !Object.keys(seen).some((kind) => elsewhere.test(kind)), seen);
}
console.log(`ok    ${passed} checks`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
