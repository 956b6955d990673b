import type { Candidate, CandidateList, Trace } from '../../src/protocol/trace';
import { barPicture } from '../export/pictures';
import type { Picture } from '../export/surface';
import { candidatesTable } from '../export/tables';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { type BarScale, barScale } from '../render/bar-scale';
import { describeCut } from '../render/cut-label';
import { formatCount, formatPercent } from '../render/number-format';
import type { Palette } from '../render/theme';
import { tokenLabel } from '../render/visible-text';
import { answerFor } from '../state';
import { IconButton } from '../ui/button';
import { Failure } from './notices';
import { SamplerControls } from './sampler-controls';
import { Section } from './section';
import { useLast } from './use-last';
import { TokenTag, TokenText } from './visible';

/** The candidates for the token that follows the passage, and the sampler that chooses among them. */
export function NextToken({ trace }: { trace: Trace }) {
  const answer = useSelected((state) => answerFor(state.candidates, trace));
  const failure = useSelected((state) => state.failures.candidates);
  const list = useLast(answer);
  const palette = usePalette();
  const sampler = useSelected((state) => state.sampler);
  const last = trace.tokens.at(-1);
  return (
    <Section
      name="next"
      title="Next token"
      files={
        list === null
          ? null
          : {
              settings: { ...sampler },
              tables: { candidates: () => candidatesTable(list) },
              pictures: { bars: () => candidatesPicture(list, palette) },
            }
      }
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
        {list !== null && <CandidateTable list={list} stale={answer === null} />}
      </div>
    </Section>
  );
}

function candidatesPicture({ candidates }: CandidateList, palette: Palette): Picture {
  const bars = candidates.map((each) => ({
    label: tokenLabel(each),
    value: each.probability,
    text: formatPercent(each.probability),
  }));
  return barPicture({ title: 'Candidates for the next token, the model’s own probability', bars }, palette);
}

function CandidateTable({ list, stale }: { list: CandidateList; stale: boolean }) {
  const sampler = useSelected((state) => state.sampler);
  const { candidates, kept } = list;
  const scale = barScale(Math.max(...candidates.map((each) => Math.max(each.probability, each.samplerProbability))));
  const rows = candidates.map((candidate) => (
    <CandidateRow
      key={candidate.id}
      candidate={candidate}
      scale={scale}
      drawn={list.draw?.candidate.id === candidate.id}
    />
  ));
  return (
    <table class={`candidates${stale ? ' is-stale' : ''}`} aria-label="Candidates for the next token">
      <thead>
        <tr>
          <th class="candidate-rank">#</th>
          <th class="candidate-token">token</th>
          <td class="bars-cell" aria-hidden="true">
            <div class="bars">
              {scale.ticks.map((value, at) => (
                <span key={value} style={{ left: `${(value / scale.top) * 100}%` }}>
                  {Math.round(value * 100)}
                  {at === scale.ticks.length - 1 && ' %'}
                </span>
              ))}
            </div>
          </td>
          <th class="candidate-number" title="The model's own probability">
            raw
          </th>
          <th class="candidate-number" title="After temperature, top-k, min-p and top-p">
            after
          </th>
          <td class="candidate-actions" />
        </tr>
      </thead>
      <tbody>
        {rows.slice(0, kept)}
        {list.cut !== null && kept > candidates.length && <KeptTail list={list} />}
        {list.cut !== null && <CutLine list={list} cut={describeCut(list.cut, sampler)} />}
        {rows.slice(kept)}
        <Tail list={list} />
      </tbody>
    </table>
  );
}

/** Kept tokens that are not listed. */
function KeptTail({ list }: { list: CandidateList }) {
  const listed = list.candidates.reduce((sum, each) => sum + each.samplerProbability, 0);
  return (
    <tr class="candidate-tail">
      <td />
      <td colSpan={3}>{formatCount(list.kept - list.candidates.length)} more kept</td>
      <td class="candidate-number">{formatPercent(Math.max(0, 1 - listed))}</td>
      <td />
    </tr>
  );
}

/** All tokens of the vocabulary that are not listed, kept or not. */
function Tail({ list }: { list: CandidateList }) {
  const unlisted = list.vocabSize - list.candidates.length;
  if (unlisted <= 0) {
    return null;
  }
  const rest = (of: (candidate: Candidate) => number) =>
    formatPercent(Math.max(0, 1 - list.candidates.reduce((sum, each) => sum + of(each), 0)));
  // Where some of them were kept they have a line of their own, above the cut.
  const words = list.cut !== null && list.kept > list.candidates.length ? ['', ' not listed'] : ['more ', ''];
  return (
    <tr class="candidate-tail" data-tail={unlisted}>
      <td />
      <td colSpan={2}>
        {formatCount(unlisted)} {words[0]}
        {unlisted === 1 ? 'token' : 'tokens'}
        {words[1]}
      </td>
      <td class="candidate-number">{rest((each) => each.probability)}</td>
      <td class="candidate-number">{list.cut === null && rest((each) => each.samplerProbability)}</td>
      <td />
    </tr>
  );
}

function CutLine({ list, cut }: { list: CandidateList; cut: string }) {
  return (
    <tr class="cut" data-cut={list.cut} data-kept={list.kept}>
      <td colSpan={6}>
        <div>
          {cut} — {formatCount(list.kept)} of {formatCount(list.vocabSize)} tokens
        </div>
      </td>
    </tr>
  );
}

interface CandidateRowProps {
  readonly candidate: Candidate;
  readonly scale: BarScale;
  readonly drawn: boolean;
}

function CandidateRow({ candidate, scale, drawn }: CandidateRowProps) {
  const { link, branches } = usePanel();
  const { rank, probability, samplerProbability } = candidate;
  const explore = () => void branches.exploreAtEnd(candidate);
  const dropped = samplerProbability === 0;
  const width = (value: number) => `${Math.min(1, value / scale.top) * 100}%`;
  return (
    <tr
      class={`candidate${dropped ? ' is-dropped' : ''}`}
      data-token-id={candidate.id}
      data-rank={rank}
      onKeyDown={(event) => {
        if (event.key === 'Enter' && event.shiftKey) {
          event.preventDefault();
          explore();
        }
      }}
    >
      <td class="candidate-rank">
        {drawn && <i class="drawn-mark" title="Drawn" />}
        {rank}
      </td>
      <td class="candidate-token">
        <TokenTag token={candidate} />
      </td>
      <td class="bars-cell" aria-hidden="true">
        <div class="bars">
          {scale.ticks.map((value) => (
            <i key={value} class="bar-tick" style={{ left: width(value) }} />
          ))}
          {!dropped && <i class="bar-after" style={{ width: width(samplerProbability) }} />}
          <i class="bar-raw" style={{ width: width(probability) }} />
        </div>
      </td>
      <td class="candidate-number candidate-raw" data-value={probability}>
        {formatPercent(probability)}
      </td>
      <td class="candidate-number candidate-after" data-value={samplerProbability}>
        {dropped ? '–' : formatPercent(samplerProbability)}
      </td>
      <td class="candidate-actions">
        <IconButton
          icon="insert"
          label={`Insert ${JSON.stringify(candidate.text)}`}
          title="Insert at the end of the passage (Enter)"
          onPress={() => link.insert(candidate.text)}
        />
        <IconButton
          icon="branch"
          label={`Explore ${JSON.stringify(candidate.text)}`}
          title="Go on from this token (Shift+Enter)"
          onPress={explore}
        />
      </td>
    </tr>
  );
}
