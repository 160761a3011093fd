import { spawn, type ChildProcess } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { resolve } from "node:path";

import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

const TOKEN = "browser-test-operator-0123456789abcdef";
const TARGET = resolve(process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, "../../target"), "debug");

let daemon: ChildProcess;
let browser: Browser;
let origin: string;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

async function ready(): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const answer = await fetch(`${origin}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error("sld is not ready after 30 s");
}

async function api(method: string, path: string, body: unknown): Promise<{ id: string }> {
  const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
  const answer = await fetch(origin + path, { method, headers, body: JSON.stringify(body) });
  expect(answer.status).toBeLessThan(300);
  return (await answer.json()) as { id: string };
}

beforeAll(async () => {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  daemon = spawn(resolve(TARGET, "sld"), ["dev", "--listen", `127.0.0.1:${port}`], {
    env: { ...process.env, API_TOKENS: `browser:${TOKEN}` },
    stdio: "ignore",
  });
  await ready();
  browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
}, 60_000);

afterAll(async () => {
  await browser?.close();
  daemon?.kill("SIGTERM");
});

/** A page that fails the test for any request off the daemon's origin and any complaint of the browser. */
async function watched(): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const complaints: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(origin)) complaints.push(`off origin: ${request.url()}`);
  });
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) complaints.push(message.text());
  });
  return { page, complaints };
}

test("an operator signs in, runs a function, pauses and resumes", async () => {
  const account = await api("POST", "/accounts", { owner: "browser" });
  const source = 'export default (p) => { console.log("greeting", p.name); return { hello: p.name }; }';
  await api("POST", `/accounts/${account.id}/functions`, { name: "greet", source });
  const { page, complaints } = await watched();

  await page.goto(origin);
  await page.fill("input[name=token]", "not a token");
  await page.click("button[type=submit]");
  await page.waitForSelector("[role=alert]");
  await page.fill("input[name=token]", TOKEN);
  await page.click("button[type=submit]");
  await page.waitForSelector("h1:has-text('Overview')");

  await page.click("nav >> text=Accounts");
  await page.click(`text=${account.id}`);
  await page.click("nav >> text=Functions");
  await page.click("text=greet");
  await page.fill("textarea[name=params]", '{"name": "Neo"}');
  await page.click("button:has-text('Run')");
  await page.waitForSelector(".result[data-status=succeeded]", { timeout: 20_000 });
  const result = await page.textContent(".result");
  expect(result).toContain('"hello": "Neo"');
  expect(result).toContain("greeting Neo");

  await page.click("nav >> text=Executions");
  await page.waitForSelector("td >> text=succeeded");
  await page.screenshot({ path: resolve(TARGET, "../dashboard.png") });

  await page.click("nav >> text=Duties");
  const row = page.locator("tr", { hasText: "executions" }).first();
  await row.getByRole("button", { name: "Pause" }).click();
  await row.locator("text=paused").waitFor({ timeout: 10_000 });
  await row.getByRole("button", { name: "Resume" }).click();
  await row.locator("text=running").waitFor({ timeout: 10_000 });

  await page.click("button:has-text('Sign out')");
  await page.waitForSelector("input[name=token]");
  expect(complaints).toEqual([]);
}, 60_000);

test("a price feed is made, given a price, and shows its rounds", async () => {
  const account = await api("POST", "/accounts", { owner: "browser" });
  const { page, complaints } = await watched();
  await page.goto(origin);
  await page.fill("input[name=token]", TOKEN);
  await page.click("button[type=submit]");
  await page.waitForSelector("h1:has-text('Overview')");
  await page.click("nav >> text=Accounts");
  await page.click(`text=${account.id}`);
  await page.click("nav >> text=Price feeds");
  await page.click("button:has-text('New price feed')");
  await page.fill("input[name=base_asset]", "neo");
  await page.fill("input[name=quote_asset]", "usd");
  await page.fill("input[name=deviation_percent]", "0.5");
  await page.click("form >> button:has-text('Create')");
  await page.locator("td", { hasText: "NEO/USD" }).waitFor({ timeout: 10_000 });

  await page.locator("td a").first().click();
  await page.waitForSelector("h1:has-text('Price feeds: NEO/USD')");
  await page.locator("section", { hasText: "Snapshots" }).getByRole("button", { name: "Add" }).click();
  await page.fill("input[name=price]", "12.50");
  await page.locator("form").getByRole("button", { name: "Add" }).click();
  await page.locator("dd", { hasText: "12.5" }).first().waitFor({ timeout: 10_000 });
  await page.locator("td", { hasText: "published" }).first().waitFor({ timeout: 10_000 });
  await page.click("button:has-text('Refresh')");
  await page.locator("h2", { hasText: "Refresh a price feed now" }).waitFor({ timeout: 10_000 });
  await page.screenshot({ path: resolve(TARGET, "../price-feed.png"), fullPage: true });
  expect(complaints).toEqual([]);
}, 60_000);

test("every page of an account opens, and the form of each has its fields", async () => {
  const account = await api("POST", "/accounts", { owner: "browser" });
  const { page, complaints } = await watched();
  await page.goto(origin);
  await page.fill("input[name=token]", TOKEN);
  await page.click("button[type=submit]");
  await page.waitForSelector("h1:has-text('Overview')");
  await page.click("nav >> text=Accounts");
  await page.click(`text=${account.id}`);
  await page.locator("nav a", { hasText: "Price feeds" }).waitFor();
  const places = await page.locator("nav a").evaluateAll((links) => links.map((link) => link.getAttribute("href") ?? ""));
  for (const place of places.filter((one) => one.includes(account.id))) {
    await page.click(`nav a[href="${place}"]`);
    await page.locator("p.empty, table, .facts").first().waitFor();
    await page.waitForFunction(() => !document.body.innerText.includes("Loading…"), undefined, { timeout: 10_000 });
    const add = page.locator(".title button").first();
    if (await add.count()) {
      await add.click();
      await page.locator("form .field").first().waitFor();
    }
    expect(await page.locator("[role=alert]").allTextContents(), place).toEqual([]);
  }
  expect(complaints).toEqual([]);
}, 60_000);
