import { useLayoutEffect, useRef } from 'preact/hooks';
import type { GeneratedToken } from '../../src/protocol/continuation';
import type { SamplerSettings, Trace } from '../../src/protocol/trace';
import { grownTable } from '../export/tables';
import { FIRST_SEED, type GrowthControls, grownText, useGrowth } from '../growth';
import { usePanel, useSelected } from '../panel-context';
import { formatCount, formatNumber, formatPercent, formatQuantity } from '../render/number-format';
import { tokenLabel } from '../render/visible-text';
import { type Stretch, wholeCharacters } from '../render/whole-characters';
import { Button } from '../ui/button';
import { Failure } from './notices';
import { Section } from './section';
import { TokenTag, TokenText } from './visible';

/** Tokens that are written at most until one presses again. */
const MOST = 256;
/** Tokens of the passage that are shown before the new ones. */
const TAIL = 24;

/** The passage growing: each token that is chosen is put behind it, and the model is asked again. */
export function Again({ trace }: { trace: Trace }) {
  const open = !useSelected((state) => state.view.collapsed.includes('again'));
  const growth = useGrowth(trace, open);
  const { steps } = growth;
  const sampler = useSelected((state) => state.sampler);
  const seed = useSelected((state) => state.view.seed) ?? FIRST_SEED;
  return (
    <Section
      name="again"
      title="Again, token by token"
      files={
        steps.length === 0
          ? null
          : { settings: { ...sampler, seed }, tables: { tokens: () => grownTable(trace.tokens.length, steps) } }
      }
      subtitle={
        steps.length === 0 ? 'the passage grows' : `${formatQuantity(steps.length, 'token')} behind the passage`
      }
    >
      {open && <GrowingPassage trace={trace} growth={growth} />}
    </Section>
  );
}

function GrowingPassage({ trace, growth }: { trace: Trace; growth: GrowthControls }) {
  const { steps, failure } = growth;
  const last = steps.at(-1);
  const text = useRef<HTMLDivElement>(null);
  const passage = trace.tokens.slice(-TAIL);
  // What is new stays in sight.
  useLayoutEffect(() => {
    text.current?.scrollTo({ top: text.current.scrollHeight });
  }, [steps.length]);
  return (
    <>
      <p class="explanation">
        The chosen token is put behind the passage, and the model foretells the next one:{' '}
        <span class="formula">x ← x + t, t ~ p(· | x)</span>. The keys and values of all tokens before stay in a cache,
        so that a step reads only what is new.
      </p>
      <Controls growth={growth} />
      {failure !== null && <Failure error={failure} />}
      <div class="growing" ref={text} data-grown={steps.length}>
        {trace.tokens.length > TAIL && <span class="is-faint">… </span>}
        {wholeCharacters([...passage, ...steps]).map((stretch) => (
          <GrownStretch key={stretch.from} stretch={stretch} steps={steps} first={passage.length} />
        ))}
        {!growth.hasEnded && <span class="grown-caret" aria-hidden="true" />}
      </div>
      {last !== undefined && <CacheLine last={last} growth={growth} />}
      {steps.length > 0 && <StepTable trace={trace} steps={steps} />}
    </>
  );
}

interface GrownStretchProps {
  readonly stretch: Stretch;
  readonly steps: readonly GeneratedToken[];
  /** Tokens of the passage that stand before the steps. */
  readonly first: number;
}

/** A token, or some that share a character. */
function GrownStretch({ stretch, steps, first }: GrownStretchProps) {
  const own = steps.slice(Math.max(0, stretch.from - first), Math.max(0, stretch.to - first));
  const isNew = own.length > 0 && stretch.to - first === steps.length;
  return (
    <span
      class={own.length === 0 ? undefined : `grown${isNew ? ' is-new' : ''}`}
      title={
        own.length === 0
          ? undefined
          : own.map(({ probability, rank }) => `${formatPercent(probability)}, rank ${formatCount(rank)}`).join('; ')
      }
    >
      <TokenText token={stretch} />
      {endsLine(stretch) && <br />}
    </span>
  );
}

