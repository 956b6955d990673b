import {
  EmbeddingRequest,
  type EmbeddingStep,
  type EmbeddingView,
  type NearestTokens,
  NearestTokensRequest,
  type RotaryPosition,
} from '../../src/protocol/stages';
import type { Trace } from '../../src/protocol/trace';
import { type Answer, useAnswer } from '../answers';
import { gridPicture, steppedColour } from '../export/pictures';
import type { SectionFiles } from '../export/section-files';
import type { Picture } from '../export/surface';
import { anglesTable, embeddingTable, nearestTable } from '../export/tables';
import { usePalette, useSelected } from '../panel-context';
import { formatNumber } from '../render/number-format';
import type { Palette } from '../render/theme';
import { focusedQuery, shownHead } from '../state';
import { Failure } from './notices';
import { Section } from './section';
import { drawnOf, extentOf, VectorStrip } from './vector-strip';
import { TokenTag, TokenText } from './visible';

/** Nearest tokens that are listed. */
const NEAREST = 12;
/** Pairs whose angles are written out. */
const PAIRS = 8;

/** From a token's id to the vector that enters the first layer. */
export function EmbeddingSection({ trace }: { trace: Trace }) {
  const open = !useSelected((state) => state.view.collapsed.includes('embedding'));
  const layer = useSelected((state) => (open ? (shownHead(state)?.layer ?? 0) : 0));
  const head = useSelected((state) => (open ? (shownHead(state)?.head ?? 0) : 0));
  const token = useSelected((state) => (open ? focusedQuery(state) : null)) ?? 0;
  const palette = usePalette();
  const { value, stale, failure } = useAnswer(
    EmbeddingRequest,
    open ? { traceId: trace.id, token, layer, head } : null,
  );
  // The whole vocabulary is compared: what else there is goes before it.
  const near = useAnswer(
    NearestTokensRequest,
    open && value !== null ? { traceId: trace.id, token: value.token, limit: NEAREST } : null,
  );
  return (
    <Section
      name="embedding"
      title="Embedding and position"
      files={
        value === null || stale || value.token >= trace.tokens.length
          ? null
          : embeddingFiles(trace, value, near.stale ? null : near.value, palette)
      }
      subtitle={
        <>
          of <span class="mono">#{token}</span> <TokenText token={trace.tokens[token]} />
        </>
      }
    >
      {failure !== null && <Failure error={failure} />}
      {value !== null && failure === null && value.token < trace.tokens.length && (
        <div class={stale ? 'is-late' : ''}>
          <EmbeddingDetails trace={trace} view={value} near={near} />
        </div>
      )}
    </Section>
  );
}

/** @param near null until they are there */
function embeddingFiles(trace: Trace, view: EmbeddingView, near: NearestTokens | null, palette: Palette): SectionFiles {
  const { steps, rotary, token, layer, head } = view;
  const names = steps.map((step) => nameOf(step, token, trace.tokens[token].id));
  return {
    settings: { token, ...(rotary === null ? {} : { layer, head }) },
    tables: {
      steps: () => embeddingTable(view, (step) => nameOf(step, token, trace.tokens[token].id)),
      ...(near === null || near.nearest.length === 0 ? {} : { 'nearest tokens': () => nearestTable(near) }),
      ...(rotary === null ? {} : { angles: () => anglesTable(rotary) }),
    },
    pictures: {
      vectors: () =>
        vectorsPicture(
          `From token #${token} to the residual stream`,
          steps.map(({ vector }, at) => [names[at], vector]),
          palette,
        ),
      ...(rotary === null
        ? {}
        : {
            rotation: () =>
              vectorsPicture(
                `Query and key of layer ${layer}, head ${head} at token #${token}, turned`,
                turnedVectors(rotary),
                palette,
              ),
          }),
    },
    tensors: Object.fromEntries([
      ...steps.map(({ vector }, at) => [names[at], () => ({ shape: [vector.length], values: vector })]),
      ...(rotary === null
        ? []
        : [
            ['query before', () => ({ shape: [rotary.queryBefore.length], values: rotary.queryBefore })],
            ['key before', () => ({ shape: [rotary.keyBefore.length], values: rotary.keyBefore })],
            ['query turned', () => ({ shape: [rotary.queryAfter.length], values: rotary.queryAfter })],
            ['key turned', () => ({ shape: [rotary.keyAfter.length], values: rotary.keyAfter })],
          ]),
    ]),
  };
}

