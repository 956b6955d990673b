import type { GeneratedToken } from '../../src/protocol/continuation';
import { HEAD_SCORES } from '../../src/protocol/heads';
import type {
  ActiveNeurons,
  Attribution,
  EmbeddingStep,
  EmbeddingView,
  HeadProjection,
  LogitLens,
  NamedToken,
  NearestTokens,
  NormsView,
  RotaryPosition,
  SamplerSteps,
  StreamNorms,
  Vocabularies,
  WordMerges,
  WordPart,
  WorkedRow,
} from '../../src/protocol/stages';
import type { CandidateList, HeadMatrix, Trace } from '../../src/protocol/trace';
import type { TrainingView } from '../../src/protocol/training';
import { firstOf, positionOf, probabilityOf, restOf, type TreeRow } from '../branch-tree';
import type { HeadTableRow } from '../render/head-table';
import { SCORED_TEXTS } from '../render/head-table';
import { keysOf, queriesOf } from '../render/matrix-geometry';
import { tokenLabel } from '../render/visible-text';
import type { Table, TableCell } from './table';

/** The tables of the panel with all their digits; a token's text is its own, not the visible form. */

export function tokensTable({ tokens }: Trace): Table {
  return {
    columns: ['index', 'id', 'text', 'bytes', 'start', 'end', 'probability', 'rank', 'surprisal bits', 'entropy bits'],
    rows: tokens.map((token) => [
      ...[token.index, token.id, token.text, bytesOf(token), token.start, token.end],
      ...[token.probability, token.rank, token.surprisal, token.entropy],
    ]),
  };
}

export function mergesTable({ steps }: WordMerges): Table {
  return {
    columns: ['step', 'rank', 'merged', 'parts'],
    rows: steps.map(({ parts, merged, rank }, step) => [
      ...[step, rank, merged === null ? null : tokenLabel(parts[merged])],
      parts.map(tokenLabel).join(' '),
    ]),
  };
}

export function vocabulariesTable({ rows }: Vocabularies): Table {
  return {
    columns: ['vocabulary', 'of the model', 'size', 'tokens', 'bytes per token'],
    rows: rows.map(({ name, own, vocabSize, count, bytesPerToken }) => [
      ...[name, own ? 'yes' : 'no', vocabSize, count, bytesPerToken],
    ]),
  };
}

export function nearestTable({ nearest }: NearestTokens): Table {
  return {
    columns: ['place', 'id', 'text', 'bytes', 'cosine'],
    rows: nearest.map((near, at) => [at + 1, near.id, near.text, bytesOf(near), near.cosine]),
  };
}

/** The way of a token's row to the stream. */
export function embeddingTable({ steps }: EmbeddingView, nameOf: (step: EmbeddingStep) => string): Table {
  return {
    columns: ['step', 'length'],
    rows: steps.map((step) => [nameOf(step), Math.hypot(...step.vector)]),
  };
}

/** RoPE's angles, pair by pair. */
export function anglesTable({ angles, frequencies }: RotaryPosition): Table {
  return {
    columns: ['pair', 'radians a token', 'radians here'],
    rows: Array.from(angles, (angle, pair) => [pair, frequencies[pair], angle]),
  };
}

/** Tokens that were written behind a passage of that many. */
export function grownTable(length: number, steps: readonly GeneratedToken[]): Table {
  return {
    columns: ['index', 'id', 'text', 'bytes', 'probability', 'after sampler', 'rank', 'reused', 'read', 'left out'],
    rows: steps.map((step, at) => [
      ...[length + at, step.id, step.text, bytesOf(step), step.probability, step.samplerProbability],
      ...[step.rank, step.reused, step.read, step.leftOut],
    ]),
  };
}

/** A row a way: a branch, what stands in the text, or a token that could be chosen. */
export function branchesTable(rows: readonly TreeRow[]): Table {
  return {
    columns: ['depth', 'index', 'way', 'id', 'token', 'probability', 'goes on with', 'probability of all'],
    rows: rows.flatMap((row) => {
      if (row.kind === 'place') {
        return [];
      }
      const { depth, place, way } = row;
      const first = firstOf(way);
      const rest = restOf(way).map(({ text }) => text);
      return [
        [
          ...[depth, positionOf(place), way.kind, first.id, first.text, first.probability],
          ...[rest.join(''), probabilityOf(way)],
        ],
      ];
    }),
  };
}

/** One column a key or group of keys. */
export function matrixTable(matrix: HeadMatrix, nameOf: (from: number, to: number) => string): Table {
  const rows = Array.from({ length: matrix.rows }, (_, row) => {
    const { from, to } = queriesOf(matrix, row);
    const cells = matrix.weights.subarray(row * matrix.columns, (row + 1) * matrix.columns);
    return [nameOf(from, to), ...cells];
  });
  const names = Array.from({ length: matrix.columns }, (_, column) => {
    const { from, to } = keysOf(matrix, column);
    return nameOf(from, to);
  });
  return { columns: ['query', ...names], rows };
}

