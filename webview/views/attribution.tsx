import { useState } from 'preact/hooks';
import {
  type Attribution as AttributionAnswer,
  AttributionRequest,
  type AttributionSource,
  HEADS_NOT_TOLD,
  LensRequest,
  type NamedToken,
} from '../../src/protocol/stages';
import type { Trace } from '../../src/protocol/trace';
import { useAnswer } from '../answers';
import { barPicture, gridPicture, steppedColour } from '../export/pictures';
import type { SectionFiles } from '../export/section-files';
import type { Picture } from '../export/surface';
import { attributionTable } from '../export/tables';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { cssColour } from '../render/colour-map';
import { formatNumber, formatPercent } from '../render/number-format';
import type { Palette } from '../render/theme';
import { tokenLabel } from '../render/visible-text';
import { answerFor, pinnedToken, selectedHead } from '../state';
import { Select } from '../ui/select';
import { Failure } from './notices';
import { Section } from './section';
import { TokenTag, TokenText } from './visible';

/** Candidates that can be set against each other. */
const CANDIDATES = 8;
/** Parts that are listed by name. */
const LISTED = 10;

/** Which parts of the model pushed one candidate against another. */
export function AttributionSection({ trace }: { trace: Trace }) {
  const palette = usePalette();
  const open = !useSelected((state) => state.view.collapsed.includes('attribution'));
  const position = useSelected(pinnedToken) ?? 0;
  const [chosen, setChosen] = useState<{ at: string; target?: number; against?: number }>({ at: '' });
  const at = `${trace.id},${position}`;
  // At the end of the passage these are the candidates that the panel has anyhow.
  const listed = useSelected((state) => answerFor(state.candidates, trace)?.candidates ?? null);
  const known = position === trace.tokens.length - 1 ? listed : null;
  const lens = useAnswer(
    LensRequest,
    open && known === null
      ? { traceId: trace.id, positions: { from: position, to: position + 1 }, limit: CANDIDATES }
      : null,
  );
  const best: readonly NamedToken[] =
    known?.slice(0, CANDIDATES) ?? (lens.value?.positions.from === position ? lens.value.rows.at(-1)![0].tokens : []);
  const next = trace.tokens[position + 1];
  const options: readonly NamedToken[] =
    next === undefined || best.some(({ id }) => id === next.id) ? best : [next, ...best];
  const mine = chosen.at === at ? chosen : { at };
  const target = mine.target ?? next?.id ?? best[0]?.id;
  const against = mine.against ?? best.find(({ id }) => id !== target)?.id;
  const { value, stale, failure } = useAnswer(
    AttributionRequest,
    open && target !== undefined && against !== undefined ? { traceId: trace.id, position, target, against } : null,
  );
  const error = lens.failure ?? failure;
  const entries = options.map((token) => ({ value: token.id, label: `“${tokenLabel(token)}”` }));
  return (
    <Section
      name="attribution"
      title="Attribution"
      files={value === null ? null : attributionFiles(trace, value, palette)}
      subtitle={
        <>
          after <span class="mono">#{position}</span> <TokenText token={trace.tokens[position]} />
        </>
      }
      tools={
        target !== undefined &&
        against !== undefined && (
          <span class="versus">
            <Select
              label="Pushed up"
              options={entries}
              value={target}
              onChange={(id) => setChosen({ ...mine, target: id, against: id === against ? target : against })}
            />
            against
            <Select
              label="Pushed down"
              options={entries}
              value={against}
              onChange={(id) => setChosen({ ...mine, against: id, target: id === target ? against : target })}
            />
          </span>
        )
      }
    >
      {error !== null && <Failure error={error} />}
      {value !== null && error === null && (
        <div class={stale ? 'is-late' : ''}>
          <Parts trace={trace} attribution={value} />
        </div>
      )}
    </Section>
  );
}

function attributionFiles(trace: Trace, answer: AttributionAnswer, palette: Palette): SectionFiles {
  const { position, target, against, difference, parts } = answer;
  return {
    settings: { position, target: target.text, against: against.text, difference },
    tables: { parts: () => attributionTable(answer) },
    pictures: {
      bars: () =>
        barPicture(
          {
            title: `What pushes “${tokenLabel(target)}” against “${tokenLabel(against)}” after #${position}`,
            bars: [...parts]
              .sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
              .slice(0, 4 * LISTED)
              .map(({ source, value }) => ({ label: nameOf(source), value, text: formatNumber(value) })),
            fill: (value) => cssColour('score', palette.kind, value < 0 ? 0.2 : 0.8),
          },
          palette,
        ),
      grid: () => partsPicture(trace, answer, palette),
    },
  };
}

/** Heads by layer, with each layer's feed-forward behind them; what cannot be told apart stays empty. */
function partsPicture({ model }: Trace, { parts }: AttributionAnswer, palette: Palette): Picture {
  const values = new Map(parts.map(({ source, value }) => [nameOf(source), value]));
  const largest = parts.reduce((most, { value }) => Math.max(most, Math.abs(value)), Number.MIN_VALUE);
  const columns = Array.from({ length: model.heads + 1 }, (_, at) => (at < model.heads ? `H${at}` : 'FF'));
  const colour = steppedColour('score', palette);
  return gridPicture(
    {
      title: 'What each head and feed-forward layer adds to the difference of the logits',
      ...{ cellWidth: 26, cellHeight: 18, uprightColumns: false, columnLabels: columns },
      rowLabels: Array.from({ length: model.layers }, (_, layer) => `L${layer}`),
      fill: (layer, head) => {
        const source: AttributionSource =
          head < model.heads ? { kind: 'head', layer, head } : { kind: 'feed-forward', layer };
        const value = values.get(nameOf(source));
        return value === undefined ? null : colour(0.5 + value / largest / 2);
      },
    },
    palette,
  );
}

