import { type ActiveNeurons, NeuronsRequest } from '../../src/protocol/stages';
import type { Trace } from '../../src/protocol/trace';
import { useAnswer } from '../answers';
import { neuronsTable } from '../export/tables';
import { usePalette, useSelected } from '../panel-context';
import { cssColour } from '../render/colour-map';
import { formatCount, formatNumber } from '../render/number-format';
import { focusedQuery, shownHead } from '../state';
import { Failure } from './notices';
import { Section } from './section';
import { TokenTag, TokenText } from './visible';

/** Neurons that are listed. */
const LISTED = 12;

/** The hidden units of a layer's feed-forward that a token excites. */
export function FeedForward({ trace }: { trace: Trace }) {
  const open = !useSelected((state) => state.view.collapsed.includes('neurons'));
  const layer = useSelected((state) => (open ? (shownHead(state)?.layer ?? 0) : 0));
  const focused = useSelected((state) => (open ? focusedQuery(state) : null));
  const token = focused ?? 0;
  const { value, stale, failure } = useAnswer(
    NeuronsRequest,
    open ? { traceId: trace.id, layer, token, limit: LISTED } : null,
  );
  return (
    <Section
      name="neurons"
      title="Feed-forward"
      files={
        value === null ? null : { settings: { layer, token }, tables: { neurons: () => neuronsTable(trace, value) } }
      }
      subtitle={
        <>
          layer {layer} at <span class="mono">#{token}</span> <TokenText token={trace.tokens[token]} />
        </>
      }
    >
      {failure !== null && <Failure error={failure} />}
      {value !== null && failure === null && (
        <div class={stale ? 'is-late' : ''}>
          <NeuronTable trace={trace} answer={value} />
        </div>
      )}
    </Section>
  );
}

function NeuronTable({ trace, answer }: { trace: Trace; answer: ActiveNeurons }) {
  const palette = usePalette();
  const { neurons, width, activation, gated, active } = answer;
  const largest = Math.max(...neurons.map(({ value }) => Math.abs(value)), Number.MIN_VALUE);
  return (
    <>
      <p class="explanation">
        Each token alone is projected up to {formatCount(width)} neurons, goes through {activation}
        {gated && ' and is multiplied with a gate'}, and is projected down again:{' '}
        <span class="formula">{gated ? 'W₂ (f(W₁ x) ⊙ W₃ x)' : 'W₂ f(W₁ x + b₁) + b₂'}</span>. {formatCount(active)} of
        them are above 0 here; these are the strongest, with the tokens of this passage that excite them most.
      </p>
      <table class="stage-table neurons" aria-label="The strongest neurons">
        <tbody>
          <tr class="stage-row stage-head">
            <th class="number">neuron</th>
            <th class="number" title="What the projection gives">
              before
            </th>
            <th class="number">after</th>
            <th class="push-cell" />
            <th class="neuron-tokens">strongest at</th>
          </tr>
          {neurons.map(({ neuron, projected, value, exciting }) => (
            <tr key={neuron} class="stage-row" data-neuron={neuron} data-value={value}>
              <td class="number is-faint">{neuron}</td>
              <td class="number">{projected.length === 0 ? '–' : projected.map(formatNumber).join(' · ')}</td>
              <td class="number is-strong">{formatNumber(value)}</td>
              <td class="push-cell" aria-hidden="true">
                <span class="norm-bar">
                  <i
                    style={{
                      width: `${(Math.abs(value) / largest) * 100}%`,
                      backgroundColor: cssColour('score', palette.kind, value < 0 ? 0.2 : 0.8),
                    }}
                  />
                </span>
              </td>
              <td class="neuron-tokens">
                {exciting.map(({ position, value: there }) => (
                  <span key={position} class="lens-candidate" title={`#${position}: ${formatNumber(there)}`}>
                    <TokenTag token={trace.tokens[position]} />
                  </span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
