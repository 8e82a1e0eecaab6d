/* The playground with a pasted key: highlights agree with the API's spans, the key is kept only when asked. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessibilityFaults, codePointSlice, KEY, openBrowser, openPage, overflow, PHONE, visit } from './browser.mjs';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser.close());

const TEXT = '😕👩‍👩‍👧 Invoice #2847 e\u0301\nDate: 2026-01-15\nPresent: Tomas Vik, Amara Osei 🎉, Jun Takeda\nTotal: €1,249.00 \u{1F600}';
const TEMPLATE = { invoice_number: null, date: null, attendees: [], amounts: { total: null } };

async function ask(page, text = TEXT, template = TEMPLATE) {
  await page.fill('#document', text);
  await page.fill('#template', JSON.stringify(template));
  await page.fill('#key', KEY);
}

/* Presses Run; returns the service's answer. */
async function run(page) {
  const answered = page.waitForResponse((r) => r.url().includes('/extract'));
  await page.click('#run');
  const response = await answered;
  return { response, answer: await response.json() };
}

const spansOf = (fields) => Object.entries(fields).flatMap(([path, found]) => (found.values
  ? found.values.map((f, i) => [`${path}[${i}]`, f]) : [[path, found]])).filter(([, f]) => Number.isInteger(f.start));

test('every value is marked exactly where the API says, emoji before it or not', async () => {
  const page = await openPage(browser);
  await visit(page, '/playground/');
  await ask(page);
  const { answer } = await run(page);
  await page.waitForSelector('#marked mark');
  assert.equal(await page.textContent('#marked'), TEXT);
  assert.deepEqual(JSON.parse(await page.textContent('#answer')), answer.extracted_data);
  const spans = spansOf(answer.metadata.fields);
  assert.ok(spans.length >= 3, JSON.stringify(answer));
  const marks = await page.locator('#marked mark').evaluateAll((all) => all.map((mark) => {
    const before = document.createRange();
    before.setStart(document.getElementById('marked'), 0);
    before.setEndBefore(mark);
    const start = [...before.toString()].length;
    return { start, end: start + [...mark.textContent].length, label: mark.getAttribute('aria-label'), tip: mark.dataset.tip };
  }));
  for (const [path, field] of spans) {
    const covering = marks.filter((m) => m.start >= field.start && m.end <= field.end && m.tip.split('\n').some((t) => t.startsWith(`${path} ·`)));
    assert.equal(covering.reduce((n, m) => n + m.end - m.start, 0), field.end - field.start, path);
    const percent = `${Math.floor(field.confidence * 100)}%`;
    assert.ok(covering.some((m) => m.label && m.label.includes(`${path}, confidence ${percent}`)), `${path} is not told to screen readers`);
    assert.equal(codePointSlice(TEXT, field.start, field.end), field.value_text, path);
  }
  await page.click('#answer-panel summary');
  const row = page.locator(`#values tr[data-path="${spans[0][0]}"]`);
  assert.equal(await row.getAttribute('data-start'), String(spans[0][1].start));
  assert.ok((await row.textContent()).includes(spans[0][1].value_text));
  assert.deepEqual(await accessibilityFaults(page), []);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('confidence shows on hover, and the value lights up in the answer', async () => {
  const page = await openPage(browser);
  await visit(page, '/playground/');
  await ask(page);
  await run(page);
  const mark = page.locator('#marked mark').first();
  await mark.hover();
  assert.match(await page.textContent('.tip:visible'), /· \d+%/);
  const path = await mark.getAttribute('data-path');
  assert.match(await page.getAttribute(`#answer [data-path="${path}"]`, 'class'), /lit/);
  await page.context().close();
});

test('the key stays in the page unless the box is ticked', async () => {
  const page = await openPage(browser);
  await visit(page, '/playground/');
  await ask(page);
  await run(page);
  const stored = () => page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]) + document.cookie);
  assert.ok(!(await stored()).includes(KEY));
  await page.check('#keep');
  await run(page);
  assert.ok((await stored()).includes(KEY));
  await visit(page, '/playground/');
  assert.equal(await page.inputValue('#key'), KEY);
  await page.uncheck('#keep');
  await run(page);
  assert.ok(!(await stored()).includes(KEY));
  await page.context().close();
});

test('a wrong key, a bad template and no text are told in words', async () => {
  const page = await openPage(browser);
  await visit(page, '/playground/');
  await ask(page);
  await page.fill('#key', 'dm_nonsense');
  await run(page);
  await page.waitForSelector('#problem .error');
  assert.match(await page.getAttribute('#problem a', 'href'), /^\/docs\/#error-api_key_/);
  await page.fill('#template', '{"a": "money"}');
  assert.match(await page.textContent('#template-state'), /"money" is no type/);
  await page.click('#run');
  assert.match(await page.textContent('#problem'), /"money" is no type/);
  await page.fill('#template', '{"a": null}');
  await page.fill('#document', '');
  await page.click('#run');
  assert.match(await page.textContent('#problem'), /text/);
  await page.context().close();
});

test('a dropped file becomes the document; what is not text is refused', async () => {
  const page = await openPage(browser);
  await visit(page, '/playground/');
  const drop = (bytes, name) => page.evaluate(([b, n]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(b)], n));
    document.getElementById('paper').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  }, [[...bytes], name]);
  await drop(Buffer.from('Total: 12 €\n'), 'bill.txt');
  await page.waitForFunction(() => document.getElementById('document').value === 'Total: 12 €\n');
  await page.click('#suggest');
  assert.deepEqual(JSON.parse(await page.inputValue('#template')), { total: null });
  await drop(Buffer.from([0x25, 0x50, 0x44, 0x46, 0, 0xff]), 'scan.pdf');
  await page.waitForSelector('#problem .error');
  assert.match(await page.textContent('#problem'), /scan\.pdf is not a UTF-8 text file/);
  await page.context().close();
});

test('the call can be copied as code', async () => {
  const page = await openPage(browser);
  await visit(page, '/playground/');
  await ask(page);
  await page.click('#as-code');
  const dialog = page.getByRole('dialog');
  for (const [language, word] of [['curl', 'curl -sS'], ['Python', 'requests.post'], ['JavaScript', 'await fetch']]) {
    await dialog.getByRole('tab', { name: language }).click();
    await dialog.getByRole('button', { name: /Copy|Copied/ }).click();
    const copied = (await page.evaluate(() => navigator.clipboard.readText())).replaceAll('\r\n', '\n');
    assert.ok(copied.includes(word) && copied.includes('2847') && !copied.includes(KEY), copied);
  }
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('dialog').count(), 0);
  await page.context().close();
});

test('the playground works on a phone', async () => {
  const page = await openPage(browser, { viewport: PHONE, colorScheme: 'dark' });
  await visit(page, '/playground/');
  await ask(page);
  await run(page);
  await page.waitForSelector('#marked mark');
  assert.ok(await overflow(page) <= 0);
  assert.deepEqual(await accessibilityFaults(page), []);
  await page.context().close();
});
