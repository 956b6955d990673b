import assert from 'node:assert/strict';
import { csvOf, jsonOf } from '../../../../webview/export/table';
import { sampleAbout } from './about';

const dataLines = (csv: string) => csv.split('\r\n').filter((line) => !line.startsWith('#'));

describe('exported tables', () => {
  it('say where they come from, in lines that stay one cell', () => {
    const comments = csvOf({ columns: ['a'], rows: [] }, sampleAbout)
      .split('\r\n')
      .filter((line) => line.startsWith('#'));
    assert.ok(comments.every((line) => !/[,;\t]/.test(line)));
    const text = comments.find((line) => line.startsWith('# passage.text: '))!;
    assert.equal(JSON.parse(text.slice('# passage.text: '.length)), sampleAbout.passage.text);
    assert.ok(comments.includes('# model.name: "tiny"') && comments.includes('# settings.layer: 1'));
  });

  it('quote what has separators, quotes and line breaks in it', () => {
    const csv = csvOf({ columns: ['text', 'p'], rows: [['a "b", c\n', 0.5]] }, sampleAbout);
    assert.ok(csv.includes('text,p\r\n"a ""b"", c\n",0.5\r\n'));
    assert.ok(csvOf({ columns: ['text'], rows: [[' the']] }, sampleAbout).includes('\r\n" the"\r\n'));
  });

  it('let no text be a formula, and leave numbers alone', () => {
    const rows = ['=1+1', '+', '-', '@x', '\tx', '\rx', '＝1'].map((text) => [text, -0.25]);
    for (const line of dataLines(csvOf({ columns: ['text', 'n'], rows }, sampleAbout)).slice(1, -1)) {
      assert.match(line, /^"?'/, line);
      assert.match(line, /,-0\.25$/);
    }
  });

  it('leave empty what has no number', () => {
    assert.deepEqual(dataLines(csvOf({ columns: ['a', 'b'], rows: [[null, Number.NaN]] }, sampleAbout)), [
      'a,b',
      ',',
      '',
    ]);
  });

  it('are the same as JSON, with the text as it is', () => {
    const json = JSON.parse(jsonOf({ columns: ['text', 'n'], rows: [['=1', 2]] }, sampleAbout));
    assert.deepEqual(json, { about: sampleAbout, rows: [{ text: '=1', n: 2 }] });
  });
});
