import {
  NormsRequest,
  type NormsView,
  type NormView,
  type StreamNorms,
  StreamNormsRequest,
} from '../../src/protocol/stages';
import type { Trace } from '../../src/protocol/trace';
import { useAnswer } from '../answers';
import { barPicture } from '../export/pictures';
import type { SectionFiles } from '../export/section-files';
import type { Picture } from '../export/surface';
import { normsTable, streamTable } from '../export/tables';
import { usePalette, useSelected } from '../panel-context';
import { formatNumber } from '../render/number-format';
import type { Palette } from '../render/theme';
import { focusedQuery, shownHead } from '../state';
import { Failure } from './notices';
import { Section } from './section';
import { drawnOf, extentOf, VectorStrip } from './vector-strip';
import { TokenText } from './visible';

/** The residual stream of one token: how long it is, and what each block adds. */
export function Stream({ trace }: { trace: Trace }) {
  const open = !useSelected((state) => state.view.collapsed.includes('stream'));
  const focused = useSelected((state) => (open ? focusedQuery(state) : null));
  const { value, failure } = useAnswer(StreamNormsRequest, open ? { traceId: trace.id } : null);
  const position = focused ?? 0;
  const layer = useSelected((state) => (open ? (shownHead(state)?.layer ?? 0) : 0));
  const norms = useAnswer(NormsRequest, open ? { traceId: trace.id, layer, token: position } : null);
  const palette = usePalette();
  return (
    <Section
      name="stream"
      title="Residual stream"
      files={value === null || position >= value.length ? null : streamFiles(value, norms.value, position, palette)}
      subtitle={
        <>
          at <span class="mono">#{position}</span> <TokenText token={trace.tokens[position]} />
        </>
      }
    >
      {failure !== null && <Failure error={failure} />}
      {value !== null && position < value.length && <NormTable norms={value} position={position} />}
      {norms.value !== null && failure === null && (
        <div class={norms.stale ? 'is-late' : ''}>
          {norms.value.attention !== null && (
            <NormSteps norm={norms.value.attention} layer={norms.value.layer} part="attention" />
          )}
          {norms.value.feedForward !== null && (
            <NormSteps norm={norms.value.feedForward} layer={norms.value.layer} part="feed-forward" />
          )}
        </div>
      )}
    </Section>
  );
}

/** @param norms of the shown layer, at the token; null until they are there */
function streamFiles(value: StreamNorms, norms: NormsView | null, position: number, palette: Palette): SectionFiles {
  const { layers, length, stream, attention, feedForward } = value;
  const normed = Object.entries(
    norms === null || norms.token !== position ? {} : { attention: norms.attention, 'feed-forward': norms.feedForward },
  ).flatMap(([part, norm]) => (norm === null ? [] : [[part, norm] as const]));
  return {
    settings: { token: position, ...(normed.length === 0 ? {} : { layer: norms!.layer }) },
    tables: {
      table: () => streamTable(value, position),
      ...(normed.length === 0 ? {} : { norms: () => normsTable(norms!) }),
    },
    pictures: { bars: () => streamPicture(value, position, palette) },
    tensors: {
      stream: () => ({ shape: [layers + 1, length], values: stream }),
      'attention added': () => ({ shape: [layers, length], values: attention }),
      'feed-forward added': () => ({ shape: [layers, length], values: feedForward }),
      ...Object.fromEntries(
        normed.flatMap(([part, { before, after }]) => [
          [`before the norm of ${part}`, () => ({ shape: [before.length], values: before })],
          [`after the norm of ${part}`, () => ({ shape: [after.length], values: after })],
        ]),
      ),
    },
  };
}

function streamPicture({ layers, length, stream }: StreamNorms, position: number, palette: Palette): Picture {
  const bars = Array.from({ length: layers + 1 }, (_, depth) => {
    const value = stream[depth * length + position];
    return { label: depth === 0 ? 'embeddings' : `layer ${depth - 1}`, value, text: formatNumber(value) };
  });
  return barPicture({ title: `Length of the residual stream at #${position}`, bars }, palette);
}