export function workedRowTable({ tokens }: Trace, { keys }: WorkedRow): Table {
  return {
    columns: ['key', 'text', 'q·k', 'score', 'masked score', 'weight', '‖v‖', 'weight × ‖v‖'],
    rows: keys.map(({ key, product, score, masked, weight, valueNorm }) => [
      ...[key, tokens[key].text, product, score, masked, weight, valueNorm, weight * valueNorm],
    ]),
  };
}

/** The heads side by side: how long each one's mix is, and what its projection adds to the stream. */
export function projectionTable({ mixedNorms, addedNorms }: HeadProjection): Table {
  return {
    columns: ['head', '‖z‖', '‖W_O z‖'],
    rows: Array.from(addedNorms, (added, head) => [head, mixedNorms[head], added]),
  };
}

export function headsTable(rows: readonly HeadTableRow[]): Table {
  const columns = HEAD_SCORES.flatMap((score) => SCORED_TEXTS.map((text) => `${score} ${text}`));
  return {
    columns: ['layer', 'head', 'kind', 'seen on', ...columns],
    rows: rows.map((row) => [
      ...[row.layer, row.head, row.tag?.kind ?? null, row.tag?.seenOn ?? null],
      ...HEAD_SCORES.flatMap((score) => SCORED_TEXTS.map((text) => numberOf(row[text][score]))),
    ]),
  };
}

export function candidatesTable({ candidates }: CandidateList): Table {
  return {
    columns: ['rank', 'id', 'text', 'bytes', 'probability', 'after sampler'],
    rows: candidates.map((each) => [
      ...[each.rank, each.id, each.text, bytesOf(each), each.probability, each.samplerProbability],
    ]),
  };
}

export function samplerTable({ rows }: SamplerSteps): Table {
  return {
    columns: ['id', 'text', 'logit', 'scaled', 'after top-k', 'after min-p', 'cumulative', 'after top-p', 'final'],
    rows: rows.map((row) => [
      ...[row.id, row.text, row.logit, row.scaled, row.afterTopK, row.afterMinP],
      ...[row.cumulative, row.afterTopP, row.final],
    ]),
  };
}

export function lensTable({ positions, rows }: LogitLens): Table {
  const most = Math.max(0, ...rows.flat().map(({ tokens }) => tokens.length));
  const listed = Array.from({ length: most }, (_, at) => [`token ${at + 1}`, `probability ${at + 1}`]).flat();
  return {
    columns: ['depth', 'position', ...listed, 'probability of the text', 'rank of the text'],
    rows: rows.flatMap((cells, depth) =>
      cells.map(({ tokens, actual }, at): TableCell[] => {
        const best = Array.from({ length: most }, (_, place) => tokens[place]);
        return [
          ...[depth, positions.from + at],
          ...best.flatMap((token) => [token?.text ?? null, token?.probability ?? null]),
          ...[actual?.probability ?? null, actual?.rank ?? null],
        ];
      }),
    ),
  };
}

export function attributionTable({ parts }: Attribution): Table {
  return {
    columns: ['part', 'layer', 'head', 'pushes by'],
    rows: parts.map(({ source, value }) => [
      ...[source.kind, 'layer' in source ? source.layer : null, source.kind === 'head' ? source.head : null, value],
    ]),
  };
}

export function streamTable({ layers, length, stream, attention, feedForward }: StreamNorms, position: number): Table {
  return {
    columns: ['after layer', '+ attention', '+ feed-forward', 'stream'],
    rows: Array.from({ length: layers + 1 }, (_, depth) => [
      depth === 0 ? null : depth - 1,
      depth === 0 ? null : attention[(depth - 1) * length + position],
      depth === 0 ? null : feedForward[(depth - 1) * length + position],
      stream[depth * length + position],
    ]),
  };
}

/** A block's norms, at one token. */
export function normsTable({ attention, feedForward }: NormsView): Table {
  const parts = Object.entries({ attention, 'feed-forward': feedForward });
  return {
    columns: ['norm before the', 'kind', 'mean', 'divided by', 'length before', 'length after'],
    rows: parts.flatMap(([part, norm]) =>
      norm === null
        ? []
        : [[part, norm.kind, norm.mean, norm.divisor, Math.hypot(...norm.before), Math.hypot(...norm.after)]],
    ),
  };
}

export function neuronsTable({ tokens }: Trace, { neurons }: ActiveNeurons): Table {
  return {
    columns: ['neuron', 'before', 'gate', 'after', 'strongest at'],
    rows: neurons.map(({ neuron, projected, value, exciting }) => [
      ...[neuron, projected[0] ?? null, projected[1] ?? null, value],
      exciting.map(({ position }) => `#${position} ${tokenLabel(tokens[position])}`).join('  '),
    ]),
  };
}

export function trainingTable({ rows }: TrainingView): Table {
  return {
    columns: ['position', 'input', 'target', 'probability', 'loss nats', 'context'],
    rows: rows.map((row) => [
      ...[row.position, row.input.text, row.target.text, row.probability, row.loss, row.context],
    ]),
  };
}

function bytesOf({ bytes }: Pick<NamedToken, 'bytes'> | WordPart): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** JSON has no NaN. */
function numberOf(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
