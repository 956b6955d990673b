import { parseArgs } from 'node:util';
import { checkSettings, NEUTRAL_SAMPLER } from '../engine/sampling/settings';
import type { DeviceChoice } from '../protocol/device';
import { HeadlightError } from '../protocol/errors';
import type { SamplerSettings } from '../protocol/trace';

/** What the command line asks for. */
export interface CommandLine {
  readonly input: Input;
  /** Whether names of special tokens in the text are those tokens. */
  readonly readsSpecial: boolean;
  /** The name of a folder under models/, or a folder. */
  readonly model: string;
  readonly device: DeviceChoice;
  readonly sampler: SamplerSettings;
  readonly json: boolean;
  /** The folder that NumPy files are written to, or null. */
  readonly tensors: string | null;
  /** Tries the device instead of showing a text. */
  readonly checksDevice?: true;
  /** Shows this stage instead of the whole. */
  readonly stage?: StageChoice;
}

/** A stage, and which part of it. */
export interface StageChoice {
  readonly name: StageName;
  readonly layer: number;
  readonly head: number;
  /** Null is the last token. */
  readonly token: number | null;
  readonly stride: number | null;
  /** Tokens to generate. */
  readonly count: number | null;
  /** Of the draws. */
  readonly seed: number | null;
}

export const STAGES = [
  'tokens',
  'embedding',
  'attention',
  'heads',
  'stream',
  'feed-forward',
  'lens',
  'attribution',
  'sampler',
  'again',
  'training',
] as const;

export type StageName = (typeof STAGES)[number];

export type Input =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'ids'; readonly ids: readonly number[] }
  | { readonly kind: 'stdin' };

const DEFAULT_MODEL = 'headlight-small';
const DEVICES: readonly DeviceChoice[] = ['auto', 'cpu', 'cuda', 'webgpu', 'dml', 'coreml'];

export const USAGE = `npm run --silent inspect -- [OPTIONS]

Shows what a language model makes of a text: its tokens, what it would write next and its most telling attention heads.

  --text S         the text; or
  --file F         a file with it; or
  --ids 1,2,3      token ids instead of a text; without any of them, standard input is read
  --special-tokens reads the name of a special token in the text, such as <|im_start|>, as that token
  --model M        a folder under models/ or any other model folder (default ${DEFAULT_MODEL})
  --device D       ${DEVICES.join(', ')} (default auto)
  --check-device   tries that device with the model, and shows how its numbers and times compare with the processor's
  --temperature N  divides the logits; 0 takes the most probable token (default 1)
  --top-k N        keeps the N most probable tokens (default 0, all)
  --top-p N        keeps the most probable tokens that reach the probability N together (default 1, all)
  --min-p N        keeps what has N times the largest probability or more (default 0, all)
  --json           one JSON object instead of a page
  --tensors DIR    writes logits.npy, attention.npy and hidden.npy there; with a stage, that stage's tensors
  --stage NAME     shows one stage: ${STAGES.join(', ')}
  --layer L        of that layer, from 0 (default 0)
  --head H         of that head, from 0 (default 0)
  --token I        at that token, from 0 (default the last)
  --stride N       for training: tokens from one window of a long text to the next (default half the context)
  --count N        for again: tokens to generate (default 20)
  --seed N         for again: of the draws (default 1)
  --help           this page
`;

/** @throws HeadlightError `argument-invalid` with one sentence on what cannot be understood */
export function parseCommandLine(args: readonly string[]): CommandLine | 'help' {
  const values = parse(args);
  if (values.help) {
    return 'help';
  }
  const sampler: SamplerSettings = {
    temperature: number(values.temperature, '--temperature') ?? NEUTRAL_SAMPLER.temperature,
    topK: number(values['top-k'], '--top-k') ?? NEUTRAL_SAMPLER.topK,
    topP: number(values['top-p'], '--top-p') ?? NEUTRAL_SAMPLER.topP,
    minP: number(values['min-p'], '--min-p') ?? NEUTRAL_SAMPLER.minP,
  };
  checkSettings(sampler);
  return {
    input: inputOf(values),
    readsSpecial: values['special-tokens'] === true,
    model: values.model ?? DEFAULT_MODEL,
    device: deviceOf(values.device ?? 'auto'),
    sampler,
    json: values.json ?? false,
    tensors: values.tensors ?? null,
    ...(values['check-device'] ? { checksDevice: true } : {}),
    ...stageOf(values),
  };
}