function Parts({ trace, attribution }: { trace: Trace; attribution: AttributionAnswer }) {
  const { store } = usePanel();
  const { parts, difference, target, against } = attribution;
  const sum = parts.reduce((total, { value }) => total + value, 0);
  const strongest = [...parts].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, LISTED);
  const largest = Math.max(...strongest.map(({ value }) => Math.abs(value)), Number.MIN_VALUE);
  const rest = sum - strongest.reduce((total, { value }) => total + value, 0);
  const undivided = parts.flatMap(({ source }) => (source.kind === 'attention' ? [`L${source.layer}`] : []));
  return (
    <>
      <p class="explanation">
        The stream before the final norm is a sum, so the logits are one too: each part’s share of{' '}
        <span class="formula">logit(a) − logit(b) = Σ (W_U[a] − W_U[b]) · norm(part)</span>. Here{' '}
        <TokenTag token={target} /> ({formatPercent(target.probability)}) is{' '}
        <b data-difference={difference}>{formatNumber(Math.abs(difference))}</b>{' '}
        {difference < 0 ? 'behind' : 'ahead of'} <TokenTag token={against} /> ({formatPercent(against.probability)});
        the parts add up to <b data-sum={sum}>{formatNumber(sum)}</b>.
      </p>
      {undivided.length > 0 && (
        <p class="explanation" data-undivided>
          The attention of {undivided.join(', ')} is one part. {HEADS_NOT_TOLD}
        </p>
      )}
      <div class="attribution">
        <PartGrid trace={trace} attribution={attribution} largest={largest} />
        <table class="stage-table pushes" aria-label="The parts that push most">
          <tbody>
            {strongest.map(({ source, value }) => (
              <tr key={nameOf(source)} class="stage-row" data-part={nameOf(source)} data-value={value}>
                <td class="stage-token">
                  {source.kind === 'head' ? (
                    <button
                      type="button"
                      class="plain-link"
                      title="Show this head's attention"
                      onClick={() => store.selectHead(source)}
                    >
                      {nameOf(source)}
                    </button>
                  ) : (
                    nameOf(source)
                  )}
                </td>
                <Push value={value} largest={largest} />
                <td class="number">{formatNumber(value)}</td>
              </tr>
            ))}
            {parts.length > strongest.length && (
              <tr class="stage-row is-quiet">
                <td class="stage-token">{parts.length - strongest.length} more</td>
                <Push value={rest} largest={largest} />
                <td class="number">{formatNumber(rest)}</td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** A bar to the right for what pushes up, to the left for what pushes down. */
function Push({ value, largest }: { value: number; largest: number }) {
  const palette = usePalette();
  const share = Math.min(1, Math.abs(value) / largest) * 50;
  return (
    <span class="push" aria-hidden="true">
      <i
        style={{
          left: `${value < 0 ? 50 - share : 50}%`,
          width: `${share}%`,
          backgroundColor: cssColour('score', palette.kind, value < 0 ? 0.2 : 0.8),
        }}
      />
    </span>
  );
}

/** Heads in a grid as in the attention section, with each layer's feed-forward behind them. */
function PartGrid({ trace, attribution, largest }: { trace: Trace; attribution: AttributionAnswer; largest: number }) {
  const { store } = usePanel();
  const palette = usePalette();
  const selected = useSelected(selectedHead);
  const { layers, heads } = trace.model;
  const values = new Map(attribution.parts.map(({ source, value }) => [nameOf(source), value]));
  const cell = (source: AttributionSource) => {
    const value = values.get(nameOf(source));
    const colour = value === undefined ? undefined : cssColour('score', palette.kind, 0.5 + value / largest / 2);
    const title =
      value === undefined ? `${nameOf(source)}: not told apart` : `${nameOf(source)}: ${formatNumber(value)}`;
    const isHead = source.kind === 'head';
    const on = isHead && selected?.layer === source.layer && selected.head === source.head;
    return (
      <button
        key={nameOf(source)}
        type="button"
        class={`part-cell${on ? ' is-on' : ''}`}
        style={{ backgroundColor: colour }}
        disabled={!isHead}
        title={title}
        aria-label={title}
        onClick={() => isHead && store.selectHead(source)}
      />
    );
  };
  return (
    <fieldset class="part-grid" style={{ gridTemplateColumns: `26px repeat(${heads + 1}, minmax(8px, 24px))` }}>
      <legend class="for-screen-readers">What each head and feed-forward layer adds</legend>
      <span />
      {Array.from({ length: heads }, (_, head) => (
        <span key={head} class="part-head">
          {heads <= 12 || head % 2 === 0 ? `H${head}` : ''}
        </span>
      ))}
      <span class="part-head" title="Feed-forward">
        FF
      </span>
      {Array.from({ length: layers }, (_, layer) => (
        <>
          <span class="lens-layer">L{layer}</span>
          {Array.from({ length: heads }, (_, head) => cell({ kind: 'head', layer, head }))}
          {cell({ kind: 'feed-forward', layer })}
        </>
      ))}
    </fieldset>
  );
}

function nameOf(source: AttributionSource): string {
  switch (source.kind) {
    case 'embedding':
      return 'embeddings';
    case 'head':
      return `L${source.layer}·H${source.head}`;
    case 'attention':
      return `L${source.layer} attention`;
    case 'attention-bias':
      return `L${source.layer} attention bias`;
    case 'feed-forward':
      return `L${source.layer} feed-forward`;
    case 'final-bias':
      return 'final biases';
  }
}
