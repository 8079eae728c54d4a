// GitHub's own client, `@octokit/rest`, against the GitHub fake: octokit_check.mjs http://127.0.0.1:PORT TOKEN NODE
//
// It knows nothing of Casemate. What it can read, the fake gets right. The last line is the sum.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [baseUrl, auth, node] = process.argv.slice(2);
const require = createRequire(resolve(node, 'from-here.js'));
const { Octokit } = await import(require.resolve('@octokit/rest'));

let passed = 0;
let failed = 0;
function equal(what, seen, expected) {
  const same = JSON.stringify(seen) === JSON.stringify(expected);
  if (same) passed += 1;
  else failed += 1;
  console.log(same ? `ok    ${what}` : `FAIL  ${what}: got ${JSON.stringify(seen)}, expected ${JSON.stringify(expected)}`);
}
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const github = new Octokit({ auth, baseUrl, log: silent });
const where = { owner: 'acme', repo: 'detections' };
const text = (file) => Buffer.from(file.content, 'base64').toString();
const status = (promise) => promise.then(() => 'no error', (error) => error.status);

const { data: repository } = await github.rest.repos.get(where);
equal('the default branch', repository.default_branch, 'main');
const { data: folder } = await github.rest.repos.getContent({ ...where, path: 'rules' });
equal('a folder is a list', folder.map((entry) => `${entry.name} ${entry.type}`), ['readme.txt file', 'windows dir']);
// octokit sends the slashes of a path encoded.
const path = 'rules/windows/whoami.yml';
const { data: file } = await github.rest.repos.getContent({ ...where, path });
equal('a file is text in base64', text(file), 'title: whoami\nstatus: test\n');
equal('a blob has the id that Git gives it', file.sha, 'f511228ae3d5a409adb4d19c17ee2f1f44d14060');
const { data: large } = await github.rest.repos.getContent({ ...where, path: 'docs/large.txt' });
equal('a large file has no content', [large.encoding, large.content], ['none', '']);

const push = { ...where, path: 'rules/new.yml', branch: 'casemate-rules', message: 'new', content: Buffer.from('x\n').toString('base64') };
const made = await github.rest.repos.createOrUpdateFileContents(push);
equal('a new file is created', [made.status, made.data.content.path], [201, 'rules/new.yml']);
equal('a file that is there needs its sha', await status(github.rest.repos.createOrUpdateFileContents(push)), 422);
const wrong = { ...push, sha: file.sha };
equal('and the right one', await status(github.rest.repos.createOrUpdateFileContents(wrong)), 409);
const right = { ...push, sha: made.data.content.sha };
equal('then it is replaced', await status(github.rest.repos.createOrUpdateFileContents(right)), 'no error');
equal('on its branch only', await status(github.rest.repos.getContent({ ...where, path: push.path })), 404);
equal('an unknown branch', await status(github.rest.repos.createOrUpdateFileContents({ ...push, branch: 'x' })), 404);
equal('a wrong token', await status(new Octokit({ auth: 'wrong', baseUrl, log: silent }).rest.repos.get(where)), 401);

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
