import type { Candidate, CandidateList, SamplerSettings, Trace } from '../../src/protocol/trace';
import { usePanel, useSelected } from '../panel-context';
import { barScale } from '../render/bar-scale';
import { describeCut } from '../render/cut-label';
import { formatCount, formatPercent, formatQuantity } from '../render/number-format';
import { answerFor } from '../state';
import { IconButton } from '../ui/button';
import { Failure } from './notices';
import { SamplerControls } from './sampler-controls';
import { Section } from './section';
import { TokenTag, TokenText } from './visible';

/** The candidates for the token that follows the passage, and the sampler that chooses among them. */
export function NextToken({ trace }: { trace: Trace }) {
  const list = useSelected((state) => answerFor(state.candidates, trace));
  const failure = useSelected((state) => state.failures.candidates);
  const last = trace.tokens.at(-1);
  return (
    <Section
      name="next"
      title="Next token"
      subtitle={
        last !== undefined && (
          <>
            after <span class="mono">#{last.index}</span> <TokenText token={last} />
          </>
        )
      }
      tools={
        <span class="legend">
          <span class="legend-key">
            <i class="key-raw" /> raw
          </span>
          <span class="legend-key">
            <i class="key-after" /> after sampler
          </span>
        </span>
      }
    >
      {failure !== undefined && <Failure error={failure} />}
      <div class="next">
        <SamplerControls list={list} />
        {list !== null && <CandidateTable list={list} />}
      </div>
    </Section>
  );
}

function CandidateTable({ list }: { list: CandidateList }) {
  const sampler = useSelected((state) => state.sampler);
  const { candidates, kept } = list;
  const scale = barScale(Math.max(...candidates.map((each) => Math.max(each.probability, each.samplerProbability))));
  const listedRaw = candidates.reduce((sum, each) => sum + each.probability, 0);
  const listedAfter = candidates.reduce((sum, each) => sum + each.samplerProbability, 0);
  const unlisted = list.vocabSize - candidates.length;
  const keptUnlisted = Math.max(0, kept - candidates.length);
  return (
    <div class="candidates" role="table" aria-label="Candidates for the next token">
      <div class="candidate candidate-head" role="row">
        <span role="columnheader" class="candidate-rank">
          #
        </span>
        <span role="columnheader">token</span>
        <span class="bars" aria-hidden="true">
          {scale.ticks.map((value, at) => (
            <span key={value} style={{ left: `${(value / scale.top) * 100}%` }}>
              {Math.round(value * 100)}
              {at === scale.ticks.length - 1 && ' %'}
            </span>
          ))}
        </span>
        <span role="columnheader" class="candidate-number" title="The model's own probability">
          raw
        </span>
        <span role="columnheader" class="candidate-number" title="After temperature, top-k, min-p and top-p">
          after
        </span>
        <span />
      </div>
      {candidates.map((candidate, at) => (
        <>
          {at === kept && <CutLine list={list} sampler={sampler} />}
          <CandidateRow
            key={candidate.id}
            candidate={candidate}
            scale={scale}
            drawn={list.draw?.candidate.id === candidate.id}
          />
        </>
      ))}
      {keptUnlisted > 0 && (
        <div class="candidate-tail" role="row">
          <span role="cell">{formatQuantity(keptUnlisted, 'more token')} kept</span>
          <span role="cell" />
          <span role="cell">{formatPercent(Math.max(0, 1 - listedAfter))}</span>
        </div>
      )}
      {kept >= candidates.length && list.cut !== null && <CutLine list={list} sampler={sampler} />}
      {unlisted > 0 && (
        <div class="candidate-tail" role="row" data-tail={unlisted}>
          <span role="cell">
            {formatQuantity(unlisted, 'token')} {keptUnlisted > 0 ? 'not listed' : 'more'}
          </span>
          <span role="cell">{formatPercent(Math.max(0, 1 - listedRaw))}</span>
          <span role="cell">{list.cut === null || keptUnlisted > 0 ? '' : '–'}</span>
        </div>
      )}
    </div>
  );
}

function CutLine({ list, sampler }: { list: CandidateList; sampler: SamplerSettings }) {
  if (list.cut === null) {
    return null;
  }
  return (
    <div class="cut" role="row" data-cut={list.cut} data-kept={list.kept}>
      <span role="cell">
        {describeCut(list.cut, sampler)} — {formatCount(list.kept)} of {formatCount(list.vocabSize)} tokens
      </span>
    </div>
  );
}

interface CandidateRowProps {
  readonly candidate: Candidate;
  readonly scale: ReturnType<typeof barScale>;
  readonly drawn: boolean;
}

function CandidateRow({ candidate, scale, drawn }: CandidateRowProps) {
  const { link } = usePanel();
  const { rank, probability, samplerProbability } = candidate;
  const dropped = samplerProbability === 0;
  const width = (value: number) => `${Math.min(1, value / scale.top) * 100}%`;
  return (
    <div
      class={`candidate candidate-row${dropped ? ' is-dropped' : ''}`}
      role="row"
      data-token-id={candidate.id}
      data-rank={rank}
    >
      <span role="cell" class="candidate-rank">
        {drawn && <i class="drawn-mark" title="Drawn" />}
        {rank}
      </span>
      <span role="cell" class="candidate-token">
        <TokenTag token={candidate} />
      </span>
      <span class="bars" aria-hidden="true">
        {scale.ticks.map((value) => (
          <i key={value} class="bar-tick" style={{ left: width(value) }} />
        ))}
        {!dropped && <i class="bar-after" style={{ width: width(samplerProbability) }} />}
        <i class="bar-raw" style={{ width: width(probability) }} />
      </span>
      <span role="cell" class="candidate-number candidate-raw" data-value={probability}>
        {formatPercent(probability)}
      </span>
      <span role="cell" class="candidate-number candidate-after" data-value={samplerProbability}>
        {dropped ? '–' : formatPercent(samplerProbability)}
      </span>
      <span role="cell" class="candidate-actions">
        <IconButton
          icon="insert"
          label={`Insert ${JSON.stringify(candidate.text)}`}
          title="Insert at the end of the passage"
          onPress={() => link.insert(candidate.text)}
        />
      </span>
    </div>
  );
}