function vectorsPicture(
  title: string,
  vectors: readonly (readonly [name: string, vector: Float32Array])[],
  palette: Palette,
): Picture {
  const widest = Math.max(0, ...vectors.map(([, vector]) => vector.length));
  const extent = extentOf(vectors.map(([, vector]) => vector));
  const colour = steppedColour('score', palette);
  return gridPicture(
    {
      title: `${title}, colours from −${formatNumber(extent)} to ${formatNumber(extent)}`,
      ...{ cellWidth: 3, cellHeight: 20, uprightColumns: true },
      rowLabels: vectors.map(([name]) => name),
      columnLabels: Array.from({ length: widest }, () => ''),
      fill: (row, column) => {
        const [, vector] = vectors[row];
        return column < vector.length ? colour(0.5 + vector[column] / extent / 2) : null;
      },
    },
    palette,
  );
}

function turnedVectors(rotary: RotaryPosition): readonly (readonly [name: string, vector: Float32Array])[] {
  return [
    ['q before', rotary.queryBefore],
    ['q turned', rotary.queryAfter],
    ['k before', rotary.keyBefore],
    ['k turned', rotary.keyAfter],
  ];
}

interface EmbeddingDetailsProps {
  readonly trace: Trace;
  readonly view: EmbeddingView;
  readonly near: Answer<NearestTokens>;
}

