import { useLayoutEffect, useMemo } from 'preact/hooks';
import type { Trace } from '../../src/protocol/trace';
import { matrixTable } from '../export/tables';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { attentionLayout } from '../render/attention-layout';
import { hasEmptyTriangle, matrixGeometry, usefulResolution } from '../render/matrix-geometry';
import type { UnitKind } from '../render/token-units';
import { answerFor, type Display, type HeadsShown } from '../state';
import { Checkbox } from '../ui/checkbox';
import { Segmented } from '../ui/segmented';
import { Select } from '../ui/select';
import { AttentionLines } from './attention-lines';
import { AttentionMatrix } from './attention-matrix';
import { attentionLinesPicture, headGridPicture, matrixPicture, pairPart } from './attention-pictures';
import { useViewport } from './canvas';
import { HeadFacts } from './head-facts';
import { HeadGrid } from './head-grid';
import { HEAD_KEYS } from './head-keys';
import { Failure } from './notices';
import { Section } from './section';
import { useShownMatrix } from './shown-matrix';
import { type ShownStep, useShownStep } from './shown-step';
import { Stepper } from './stepper';
import { WeightLegend } from './weight-legend';

/** Every head small, one head large. */
export function Attention({ trace, panelWidth }: { trace: Trace; panelWidth: number }) {
  const { attention } = trace;

  if (!attention.available) {
    return (
      <Section name="attention" title="Attention">
        <p class="explanation">{attention.reason} Tokens and candidates do not depend on it.</p>
      </Section>
    );
  }
  if (trace.tokens.length === 1) {
    return (
      <Section name="attention" title="Attention">
        <p class="explanation">One token can only attend to itself: every weight is 1. Select some more text.</p>
      </Section>
    );
  }
  return <AttentionSection trace={trace} panelWidth={panelWidth} layers={attention.layers} heads={attention.heads} />;
}

interface AttentionSectionProps {
  readonly trace: Trace;
  readonly layers: number;
  readonly heads: number;
  readonly panelWidth: number;
}

function AttentionSection({ trace, layers, heads: headCount, panelWidth }: AttentionSectionProps) {
  const { store } = usePanel();
  const palette = usePalette();
  const open = !useSelected((state) => state.view.collapsed.includes('attention'));
  const display = useSelected((state) => state.view.display);
  const hideSink = useSelected((state) => state.view.hideSink);
  const heads = useSelected((state) => state.view.heads);
  const units = useSelected((state) => state.view.units);
  const overview = useSelected((state) => answerFor(state.overview, trace));
  const weights = useShownMatrix(trace);
  const step = useShownStep(open ? weights : null, trace, display);
  const { shown } = step;
  const displays: { value: Display; label: string; title: string }[] = [
    {
      value: 'matrix',
      label: 'Matrix',
      title: `Arrows move the crosshair, Enter pins its row\n${HEAD_KEYS}\nDrag over cells or Ctrl+wheel to zoom, double-click to zoom around a cell`,
    },
    { value: 'lines', label: 'Lines', title: `From each query to the keys that it reads from\n${HEAD_KEYS}` },
  ];
  return (
    <Section
      name="attention"
      title="Attention"
      files={
        shown === null || shown.stale
          ? null
          : {
              settings: {
                ...{
                  layer: shown.matrix.layer,
                  head: shown.heads === 'one' ? shown.matrix.head : null,
                  heads: shown.heads,
                },
                ...{
                  numbers: shown.scale.name,
                  mergedTo: shown.unitLabels === null ? 'token' : units,
                  hideFirstToken: hideSink,
                },
              },
              tables: { matrix: () => matrixTable(shown.matrix, (from, to) => pairPart(shown, from, to)) },
              pictures: {
                ...(display === 'matrix'
                  ? { matrix: () => matrixPicture(shown, hideSink, palette) }
                  : { lines: () => attentionLinesPicture(shown, hideSink, palette) }),
                ...(overview === null ? {} : { 'all heads': () => headGridPicture(overview, hideSink, palette) }),
              },
              tensors: {
                matrix: () => ({ shape: [shown.matrix.rows, shown.matrix.columns], values: shown.matrix.weights }),
              },
            }
      }
      tools={
        <>
          {display === 'matrix' && heads === 'one' && <Stepper />}
          <Checkbox
            label="hide first-token sink"
            title="Leaves out the first token as a key; the other weights stay as they are"
            checked={hideSink}
            onChange={(next) => store.updateView({ hideSink: next })}
          />
          <span class="versus">
            <Select
              label="Heads shown"
              options={HEADS}
              value={heads}
              onChange={(next) => store.updateView({ heads: next })}
            />
            by
            <Select
              label="Merge tokens to"
              options={UNITS}
              value={units}
              onChange={(next) => store.updateView({ units: next })}
            />
          </span>
          <Segmented
            label="Show attention as"
            options={displays}
            value={display}
            onChange={(next) => store.updateView({ display: next })}
          />
        </>
      }
    >
      <AttentionBody trace={trace} layers={layers} heads={headCount} panelWidth={panelWidth} step={step} />
    </Section>
  );
}

