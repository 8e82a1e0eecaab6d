/* The pages' modules, loaded from the service into the browser: offsets, segments, suggestions, snippets, the template check. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { extract, KEY, openBrowser, openPage, URL_, visit } from './browser.mjs';

let browser;
let page;
before(async () => {
  browser = await openBrowser();
  page = await openPage(browser);
  await visit(page, '/docs/');
});
after(() => browser.close());

/* Calls an exported function in the page. */
const call = (module, name, ...args) => page.evaluate(
  async ([m, n, a]) => (await import(`/static/${m}.js`))[n](...a), [module, name, args]);

test('code points become UTF-16 offsets, emoji and all', async () => {
  assert.deepEqual(await call('spans', 'utf16Offsets', 'a😕b'), [0, 1, 3, 4]);
  assert.deepEqual(await call('spans', 'utf16Offsets', ''), [0]);
  assert.equal(await call('spans', 'codePoints', '👩‍👩‍👧 e\u0301'), 8);
});

test('segments cover the text without gaps, overlapping spans included', async () => {
  const spans = [{ path: 'a', start: 2, end: 6 }, { path: 'b', start: 4, end: 9 }, { path: 'c', start: 4, end: 6 }];
  const found = await call('spans', 'segments', 10, spans);
  assert.deepEqual(found.map((s) => [s.start, s.end, s.spans.map((x) => x.path).join('')]),
    [[0, 2, ''], [2, 4, 'a'], [4, 6, 'abc'], [6, 9, 'b'], [9, 10, '']]);
});

test('details become spans with the path of each value', async () => {
  const spot = { value_text: 'x', start: 1, end: 2, confidence: 0.5 };
  const nothing = { value_text: null, start: null, end: null, confidence: 0.9 };
  const list = (...values) => ({ values, near_misses: 0 });
  const found = await call('spans', 'valueSpans', { a: spot, n: nothing, 'b.c': spot, d: list(spot, spot), e: list(), 'r[1].p': spot });
  assert.deepEqual(found.map((s) => [s.path, s.field]),
    [['a', 'a'], ['b.c', 'b.c'], ['d[0]', 'd'], ['d[1]', 'd'], ['r[1].p', 'r[].p']]);
});

test('keys are suggested from labels; repeated labels become lists; plain prose still gives keys', async () => {
  assert.deepEqual(await call('suggest', 'suggest', 'Invoice #2847\nBill to: Ada\n**Due date**: 3 May\nItem: a\nItem: b\n'),
    { invoice_number: null, bill_to: null, due_date: null, item: [] });
  assert.deepEqual(await call('suggest', 'suggest', 'Rechnungsempfänger:\tAda\n合計: 12\nО компании: нет'),
    { rechnungsempfänger: null, 合計: null, о_компании: null });
  assert.deepEqual(await call('suggest', 'suggest', 'write to a@b.example before 2026-03-04'), { email: null, date: null });
  assert.deepEqual(await call('suggest', 'suggest', ''), {});
});

const HOSTILE = "It's \"100 %\" $HOME `id` \\n\nJSON\n'''\n\"\"\"\t😕 \u2028 é";

test('snippets send exactly the question, whatever stands in the text', async () => {
  const body = { document_text: HOSTILE, template: { total: null, tags: [], buyer: { name: 'string' }, due: ['date'] } };
  const environment = { ...process.env, REFRACTR_API_KEY: KEY };
  const curl = await call('snippets', 'snippet', 'curl', body, 'http://x');
  const sent = execFileSync('sh', ['-c', `curl() { cat; }\n${curl}`], { encoding: 'utf8', env: environment });
  assert.deepEqual(JSON.parse(sent), body);
  const python = await call('snippets', 'snippet', 'python', body, 'http://x');
  const literal = /json=(\{[\s\S]*\n {4}\}),\n {4}timeout/.exec(python)[1];
  const printed = execFileSync('python3', ['-c', `import json\nprint(json.dumps(${literal}))`], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(printed), body);
});

test('the JavaScript and curl snippets run against the service', async () => {
  const body = { document_text: 'Total: €1,249.00 😕', template: { total: null, tags: [] } };
  const environment = { ...process.env, REFRACTR_API_KEY: KEY };
  const expected = (await (await extract(KEY, body)).json()).extracted_data;
  const curl = await call('snippets', 'snippet', 'curl', body, URL_);
  assert.deepEqual(JSON.parse(execFileSync('sh', ['-c', curl], { encoding: 'utf8', env: environment })).extracted_data, expected);
  const script = (await call('snippets', 'snippet', 'javascript', body, URL_)).replace('console.log(answer.extracted_data)', 'console.log(JSON.stringify(answer.extracted_data))');
  const printed = execFileSync('node', ['--input-type=module', '-e', script], { encoding: 'utf8', env: environment });
  assert.deepEqual(JSON.parse(printed), expected);
});

const deep = (levels) => (levels === 1 ? { a: null } : { a: deep(levels - 1) });
const TEMPLATES = [
  { a: null }, { a: [] }, { a: 'date' }, { a: ['date'] }, { a: ['low', 'high'] }, { a: [['low', 'high']] }, { a: [{ b: null }] },
  { a: { b: { c: null } } }, { a: { $type: 'date', $description: 'when' } }, { a: [{ b: { $description: 'x' } }] },
  {}, { a: 'money' }, { a: 3 }, { a: true }, { a: [{}] }, { a: [{ b: { c: null } }] }, { '': null }, { a: { $type: 'date', other: 1 } },
  { a: ['x', 1] }, { ['k'.repeat(129)]: null }, { a: { $type: null, $description: 'd'.repeat(501) } },
  Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`k${i}`, null])), deep(8), deep(20),
];

test('the editor accepts and refuses the same templates as the service', async () => {
  for (const template of TEMPLATES) {
    const checked = await call('template', 'readTemplate', JSON.stringify(template));
    const answer = await extract(KEY, { document_text: 'a: 1', template });
    const text = JSON.stringify(template).slice(0, 80);
    assert.equal(answer.status === 200, !checked.problem, `${text}: service ${answer.status}, editor ${checked.problem || 'content'}`);
  }
});
