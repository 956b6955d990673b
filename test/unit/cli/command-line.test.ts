import assert from 'node:assert/strict';
import { type CommandLine, parseCommandLine } from '../../../src/cli/command-line';

function parse(...args: string[]): CommandLine {
  const parsed = parseCommandLine(args);
  assert.notEqual(parsed, 'help');
  return parsed as CommandLine;
}

describe('command line', () => {
  it('reads standard input into the default model when nothing is said', () => {
    assert.deepEqual(parse(), {
      input: { kind: 'stdin' },
      readsSpecial: false,
      model: 'headlight-small',
      device: 'auto',
      sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
      json: false,
      tensors: null,
    });
  });

  it('takes every option', () => {
    const args =
      '--ids 1,2,3 --model m --device cpu --temperature 0.5 --top-k 40 --top-p 0.9 --min-p 0.05 --json --special-tokens';
    assert.deepEqual(parse(...args.split(' '), '--tensors', 'out dir'), {
      input: { kind: 'ids', ids: [1, 2, 3] },
      readsSpecial: true,
      model: 'm',
      device: 'cpu',
      sampler: { temperature: 0.5, topK: 40, topP: 0.9, minP: 0.05 },
      json: true,
      tensors: 'out dir',
    });
  });

  it('takes a text as it is, empty or with any characters', () => {
    assert.deepEqual(parse('--text', '').input, { kind: 'text', text: '' });
    assert.deepEqual(parse('--text', ' a\r\n\0 ').input, { kind: 'text', text: ' a\r\n\0 ' });
    assert.deepEqual(parse('--text=--json').input, { kind: 'text', text: '--json' });
  });

  it('shows its page for --help', () => {
    assert.equal(parseCommandLine(['--help']), 'help');
    assert.equal(parseCommandLine(['-h', '--json']), 'help');
  });

  it('says in one sentence what it cannot understand', () => {
    const refused: [string[], RegExp][] = [
      [['--texd', 'x'], /^Unknown option '--texd'/],
      [['text'], /^Unexpected argument 'text'/],
      [['samples/greet.ts'], /^Unexpected argument 'samples\/greet\.ts'; put --file before a file, /],
      [['--text'], /'--text <value>' argument missing/],
      [['--text', 'a', '--ids', '1'], /exclude each other/],
      [['--ids', '1,x'], /"x" is none/],
      [['--ids', ''], /"" is none/],
      [['--ids', '1.5'], /"1\.5" is none/],
      [['--device', 'gpu'], /auto, cpu/],
      [['--temperature', 'hot'], /--temperature takes a number, and "hot" is none/],
      [['--temperature', '-1'], /temperature is -1/],
      [['--top-k', '2.5'], /top-k is 2\.5/],
      [['--top-p', '0'], /top-p is 0/],
      [['--min-p', '1.5'], /min-p is 1\.5/],
    ];
    for (const [args, message] of refused) {
      assert.throws(() => parseCommandLine(args), { code: 'argument-invalid', message });
      assert.throws(() => parseCommandLine(args), /^HeadlightError: [^\n]+\.$/);
    }
  });
});

describe('a stage on the command line', () => {
  it('is named with its part', () => {
    assert.deepEqual(parse('--stage', 'attention', '--layer', '2', '--head', '3', '--token', '4'), {
      ...(parse() as object),
      stage: { name: 'attention', layer: 2, head: 3, token: 4, stride: null, count: null, seed: null },
    });
  });

  for (const [args, sentence] of [
    [['--stage', 'magic'], /^--stage takes one of tokens, embedding, attention, .*"magic" is none\.$/],
    [['--layer', '1'], /^--layer says which part of a stage is meant, and no --stage is given\.$/],
    [['--stage', 'lens', '--token', '1.5'], /^--token takes a whole number from 0, and "1\.5" is none\.$/],
  ] as const) {
    it(`refuses ${args.join(' ')}`, () => {
      assert.throws(() => parse(...args), { code: 'argument-invalid', message: sentence });
    });
  }
});
