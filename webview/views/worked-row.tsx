import {
  type HeadProjection,
  type WorkedKey,
  type WorkedRow as WorkedRowAnswer,
  WorkedRowRequest,
} from '../../src/protocol/stages';
import type { Trace } from '../../src/protocol/trace';
import { useAnswer } from '../answers';
import type { Tensor } from '../export/npy';
import type { SectionFiles } from '../export/section-files';
import { projectionTable, workedRowTable } from '../export/tables';
import { usePanel, useSelected } from '../panel-context';
import { formatCount, formatNumber, formatWeight } from '../render/number-format';
import { focusedQuery, pinnedToken, shownHead } from '../state';
import { Failure } from './notices';
import { Section } from './section';
import { drawnOf, extentOf, VectorStrip } from './vector-strip';
import { TokenText } from './visible';

/** Keys of the largest weight that are worked out. */
const KEYS = 8;

/** One query of the shown head in numbers: from q·k to what it takes along. */
export function WorkedRow({ trace }: { trace: Trace }) {
  const open = !useSelected((state) => state.view.collapsed.includes('row'));
  const head = useSelected((state) => (open ? shownHead(state) : null));
  const focused = useSelected((state) => (open ? focusedQuery(state) : null));
  const pinned = useSelected(pinnedToken);
  const key = useSelected((state) => (open ? (state.cursor?.key ?? null) : null));
  const query = focused ?? pinned ?? 0;
  const visibleKey = key !== null && key <= query ? key : null;
  const { value, stale, failure } = useAnswer(
    WorkedRowRequest,
    open && head !== null ? { traceId: trace.id, ...head, query, key: visibleKey, limit: KEYS } : null,
  );
  return (
    <Section
      name="row"
      title="One row in numbers"
      files={value === null ? null : rowFiles(trace, value)}
      subtitle={
        head !== null && (
          <>
            <span class="mono">#{query}</span> <TokenText token={trace.tokens[query]} /> in L{head.layer}·H{head.head}
          </>
        )
      }
    >
      {failure !== null && <Failure error={failure} />}
      {value !== null && value.query < trace.tokens.length && (
        <div class={stale ? 'is-late' : ''}>
          <WorkedTable trace={trace} row={value} chosen={visibleKey} />
        </div>
      )}
    </Section>
  );
}

function rowFiles(trace: Trace, row: WorkedRowAnswer): SectionFiles {
  const { layer, head, query, queryVector, keys, mixed, projection } = row;
  const stacked = (vectors: readonly Float32Array[]): Tensor => ({
    shape: [vectors.length, vectors[0]?.length ?? 0],
    values: Float32Array.from(vectors.flatMap((vector) => [...vector])),
  });
  return {
    settings: { layer, head, query, keys: keys.map(({ key }) => key).join(' ') },
    tables: {
      table: () => workedRowTable(trace, row),
      ...(projection.available ? { heads: () => projectionTable(projection) } : {}),
    },
    tensors: {
      query: () => ({ shape: [queryVector.length], values: queryVector }),
      keys: () => stacked(keys.map(({ keyVector }) => keyVector)),
      values: () => stacked(keys.map(({ valueVector }) => valueVector)),
      result: () => ({ shape: [mixed.length], values: mixed }),
      ...(projection.available
        ? {
            added: () => ({ shape: [projection.added.length], values: projection.added }),
            'all heads added': () => ({ shape: [projection.total.length], values: projection.total }),
          }
        : {}),
    },
  };
}