function Controls({ growth }: { growth: GrowthControls }) {
  const { store, link } = usePanel();
  const sampler = useSelected((state) => state.sampler);
  const seed = useSelected((state) => state.view.seed) ?? FIRST_SEED;
  const { steps, hasEnded, isRunning, grow, stop, startOver } = growth;
  const step = () => void grow(1).then(() => store.announce('One token more.'));
  const run = () => void grow(MOST).then(() => store.announce('The text has stopped growing.'));
  return (
    <div class="again-controls">
      {!hasEnded && !isRunning && (
        <>
          <Button primary onPress={step}>
            Step
          </Button>
          <Button onPress={run} title={`Until the model ends the text, ${MOST} tokens at most`}>
            Continue
          </Button>
        </>
      )}
      {isRunning && (
        <Button primary onPress={stop}>
          Stop
        </Button>
      )}
      {steps.length > 0 && !isRunning && (
        <>
          <Button onPress={startOver}>Start over</Button>
          <Button icon="insert" onPress={() => link.insert(grownText(growth))} title="Write it behind the passage">
            Insert
          </Button>
        </>
      )}
      <span class="again-sampler">
        {hasEnded ? 'The model ended the text with its end token.' : samplerSentence(sampler, seed)}
      </span>
    </div>
  );
}

function CacheLine({ last, growth }: { last: GeneratedToken; growth: GrowthControls }) {
  const { cacheBytesPerToken } = growth;
  const held = last.reused + last.read;
  if (cacheBytesPerToken === 0) {
    return (
      <p class="explanation" data-cache={0}>
        This graph takes no cache: the last step read all <b>{formatQuantity(held, 'token')}</b> again.
      </p>
    );
  }
  return (
    <p class="explanation" data-cache={held} data-reused={last.reused} data-read={last.read}>
      The cache holds keys and values of <b>{formatQuantity(held, 'token')}</b>,{' '}
      {formatNumber((held * cacheBytesPerToken) / 2 ** 20)} MB: the last step reused {formatCount(last.reused)} of them
      and read {formatCount(last.read)}
      {last.leftOut > 0 &&
        `; the context is full, so that the first ${formatQuantity(last.leftOut, 'token')} were left out`}
      .
    </p>
  );
}

function StepTable({ trace, steps }: { trace: Trace; steps: readonly GeneratedToken[] }) {
  const rows = steps.map((step, at) => ({ step, position: trace.tokens.length + at })).reverse();
  return (
    <table class="stage-table again" aria-label="Generated tokens, the newest first">
      <tbody>
        <tr class="stage-row stage-head">
          <th class="number">#</th>
          <th>token</th>
          <th class="number" title="The model's own probability">
            raw
          </th>
          <th class="number" title="After temperature, top-k, min-p and top-p">
            after
          </th>
          <th class="number">rank</th>
          <th class="again-others">instead of</th>
          <th class="number" title="Tokens before it whose keys and values were in the cache">
            reused
          </th>
          <th class="number" title="Tokens before it that were read for it">
            read
          </th>
        </tr>
        {rows.map(({ step, position }) => (
          <tr
            key={position}
            class="stage-row"
            data-step={position}
            data-token={step.id}
            data-probability={step.probability}
            data-reused={step.reused}
            data-read={step.read}
          >
            <td class="number is-faint">{position}</td>
            <td class="stage-token">
              <TokenTag token={step} />
            </td>
            <td class="number">{formatPercent(step.probability)}</td>
            <td class="number is-strong">{formatPercent(step.samplerProbability)}</td>
            <td class="number">{formatCount(step.rank)}</td>
            <td class="again-others">
              {step.candidates
                .filter(({ id }) => id !== step.id)
                .map((other) => (
                  <span
                    key={other.id}
                    class="lens-candidate"
                    title={`${tokenLabel(other)} ${formatPercent(other.probability)}`}
                  >
                    <TokenTag token={other} />
                  </span>
                ))}
            </td>
            <td class="number is-faint">{formatCount(step.reused)}</td>
            <td class="number is-faint">{formatCount(step.read)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The sign of a line break is drawn; the line has to be broken, too. */
function endsLine({ text }: { readonly text: string }): boolean {
  return text.includes('\n');
}

function samplerSentence({ temperature, topK, topP, minP }: SamplerSettings, seed: number): string {
  if (temperature === 0) {
    return 'always the most probable token';
  }
  const rules = [
    `temperature ${temperature}`,
    ...(topK > 0 ? [`top-k ${topK}`] : []),
    ...(minP > 0 ? [`min-p ${minP}`] : []),
    ...(topP < 1 ? [`top-p ${topP}`] : []),
  ];
  return `${rules.join(', ')}, seed ${seed}`;
}
