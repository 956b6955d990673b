import { useEffect, useState } from 'preact/hooks';
import type { Trace } from '../../src/protocol/trace';
import type { TrainingView } from '../../src/protocol/training';
import type { SectionFiles } from '../export/section-files';
import { trainingTable } from '../export/tables';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { cssColour, SURPRISAL_TOP } from '../render/colour-map';
import { formatCount, formatNumber, formatPercent, formatQuantity } from '../render/number-format';
import { type TrainingControls, useTraining } from '../training';
import { Button } from '../ui/button';
import { NumberField } from '../ui/number-field';
import { Failure } from './notices';
import { Progress } from './progress';
import { Section } from './section';
import { TokenText } from './visible';

/** Rows that are listed until more are asked for. */
const FIRST_ROWS = 64;
/** So many are drawn with the figures, and the others right after them: drawing a row takes longer than reading it. */
const ROWS_WITH_FIGURES = 16;

/** The passage as a model is trained on it: each token is to be foretold from those before it. */
export function Training({ trace }: { trace: Trace }) {
  const open = !useSelected((state) => state.view.collapsed.includes('training'));
  const { contextLength } = trace.model;
  const [stride, setStride] = useState(Math.floor(contextLength / 2));
  const isLong = trace.truncation !== null;
  const training = useTraining(trace, stride, open);
  const { view, stale, failure } = training;
  return (
    <Section
      name="training"
      title="As training data"
      files={view === null ? null : trainingFiles(view)}
      subtitle={view === null ? undefined : formatQuantity(view.scored, 'prediction')}
      tools={
        isLong && (
          <span class="versus">
            windows of {formatCount(contextLength)}, stride
            <NumberField
              label="Stride in tokens"
              value={stride}
              least={1}
              most={contextLength - 1}
              decimals={0}
              onInput={setStride}
            />
          </span>
        )
      }
    >
      {failure !== null && <Failure error={failure} />}
      {open && isLong && <Reading training={training} />}
      {view !== null && (
        <div class={stale ? 'is-late' : ''}>
          <TrainingTable view={view} />
        </div>
      )}
    </Section>
  );
}

function trainingFiles(view: TrainingView): SectionFiles {
  const { stride, windows, windowsRead, scored, meanLoss, perplexity, bitsPerByte } = view;
  return {
    settings: { stride, windows, windowsRead, scored, crossEntropyNats: meanLoss, perplexity, bitsPerByte },
    tables: { losses: () => trainingTable(view) },
    tensors: { losses: () => ({ shape: [view.scored], values: view.losses }) },
  };
}

/** How far a long text was read. */
function Reading({ training: { view, isRunning, readOn, stop } }: { training: TrainingControls }) {
  if (view !== null && view.windowsRead === view.windows) {
    return null;
  }
  return (
    <Progress
      label="Windows read"
      says={
        view === null
          ? 'reading the text, window after window'
          : `${formatCount(view.windowsRead)} of ${formatQuantity(view.windows, 'window')}`
      }
      done={view?.windowsRead ?? 0}
      of={view?.windows ?? 1}
      isRunning={isRunning}
      goOn="Read on"
      onGoOn={readOn}
      onStop={stop}
    />
  );
}

function TrainingTable({ view }: { view: TrainingView }) {
  const { store } = usePanel();
  const palette = usePalette();
  const [listed, setListed] = useState(ROWS_WITH_FIGURES);
  useEffect(() => setListed(FIRST_ROWS), []);
  const { rows, meanLoss, perplexity, bitsPerByte } = view;
  if (meanLoss === null || perplexity === null) {
    return <p class="explanation">One token alone foretells nothing: there is no target after it.</p>;
  }
  const left = Math.max(0, rows.length - Math.max(FIRST_ROWS, listed));
  const isLong = view.windows > 1;
  return (
    <>
      <p class="explanation">
        The target of each position is the token after it. Its loss is <span class="formula">−ln p</span>; training
        lowers the mean of all losses, the cross-entropy.
        {isLong &&
          ` The text has ${formatCount(view.tokens)} tokens and takes ${formatQuantity(view.windows, 'window')}; each token is scored once, with the longest context a window gives it.`}
        {view.windowsRead < view.windows &&
          ` The figures are those of the first ${formatQuantity(view.scored, 'prediction')}.`}
      </p>
      <dl class="figures">
        <Figure name="cross-entropy" value={meanLoss} unit="nats" />
        <Figure name="perplexity" value={perplexity} unit={`= e^${formatNumber(meanLoss)}`} />
        {bitsPerByte !== null && <Figure name="bits per byte" value={bitsPerByte} unit="bits" />}
      </dl>
      <table class="stage-table losses" aria-label="Losses">
        <tbody>
          <tr class="stage-row stage-head">
            <th class="number">#</th>
            <th>input</th>
            <th>target</th>
            <th class="number">p</th>
            <th class="loss-bar" />
            <th class="number">loss</th>
            {isLong && (
              <th class="number" title="Tokens before the target in its window">
                context
              </th>
            )}
          </tr>
          {rows.slice(0, listed).map((row) => (
            <tr
              key={row.position}
              class={`stage-row${isLong ? ' is-wide' : ''}`}
              data-position={row.position}
              data-loss={row.loss}
              onPointerEnter={isLong ? undefined : () => store.hover(row.position + 1)}
              onPointerLeave={isLong ? undefined : () => store.hover(null)}
            >
              <td class="number is-faint">{row.position}</td>
              <td class="stage-token">
                <TokenText token={row.input} />
              </td>
              <td class="stage-token">
                <TokenText token={row.target} />
              </td>
              <td class="number">{formatPercent(row.probability)}</td>
              <td class="loss-bar" aria-hidden="true">
                <i
                  style={{
                    width: `${Math.min(1, row.loss / (SURPRISAL_TOP * Math.LN2)) * 100}%`,
                    backgroundColor: cssColour('surprisal', palette.kind, row.loss / (SURPRISAL_TOP * Math.LN2)),
                  }}
                />
              </td>
              <td class="number is-strong">{formatNumber(row.loss)}</td>
              {isLong && <td class="number is-faint">{formatCount(row.context)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {left > 0 && <Button onPress={() => setListed(Number.POSITIVE_INFINITY)}>Show {formatCount(left)} more</Button>}
      {left === 0 && rows.length < view.scored && (
        <p class="explanation">
          The first {formatCount(rows.length)} of {formatCount(view.scored)} are listed; the figures are those of all.
        </p>
      )}
    </>
  );
}

function Figure({ name, value, unit }: { name: string; value: number; unit: string }) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd data-figure={name} data-value={value}>
        <b>{formatNumber(value)}</b> {unit}
      </dd>
    </div>
  );
}