function NormTable({ norms, position }: { norms: StreamNorms; position: number }) {
  const { layers, length, stream, attention, feedForward } = norms;
  const column = (values: Float32Array, row: number) => ({
    value: values[row * length + position],
    mean: values.subarray(row * length, (row + 1) * length).reduce((sum, value) => sum + value, 0) / length,
  });
  const streams = Array.from({ length: layers + 1 }, (_, depth) => column(stream, depth));
  const additions = Array.from({ length: layers }, (_, layer) => ({
    attention: column(attention, layer),
    feedForward: column(feedForward, layer),
  }));
  const longest = Math.max(...streams.map(({ value }) => value));
  const most = Math.max(...additions.flatMap((row) => [row.attention.value, row.feedForward.value]));
  return (
    <>
      <p class="explanation">
        Every token has one vector that runs through the whole model. A block reads a normed copy of it and adds its
        result: <span class="formula">h ← h + attention(norm(h)), h ← h + feed-forward(norm(h))</span>. Bars are the
        Euclidean lengths of these vectors; ticks are their means over the passage.
      </p>
      <table class="stage-table norms" aria-label="Lengths along the layers">
        <tbody>
          <tr class="stage-row stage-head">
            <th>layer</th>
            <th>+ attention</th>
            <th>+ feed-forward</th>
            <th>stream after it</th>
          </tr>
          <tr class="stage-row" data-depth="0">
            <td>embeddings</td>
            <td />
            <td />
            <Bar {...streams[0]} end={longest} />
          </tr>
          {additions.map((row, layer) => (
            <tr key={layer} class="stage-row" data-depth={layer + 1}>
              <td>L{layer}</td>
              <Bar {...row.attention} end={most} />
              <Bar {...row.feedForward} end={most} />
              <Bar {...streams[layer + 1]} end={longest} />
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

/** The stream before a norm and after it, as the part behind it reads it. */
function NormSteps({ norm, layer, part }: { norm: NormView; layer: number; part: string }) {
  const { kind, mean, divisor, before, after } = norm;
  const isLayerNorm = kind === 'LayerNorm';
  return (
    <>
      <p class="explanation stage-note">
        {kind} before the {part} of layer {layer}:{' '}
        <span class="formula">{isLayerNorm ? 'γ (x − μ) / σ + β' : 'γ x / rms(x)'}</span>, here{' '}
        {isLayerNorm && (
          <>
            <span class="formula is-short">μ = {formatNumber(mean)}</span>,{' '}
          </>
        )}
        <span class="formula is-short" data-divisor={divisor}>
          {isLayerNorm ? 'σ' : 'rms'} = {formatNumber(divisor)}
        </span>
      </p>
      <table class="stage-table embedding" aria-label={`${kind} before the ${part}`}>
        <tbody>
          {(
            [
              ['before', before],
              ['after', after],
            ] as const
          ).map(([name, vector]) => (
            <tr key={name} class="stage-row" data-norm={`${part} ${name}`} data-length={Math.hypot(...vector)}>
              <td class="stage-token">{name}</td>
              <td title={drawnOf(vector.length)}>
                <VectorStrip name={`${name} the norm`} values={vector} extent={extentOf([vector])} />
              </td>
              <td class="number">{formatNumber(Math.hypot(...vector))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Bar({ value, mean, end }: { value: number; mean: number; end: number }) {
  const width = (length: number) => `${Math.min(1, length / Math.max(end, Number.MIN_VALUE)) * 100}%`;
  return (
    <td class="norm" data-value={value} title={`mean over the passage ${formatNumber(mean)}`}>
      <span class="norm-bar" aria-hidden="true">
        <i style={{ width: width(value) }} />
        <u style={{ left: width(mean) }} />
      </span>
      <span class="number">{formatNumber(value)}</span>
    </td>
  );
}
