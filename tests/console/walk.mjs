// Chromium in front of a running console. The test that starts this (tests/it/console/chromium.rs) makes calls and links when it is asked
// to: a line of JSON out, a line of JSON back. The last line says what was done.
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { CASEMATE_NODE: modules, CASEMATE_SHOTS: shots, CASEMATE_CHROMIUM: executablePath, CASEMATE_LINK: first } = process.env;
const require = createRequire(`${modules}/`);
const { chromium } = require("playwright-core");
const { AxeBuilder } = require("@axe-core/playwright");
mkdirSync(shots, { recursive: true });

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function ask(question) {
  console.log(JSON.stringify(question));
  return JSON.parse((await lines.next()).value);
}
const check = (holds, what) => {
  if (!holds) throw new Error(what);
};

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const broken = [];

async function person(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("console", (message) => {
    if (message.type() === "error" && !/40[0134]|ERR_/.test(message.text())) broken.push(`${page.url()}: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    broken.push(`${page.url()}: somebody's words were run: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("pageerror", (error) => broken.push(`${page.url()}: ${error}`));
  return page;
}

async function enter(page, link) {
  await page.goto(link);
  // Without a script a button goes on; with one the page does.
  if (await page.evaluate(() => true).then(() => page.url().includes("once=")).catch(() => false)) {
    const button = page.getByRole("button", { name: "Continue" });
    if (await button.isVisible().catch(() => false)) await button.click().catch(() => {});
  }
  await page.getByText("Signed in as").waitFor();
}

async function axe(page, where) {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
  const said = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
  check(said.length === 0, `axe on ${where}: ${said.join("\n")}`);
}

const shot = (page, name) => page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
const origin = new URL(first).origin;

// The person at the machine looks, and the page follows what happens.
const local = await person();
await enter(local, first);
check((await local.goto(first)).status() === 200, "the page of a used link");
await local.getByText("this link was used already").waitFor();
await local.goto(`${origin}/console/plugins`);
await local.getByText("casemate/caldera").waitFor();
await local.getByText("verified").waitFor();
await local.goto(`${origin}/console`);
await local.getByText("Nothing waits.").waitFor();
const { approval } = await ask({ do: "call" });
check(approval, "the call waits");
await local.getByText("0 of 2 agreed").waitFor();
await shot(local, "overview-waiting");

// Alice agrees with the keyboard alone.
const alice = await person();
await enter(alice, (await ask({ do: "login", as: "alice" })).link);
await alice.goto(`${origin}/console/approvals`);
await shot(alice, "approvals");
const reach = async (page, word) => {
  for (let steps = 0; steps < 80; steps += 1) {
    await page.keyboard.press("Tab");
    const text = await page.evaluate(() => document.activeElement?.textContent ?? "");
    const visible = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return style.outlineStyle !== "none" && style.outlineWidth !== "0px";
    });
    check(visible, `the focus on \`${text.trim().slice(0, 40)}\` cannot be seen`);
    if (text.trim().startsWith(word)) return;
  }
  throw new Error(`no key leads to ${word}`);
};
await alice.keyboard.press("Tab");
check((await alice.evaluate(() => document.activeElement.className)) === "skip", "the first key leads to the skip link");
await alice.keyboard.press("Enter");
await reach(alice, "caldera_create_operation");
await alice.keyboard.press("Enter");
await alice.getByText("You speak as").waitFor();
await shot(alice, "approval-as-approver");
await reach(alice, "Approve this call");
await alice.keyboard.press("Shift+Tab");
await alice.keyboard.type("read by keyboard");
await alice.keyboard.press("Tab");
await alice.keyboard.press("Enter");
await alice.getByText("agreed to").waitFor();
await local.getByText("1 of 2 agreed").waitFor();

// Bob agrees without scripts, on a phone.
const bob = await person({ javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
await bob.goto((await ask({ do: "login", as: "bob" })).link);
await bob.getByRole("button", { name: "Continue" }).click();
await bob.goto(`${origin}/console/approvals/${approval}`);
await shot(bob, "approval-phone");
await bob.getByRole("button", { name: "Approve this call" }).click();
await bob.getByText("2 of 2").first().waitFor();

// The caller calls again: it is made, and the pages say so.
check((await ask({ do: "call" })).made, "the call is made");
await local.getByText("Nothing waits.").waitFor();
await alice.goto(`${origin}/console/approvals/${approval}`);
await alice.getByText("used").first().waitFor();
await shot(alice, "approval-used");
const picture = alice.locator("svg.chain");
check((await picture.locator("rect.root").count()) === 1, "what led here is drawn");
check((await picture.textContent()).includes("approval.voted"), "and both votes are in it");
await alice.goto(`${origin}/console/audit?type=outcome`);
await alice.locator("tbody a").first().click();
await alice.getByRole("heading", { name: "The record" }).waitFor();
await shot(alice, "record");

// Somebody's words are words: in a reason, in a filter, in an address.
const { approval: second } = await ask({ do: "call" });
const words = `"><script>alert(1)</script><img src=x onerror=alert(1)>`;
await alice.goto(`${origin}/console/approvals/${second}`);
await alice.locator("#reason").fill(words);
await alice.getByRole("button", { name: "Deny" }).click();
await alice.getByText("nothing will run under it").waitFor();
const asked = encodeURIComponent(words);
for (const path of [`approvals/${second}`, "approvals", "audit", `audit?tool=${asked}`, `audit?since=${asked}`, `plugins/${asked}`]) {
  await alice.goto(`${origin}/console/${path}`);
  check((await alice.locator("img[src=x], script:not([src])").count()) === 0, `markup on ${path}`);
}
await alice.goto(`${origin}/console/approvals/${second}`);
check((await alice.locator("main").textContent()).includes("<img src=x onerror=alert(1)>"), "what was said is shown as it is");
await ask({ do: "call" });

// What axe says, in light and dark and on a phone; and what it looks like. Only here the policy is lifted: axe brings a script.
const link = (await ask({ do: "login" })).link;
const session = await person();
await enter(session, link);
const cookies = await session.context().cookies();
const pages = ["", "approvals", `approvals/${approval}`, "audit", "plugins", "plugins/casemate/caldera", "grants", "callers", "posture"];
for (const [name, options] of [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: { width: 390, height: 844 } }],
]) {
  const page = await person({ ...options, bypassCSP: true });
  await page.context().addCookies(cookies);
  for (const path of pages) {
    await page.goto(`${origin}/console/${path}`.replace(/\/$/, ""));
    const file = `${name}-${path.replaceAll("/", "-") || "overview"}`.replace(approval, "one");
    await shot(page, file);
    await axe(page, file);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(wide <= 0, `${file} is ${wide} pixels too wide`);
  }
  const stranger = await person({ ...options, bypassCSP: true });
  await stranger.goto(`${origin}/console/audit`);
  await shot(stranger, `${name}-login`);
  await axe(stranger, `${name}-login`);
}

// Colours by choice, and out.
await session.goto(`${origin}/console`);
await session.getByRole("button", { name: "Dark" }).click();
check((await session.evaluate(() => document.documentElement.dataset.theme)) === "dark", "dark by choice");
await session.getByRole("button", { name: "Sign out" }).click();
await session.getByRole("heading", { name: "Sign in" }).waitFor();
await session.goto(`${origin}/console/audit`);
check(session.url().includes("/console/login"), "who signed out is out");

check(broken.length === 0, `pages complained: ${broken.join("\n")}`);
await browser.close();
console.log(JSON.stringify({ done: true }));
process.exit(0);