function stageOf(values: Values): { readonly stage?: StageChoice } {
  const part = {
    layer: index(values.layer, '--layer'),
    head: index(values.head, '--head'),
    token: index(values.token, '--token'),
    stride: index(values.stride, '--stride'),
    count: index(values.count, '--count'),
    seed: index(values.seed, '--seed'),
  };
  if (values.stage === undefined) {
    const unused = Object.entries(part).find(([, value]) => value !== null);
    if (unused !== undefined) {
      throw invalid(`--${unused[0]} says which part of a stage is meant, and no --stage is given`);
    }
    return {};
  }
  const name = STAGES.find((known) => known === values.stage);
  if (name === undefined) {
    throw invalid(`--stage takes one of ${STAGES.join(', ')}, and "${values.stage}" is none`);
  }
  return { stage: { ...part, name, layer: part.layer ?? 0, head: part.head ?? 0 } };
}

function index(word: string | undefined, option: string): number | null {
  const value = number(word, option);
  if (value !== null && !(Number.isSafeInteger(value) && value >= 0)) {
    throw invalid(`${option} takes a whole number from 0, and "${word}" is none`);
  }
  return value;
}

type Values = ReturnType<typeof parse>;

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: joinNegativeNumbers(args),
      options: {
        text: { type: 'string' },
        file: { type: 'string' },
        ids: { type: 'string' },
        'special-tokens': { type: 'boolean' },
        model: { type: 'string' },
        device: { type: 'string' },
        'check-device': { type: 'boolean' },
        temperature: { type: 'string' },
        'top-k': { type: 'string' },
        'top-p': { type: 'string' },
        'min-p': { type: 'string' },
        json: { type: 'boolean' },
        tensors: { type: 'string' },
        stage: { type: 'string' },
        layer: { type: 'string' },
        head: { type: 'string' },
        token: { type: 'string' },
        stride: { type: 'string' },
        count: { type: 'string' },
        seed: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    // The first sentence says what is wrong, the others how to escape it.
    const { message, code } = error as Error & { code?: string };
    const [what] = message.split(/\.(?=\s|$)|\n/);
    const how =
      code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL' ? 'put --file before a file, --text before a text; ' : '';
    throw invalid(`${what}; ${how}--help shows what can be said`);
  }
}

/** `--temperature -1` is a wrong temperature to its author, and an ambiguity to parseArgs. */
function joinNegativeNumbers(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const previous = joined.at(-1);
    if (/^-[\d.]/.test(arg) && previous !== undefined && /^--[a-z-]+$/.test(previous)) {
      joined[joined.length - 1] = `${previous}=${arg}`;
    } else {
      joined.push(arg);
    }
  }
  return joined;
}

function inputOf({ text, file, ids }: Values): Input {
  if ([text, file, ids].filter((value) => value !== undefined).length > 1) {
    throw invalid('--text, --file and --ids exclude each other; give one of them');
  }
  if (text !== undefined) {
    return { kind: 'text', text };
  }
  if (file !== undefined) {
    return { kind: 'file', file };
  }
  return ids === undefined ? { kind: 'stdin' } : { kind: 'ids', ids: ids.split(',').map(tokenId) };
}

function tokenId(word: string): number {
  const id = Number(word);
  if (word.trim() === '' || !Number.isSafeInteger(id) || id < 0) {
    throw invalid(`--ids takes token ids such as 1,2,3, and "${word}" is none`);
  }
  return id;
}

function number(word: string | undefined, option: string): number | null {
  if (word === undefined) {
    return null;
  }
  const value = Number(word);
  if (word.trim() === '' || Number.isNaN(value)) {
    throw invalid(`${option} takes a number, and "${word}" is none`);
  }
  return value;
}

function deviceOf(word: string): DeviceChoice {
  const device = DEVICES.find((known) => known === word);
  if (device === undefined) {
    throw invalid(`--device takes one of ${DEVICES.join(', ')}, and "${word}" is none`);
  }
  return device;
}

function invalid(what: string): HeadlightError {
  return new HeadlightError('argument-invalid', `${what}.`);
}