function EmbeddingDetails({ trace, view, near }: EmbeddingDetailsProps) {
  const token = trace.tokens[view.token];
  const extent = extentOf(view.steps.map(({ vector }) => vector));
  return (
    <>
      <p class="explanation">
        A token’s id is nothing but the number of a row in the embedding matrix E: {trace.model.hiddenSize} numbers that
        training gave it. {positionSentence(view)} <span class="formula">{formulaOf(view)}</span>
      </p>
      <table class="stage-table embedding" aria-label="From the token to the residual stream">
        <tbody>
          <tr class="stage-row stage-head">
            <th>vector</th>
            <th>{drawnOf(trace.model.hiddenSize)}</th>
            <th class="number" title="Euclidean length">
              length
            </th>
          </tr>
          {view.steps.map((step, at) => (
            <tr
              key={at}
              class={`stage-row${step.kind === 'sum' ? ' is-sum' : ''}`}
              data-embedding={step.kind}
              data-length={Math.hypot(...step.vector)}
            >
              <td class="stage-token">{nameOf(step, view.token, token.id)}</td>
              <td>
                <VectorStrip name={nameOf(step, view.token, token.id)} values={step.vector} extent={extent} />
              </td>
              <td class="number">{formatNumber(Math.hypot(...step.vector))}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Nearest near={near} />
      {view.rotary !== null && <Rotation view={view} rotary={view.rotary} />}
      {view.alibiSlope !== null && (
        <p class="explanation" data-alibi={view.alibiSlope}>
          ALiBi: a score of L{view.layer}·H{view.head} gains <b>{formatNumber(view.alibiSlope)}</b> for each token that
          a key is nearer. <span class="formula">score = q·k/√d + m · key</span>
        </p>
      )}
      {view.missing !== null && <p class="explanation">{view.missing}</p>}
    </>
  );
}

function Nearest({ near: { value, stale, failure } }: { near: Answer<NearestTokens> }) {
  if (failure !== null) {
    return <Failure error={failure} />;
  }
  if (value !== null && value.nearest.length === 0) {
    return null;
  }
  return (
    <p class={`near-tokens nearest${stale ? ' is-late' : ''}`}>
      <span>Nearest rows by cosine:</span>
      {value === null && <span>…</span>}
      {value?.nearest.map((each) => (
        <span key={each.id} class="lens-candidate" data-near={each.id} data-cosine={each.cosine}>
          <TokenTag token={each} /> {formatNumber(each.cosine)}
        </span>
      ))}
    </p>
  );
}

function Rotation({ view, rotary }: { view: EmbeddingView; rotary: RotaryPosition }) {
  const { pairing, angles, frequencies, stretch } = rotary;
  const vectors = turnedVectors(rotary);
  const extent = extentOf(vectors.map(([, vector]) => vector));
  const shown = Math.min(PAIRS, angles.length);
  const half = angles.length;
  return (
    <>
      <p class="explanation">
        RoPE: layer {view.layer} turns numbers{' '}
        <span class="formula">{pairing === 'halves' ? `i and i + ${half}` : '2i and 2i + 1'}</span> of each query and
        key together, by an angle that grows with the position, each pair at its own speed; so q·k depends on the
        distance. <span class="formula">(x, y) ← (x cos φ − y sin φ, x sin φ + y cos φ), φ = t θᵢ</span>
        {Math.abs(stretch - 1) > 1e-4 && ` It makes them ${formatNumber(stretch)} times as long, too.`}
      </p>
      <table class="stage-table embedding" aria-label={`Query and key of L${view.layer}·H${view.head}, turned`}>
        <tbody>
          {vectors.map(([name, vector]) => (
            <tr key={name} class="stage-row" data-rotary={name} data-length={Math.hypot(...vector)}>
              <td class="stage-token">{name}</td>
              <td>
                <VectorStrip name={name} values={vector} extent={extent} />
              </td>
              <td class="number">{formatNumber(Math.hypot(...vector))}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <table class="stage-table angles" aria-label="Angles">
        <tbody>
          <tr class="stage-row stage-head">
            <th>pair</th>
            {Array.from({ length: shown }, (_, pair) => (
              <th key={pair} class="number">
                {pair}
              </th>
            ))}
          </tr>
          <tr class="stage-row">
            <td title="Radians from one token to the next">θ a token</td>
            {Array.from(frequencies.subarray(0, shown), (value, pair) => (
              <td key={pair} class="number">
                {formatNumber(value)}
              </td>
            ))}
          </tr>
          <tr class="stage-row">
            <td title="Radians, from −π to π">φ here</td>
            {Array.from(angles.subarray(0, shown), (value, pair) => (
              <td key={pair} class="number is-strong" data-angle={value}>
                {formatNumber(value)}
              </td>
            ))}
          </tr>
        </tbody>
      </table>
    </>
  );
}

function positionSentence({ steps, rotary, alibiSlope }: EmbeddingView): string {
  const position = steps.find((step) => step.kind === 'position');
  if (position?.kind === 'position') {
    return position.form === 'learned'
      ? 'The row of its position in a second table is added, so that the same token differs from place to place.'
      : 'Sines and cosines of its position are added, so that the same token differs from place to place.';
  }
  if (rotary !== null) {
    return 'Nothing tells its place yet: every layer turns queries and keys by the position instead.';
  }
  return alibiSlope !== null
    ? 'Nothing tells its place yet: every layer favours what is near in its scores instead.'
    : '';
}

function formulaOf({ steps }: EmbeddingView): string {
  const has = (kind: EmbeddingStep['kind']) => steps.some((step) => step.kind === kind);
  const scaled = has('scale') ? 's · E[id]' : 'E[id]';
  const placed = has('position') ? `${scaled} + P[t]` : scaled;
  return has('norm') ? `h₀ = norm(${placed})` : `h₀ = ${placed}`;
}

function nameOf(step: EmbeddingStep, token: number, id: number): string {
  switch (step.kind) {
    case 'token':
      return `E[${id}]`;
    case 'scale':
      return `× ${formatNumber(step.factor)}`;
    case 'position':
      return step.row === null ? `position ${token}` : `P[${step.row}]`;
    case 'sum':
      return 'their sum';
    case 'norm':
      return 'after the norm';
    case 'projection':
      return 'projected';
    case 'other':
      return step.operators.join(', ');
  }
}