const HEADS: readonly { value: HeadsShown; label: string }[] = [
  { value: 'one', label: 'one head' },
  { value: 'layer-mean', label: 'mean of the layer' },
  { value: 'layer-max', label: 'largest of the layer' },
  { value: 'model-mean', label: 'mean of all heads' },
  { value: 'model-max', label: 'largest of all heads' },
  { value: 'rollout', label: 'rollout to the layer' },
];

const UNITS: readonly { value: UnitKind; label: string }[] = [
  { value: 'token', label: 'token' },
  { value: 'word', label: 'word' },
  { value: 'line', label: 'line' },
  { value: 'symbol', label: 'symbol' },
];

interface AttentionBodyProps extends AttentionSectionProps {
  readonly step: ShownStep;
}

function AttentionBody({ trace, layers, heads, panelWidth, step }: AttentionBodyProps) {
  const { store } = usePanel();
  const viewport = useViewport();
  const display = useSelected((state) => state.view.display);
  const ofHeads = useSelected((state) => state.failures.overview ?? state.failures.matrix ?? state.failures.rows);
  const { shown, failure: ofStep, withoutSymbols } = step;
  const failure = ofHeads ?? ofStep ?? undefined;
  const tokens = trace.tokens.length;
  const layout = attentionLayout(panelWidth, viewport.height, heads, layers, tokens);
  const room = {
    width: layout.matrixWidth,
    height: layout.matrixHeight,
    devicePixelRatio: viewport.devicePixelRatio,
  };

  const matrix = shown?.matrix;
  const full = shown?.scale.full ?? false;
  const geometry = useMemo(
    () => (matrix === undefined ? null : matrixGeometry({ ...matrix, full }, room)),
    [matrix, full, room.width, room.height, room.devicePixelRatio],
  );

  // In steps, so that dragging the panel's edge does not ask for a matrix a pixel.
  const resolution = Math.max(32, Math.floor(usefulResolution(room) / 32) * 32);
  useLayoutEffect(() => {
    if (store.state.resolution !== resolution) {
      store.update({ resolution });
    }
  }, [store, resolution]);

  return (
    <>
      {failure !== undefined && <Failure error={failure} />}
      <div class="attention" data-arrangement={layout.arrangement}>
        <HeadGrid trace={trace} layers={layers} heads={heads} pitch={layout.pitch} />
        <HeadFacts trace={trace} />
        <div class={`attention-large${shown?.stale ? ' is-stale' : ''}`}>
          {shown === null || geometry === null ? null : display === 'matrix' ? (
            <AttentionMatrix shown={shown} geometry={geometry} devicePixelRatio={room.devicePixelRatio} />
          ) : (
            <AttentionLines shown={shown} room={room} />
          )}
        </div>
        {shown !== null && geometry !== null && (
          <WeightLegend
            withoutSymbols={withoutSymbols}
            shown={shown}
            display={display}
            spellsCell={display === 'matrix' && !hasEmptyTriangle(geometry)}
          />
        )}
      </div>
    </>
  );
}
