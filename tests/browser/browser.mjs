/* browser.mjs - what the browser tests share: the service's address, one Chromium, pages that report every fault.
 *
 * Run by tests/browser/test_browser.py, which starts the real program and passes in the environment:
 *   REFRACTR_URL      its address               REFRACTR_KEY      a key of an account with credits
 *   REFRACTR_DATA     its data folder           REFRACTR_BINARY   the program, for the command line
 * CHROMIUM names another browser than Debian's. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

export const URL_ = process.env.REFRACTR_URL || 'http://127.0.0.1:8080';
export const KEY = process.env.REFRACTR_KEY || '';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

export const DESKTOP = { width: 1280, height: 840 };
export const PHONE = { width: 390, height: 844 };

export async function openBrowser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ARGUMENTS });
}

/* A page in a context of its own. page.faults collects script errors, console errors and breaches of the policy. */
export async function openPage(browser, { viewport = DESKTOP, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport, colorScheme, permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(`script: ${error.message}`));
  page.on('console', (message) => message.type() === 'error' && page.faults.push(`console: ${message.text()}`));
  return page;
}

export async function visit(page, path) {
  await page.goto(URL_ + path);
  await page.waitForLoadState('networkidle');
}

/* axe-core's serious and critical findings, as readable lines. Evaluated, not added as a script: the policy would
 * refuse it. */
export async function accessibilityFaults(page) {
  await page.evaluate(() => Promise.all(document.getAnimations().map((a) => a.finished.catch(() => null))));
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.filter((v) => ['serious', 'critical'].includes(v.impact))
    .map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(' | ')}`);
}

export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

/* Runs the program's command line on the service's data; returns its output. */
export function refractr(...args) {
  assert.ok(process.env.REFRACTR_BINARY && process.env.REFRACTR_DATA, 'REFRACTR_BINARY and REFRACTR_DATA are not set');
  return execFileSync(process.env.REFRACTR_BINARY, [...args, '--data', process.env.REFRACTR_DATA], { encoding: 'utf8' });
}

/* A POST of the public API. */
export function extract(key, body, headers = {}) {
  return fetch(`${URL_}/api/v1/extract/`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

export const codePointSlice = (text, start, end) => [...text].slice(start, end).join('');

/* A fresh account: {account_id, api_key, signin_url}. */
export function newAccount(name, credits = 100) {
  const made = JSON.parse(refractr('account', 'create', name, '--credits', String(credits)));
  return { ...made, signin_url: new URL(made.signin_url, URL_).href.replace(/^https?:\/\/[^/]+/, URL_) };
}

/* A page signed in to a fresh account by its one-time link: {page, account}. */
export async function signedIn(browser, name, { credits = 100, ...options } = {}) {
  const account = newAccount(name, credits);
  const page = await openPage(browser, options);
  await page.goto(account.signin_url);
  await page.waitForURL('**/dashboard/');
  await page.waitForSelector('#account:not([hidden])');
  await page.waitForLoadState('networkidle');
  return { page, account };
}