function WorkedTable({ trace, row, chosen }: { trace: Trace; row: WorkedRowAnswer; chosen: number | null }) {
  const { store } = usePanel();
  const { keys, queryVector, mixed } = row;
  const scale = row.scale === null ? 'scaled' : `× ${formatNumber(row.scale)}`;
  const queriesAndKeys = extentOf([queryVector, ...keys.map(({ keyVector }) => keyVector)]);
  const values = extentOf([mixed, ...keys.map(({ valueVector }) => valueVector)]);
  const largest = Math.max(...keys.map(({ weight }) => weight), Number.MIN_VALUE);
  return (
    <>
      <p class="explanation">
        The query vector q of this token is multiplied with the key vector k of each token it may see. The scores become
        shares by the softmax, and the same shares of the value vectors v are added up:{' '}
        <span class="formula">z = Σ softmax(q·k/√d) v</span>
        {row.kvHeads > 1 &&
          trace.model.kvHeads < trace.model.heads &&
          `. Query head ${row.head} shares keys and values with the others of group ${row.kvHead}`}
      </p>
      <table class="stage-table worked" aria-label="One row of the attention in numbers">
        <tbody>
          <tr class="stage-row stage-head">
            <th>reads from</th>
            <th class="worked-vector">k</th>
            <th class="number">q·k</th>
            <th class="number" title="The score: what the softmax reads">
              {scale}
            </th>
            <th class="worked-bar" />
            <th class="number">softmax</th>
            <th class="worked-vector">v</th>
            <th class="number">‖v‖</th>
            <th class="number" title="weight × ‖v‖">
              × ‖v‖
            </th>
          </tr>
          <tr class="stage-row is-sum worked-query">
            <td class="stage-token">
              <b>q</b> of #{row.query} <TokenText token={trace.tokens[row.query]} />
            </td>
            <td class="worked-vector">
              <VectorStrip name="q" values={queryVector} extent={queriesAndKeys} />
            </td>
          </tr>
          {keys.map((key) => (
            <WorkedKeyRow
              key={key.key}
              trace={trace}
              row={key}
              extents={[queriesAndKeys, values]}
              share={key.weight / largest}
              chosen={key.key === chosen}
              onPoint={() => store.update({ cursor: { query: row.query, key: key.key } })}
            />
          ))}
          {row.otherKeys > 0 && (
            <tr class="stage-row is-quiet">
              <td class="stage-token">{formatCount(row.otherKeys)} more</td>
              <td class="number worked-weight">{formatWeight(row.otherWeight)}</td>
            </tr>
          )}
          <tr class="stage-row is-sum" data-mixed={Math.hypot(...mixed)}>
            <td class="stage-token">
              <b>z</b>, the sum
            </td>
            <td class="number worked-weight">1</td>
            <td class="worked-vector worked-mixed">
              <VectorStrip name="z" values={mixed} extent={values} />
            </td>
            <td class="number worked-norm">{formatNumber(Math.hypot(...mixed))}</td>
          </tr>
        </tbody>
      </table>
      {row.projection.available ? (
        <Projection row={row} projection={row.projection} />
      ) : (
        <p class="explanation" data-no-projection>
          {row.projection.reason}
        </p>
      )}
    </>
  );
}

/** The heads side by side, and what the output projection makes of them. */
function Projection({ row, projection }: { row: WorkedRowAnswer; projection: HeadProjection }) {
  const { added, total, addedNorms, mixedNorms } = projection;
  const extent = extentOf([added, total]);
  const vectors = [
    [`by H${row.head}`, added],
    ['all heads', total],
  ] as const;
  return (
    <>
      <p class="explanation">
        The z of all {addedNorms.length} heads stand side by side and are multiplied with the output projection, whose
        result is added to the stream:{' '}
        <span class="formula">h ← h + W_O [z₀ … z{subscript(addedNorms.length - 1)}] + b</span>. Lengths of what each
        head adds:
      </p>
      <p class="near-tokens">
        {Array.from(addedNorms, (length, head) => (
          <span
            key={head}
            class={`lens-candidate${head === row.head ? ' is-strong' : ''}`}
            data-added={length}
            title={`‖z‖ ${formatNumber(mixedNorms[head])}, ‖W_O z‖ ${formatNumber(length)}`}
          >
            H{head} {formatNumber(length)}
          </span>
        ))}
      </p>
      <table class="stage-table embedding" aria-label="What is added to the stream">
        <tbody>
          <tr class="stage-row stage-head">
            <th>added</th>
            <th>{drawnOf(total.length)}</th>
            <th class="number">length</th>
          </tr>
          {vectors.map(([name, vector]) => (
            <tr key={name} class="stage-row" data-projected={Math.hypot(...vector)}>
              <td class="stage-token">{name}</td>
              <td>
                <VectorStrip name={`added ${name}`} values={vector} extent={extent} />
              </td>
              <td class="number">{formatNumber(Math.hypot(...vector))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

interface WorkedKeyRowProps {
  readonly trace: Trace;
  readonly row: WorkedKey;
  readonly extents: readonly [number, number];
  readonly share: number;
  readonly chosen: boolean;
  readonly onPoint: () => void;
}

function WorkedKeyRow({ trace, row, extents, share, chosen, onPoint }: WorkedKeyRowProps) {
  return (
    <tr
      class={`stage-row${chosen ? ' is-chosen' : ''}`}
      data-key={row.key}
      data-score={row.score}
      data-weight={row.weight}
      onPointerEnter={onPoint}
    >
      <td class="stage-token">
        #{row.key} <TokenText token={trace.tokens[row.key]} />
      </td>
      <td class="worked-vector">
        <VectorStrip name={`k of #${row.key}`} values={row.keyVector} extent={extents[0]} />
      </td>
      <td class="number">{formatNumber(row.product)}</td>
      <td class="number">{row.masked === null ? 'masked' : formatNumber(row.masked)}</td>
      <td class="worked-bar" aria-hidden="true">
        <i style={{ width: `${share * 100}%` }} />
      </td>
      <td class="number is-strong">{formatWeight(row.weight)}</td>
      <td class="worked-vector">
        <VectorStrip name={`v of #${row.key}`} values={row.valueVector} extent={extents[1]} />
      </td>
      <td class="number">{formatNumber(row.valueNorm)}</td>
      <td class="number">{formatNumber(row.weight * row.valueNorm)}</td>
    </tr>
  );
}

function subscript(number: number): string {
  return String(number).replace(/\d/g, (digit) => String.fromCodePoint(0x2080 + Number(digit)));
}
