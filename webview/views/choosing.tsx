import { type SamplerSteps, SamplerStepsRequest } from '../../src/protocol/stages';
import type { SamplerSettings, Trace } from '../../src/protocol/trace';
import { useAnswer } from '../answers';
import { samplerTable } from '../export/tables';
import { useSelected } from '../panel-context';
import { formatCount, formatNumber, formatPercent } from '../render/number-format';
import { Failure } from './notices';
import { Section } from './section';
import { TokenTag } from './visible';

/** Tokens that are followed through the sampler. */
const FOLLOWED = 12;

/** What the sampler did, rule by rule, to the candidates of the section before. */
export function Choosing({ trace }: { trace: Trace }) {
  const open = !useSelected((state) => state.view.collapsed.includes('choosing'));
  const sampler = useSelected((state) => state.sampler);
  const { value, stale, failure } = useAnswer(
    SamplerStepsRequest,
    open ? { traceId: trace.id, sampler, limit: FOLLOWED } : null,
  );
  return (
    <Section
      name="choosing"
      title="Choosing, step by step"
      files={value === null ? null : { settings: { ...sampler }, tables: { steps: () => samplerTable(value) } }}
      subtitle="from logits to the distribution that is drawn from"
    >
      {failure !== null && <Failure error={failure} />}
      {value !== null && (
        <div class={stale ? 'is-late' : ''}>
          <StepsTable steps={value} sampler={sampler} />
        </div>
      )}
    </Section>
  );
}

function StepsTable({ steps, sampler }: { steps: SamplerSteps; sampler: SamplerSettings }) {
  const { rows, mass } = steps;
  const { temperature, topK, minP, topP } = sampler;
  const percent = (value: number | null) => (value === null ? '–' : formatPercent(value));
  const kept = (count: number) => `${formatCount(count)} left`;
  return (
    <>
      <p class="explanation">
        The model gives one number for each of its {formatCount(steps.vocabSize)} tokens, the logit.{' '}
        {temperature === 0
          ? 'At temperature 0 the largest logit is taken, and nothing is left to chance.'
          : 'They are divided by the temperature, and the softmax makes probabilities of them: '}
        {temperature !== 0 && <span class="formula">p = e^(l/T) / Σ e^(l/T)</span>}
        {temperature !== 0 && '. Each rule keeps a beginning of the ranking; what is left is divided by its sum'}
        {temperature !== 0 && mass < 1 && (
          <>
            , here <b data-mass={mass}>{formatPercent(mass)}</b>
          </>
        )}
        {temperature !== 0 && '.'}
      </p>
      <table class="stage-table steps" aria-label="The sampler step by step">
        <tbody>
          <tr class="stage-row stage-head">
            <th>token</th>
            <th class="number">logit</th>
            <th class="number">÷ {temperature}</th>
            <th class="number">{topK === 0 ? 'softmax' : `top-k ${topK}`}</th>
            <th class="number">min-p {minP}</th>
            <th class="number" title="Probabilities added up, most probable first">
              Σ
            </th>
            <th class="number">top-p {topP}</th>
            <th class="number">÷ sum</th>
          </tr>
          {rows.map((row) => (
            <tr
              key={row.id}
              class={`stage-row${row.final === null ? ' is-quiet' : ''}`}
              data-step-token={row.id}
              data-final={row.final ?? ''}
            >
              <td class="stage-token">
                <TokenTag token={row} />
              </td>
              <td class="number">{formatNumber(row.logit)}</td>
              <td class="number">{temperature === 0 ? '–' : formatNumber(row.scaled)}</td>
              <td class="number">{percent(row.afterTopK)}</td>
              <td class="number">{percent(row.afterMinP)}</td>
              <td class="number is-faint">{percent(row.cumulative)}</td>
              <td class="number">{percent(row.afterTopP)}</td>
              <td class="number is-strong">{percent(row.final)}</td>
            </tr>
          ))}
          <tr class="stage-row is-quiet">
            <td class="stage-token">all</td>
            <td />
            <td />
            <td class="number">{kept(steps.keptByTopK)}</td>
            <td class="number">{kept(steps.keptByMinP)}</td>
            <td />
            <td class="number">{kept(steps.keptByTopP)}</td>
            <td class="number">{formatPercent(1)}</td>
          </tr>
        </tbody>
      </table>
    </>
  );
}
