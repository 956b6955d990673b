import { useLayoutEffect, useRef } from 'preact/hooks';
import type { HeadScores } from '../../src/protocol/heads';
import type { HeadOverview, Trace } from '../../src/protocol/trace';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { gridHeight, gridWidth, HEAD_RULER, LAYER_RULER, TAG_GAP, thumbnailGap } from '../render/attention-layout';
import { colourTable } from '../render/colour-map';
import { headTag, headTagName, randomScoresOf, statisticsOf } from '../render/head-tag';
import { paintThumbnail } from '../render/heat-map';
import { answerFor, type HeadRef, scoresOfHeads, selectedHead, shownHead } from '../state';
import { fitCanvas, putPixels } from './canvas';
import { HEAD_KEYS, stepHeadByKey } from './head-keys';

interface HeadGridProps {
  readonly trace: Trace;
  readonly layers: number;
  readonly heads: number;
  readonly pitch: number;
}

/** All heads of all layers as thumbnails. Pointing at one shows it large, a click chooses it. */
export function HeadGrid({ trace, layers, heads, pitch }: HeadGridProps) {
  const { store } = usePanel();
  const palette = usePalette();
  const canvas = useRef<HTMLCanvasElement>(null);
  const overview = useSelected((state) => answerFor(state.overview, trace));
  const scores = useSelected(scoresOfHeads);
  const hideSink = useSelected((state) => state.view.hideSink);
  const selected = useSelected(selectedHead);
  const shown = useSelected(shownHead);
  const width = gridWidth(pitch, heads);
  const height = gridHeight(pitch, layers);

  useLayoutEffect(() => {
    // Until the thumbnails of a new passage are there the old ones stay.
    if (overview === null || canvas.current === null) {
      return;
    }
    const context = fitCanvas(canvas.current, width, height);
    const side = Math.round((pitch - thumbnailGap(pitch)) * (window.devicePixelRatio || 1));
    const table = colourTable('weight', palette.kind);
    const cells = overview.side * overview.side;
    for (let layer = 0; layer < layers; layer++) {
      for (let head = 0; head < heads; head++) {
        const at = (layer * heads + head) * cells;
        const values = overview.thumbnails.subarray(at, at + cells);
        const pixels = paintThumbnail(values, overview.side, side, table, hideSink);
        putPixels(context, pixels, LAYER_RULER + head * pitch, HEAD_RULER + layer * (pitch + TAG_GAP));
      }
    }
  }, [overview, palette, hideSink, width, height, pitch, layers, heads]);

  const headAt = (event: MouseEvent): HeadRef | null => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const head = Math.floor((event.clientX - box.left - LAYER_RULER) / pitch);
    const layer = Math.floor((event.clientY - box.top - HEAD_RULER) / (pitch + TAG_GAP));
    return head < 0 || layer < 0 || head >= heads || layer >= layers ? null : { layer, head };
  };
  // Rulers and tags thin out before they touch.
  const everyHead = Math.ceil((heads > 10 ? 22 : 16) / pitch);
  const everyLayer = Math.ceil(12 / (pitch + TAG_GAP));
  const name = selected === null ? '' : describeHead(selected, overview, scores, trace);
  return (
    <div
      class="head-grid"
      style={{ width: `${width}px`, height: `${height}px` }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes the keys itself
      tabIndex={0}
      role="application"
      aria-roledescription="grid of heads"
      aria-label={`All heads, ${layers} layers by ${heads} heads. ${name}`}
      aria-description={`Arrows choose a head. ${HEAD_KEYS} from elsewhere.`}
      data-layer={selected?.layer}
      data-head={selected?.head}
      onPointerMove={(event) => store.previewHead(headAt(event))}
      onPointerLeave={() => store.previewHead(null)}
      onClick={(event) => {
        const head = headAt(event);
        if (head !== null) {
          store.selectHead(head);
        }
      }}
      onKeyDown={(event) => stepHeadByKey(store, event, { plainArrows: true })}
    >
      <canvas ref={canvas} role="img" aria-label={`Thumbnails of ${layers * heads} heads`} />
      <div class="head-grid-marks" aria-hidden="true">
        {range(heads).map((head) => (
          <span
            key={`head ${head}`}
            class={`ruler ruler-head${head === shown?.head ? ' is-on' : ''}`}
            hidden={head % everyHead !== 0 && head !== shown?.head}
            style={{ left: `${LAYER_RULER + head * pitch}px`, width: `${pitch - thumbnailGap(pitch)}px` }}
          >
            H{head}
          </span>
        ))}
        {range(layers).map((layer) => (
          <span
            key={`layer ${layer}`}
            class={`ruler ruler-layer${layer === shown?.layer ? ' is-on' : ''}`}
            hidden={layer % everyLayer !== 0 && layer !== shown?.layer}
            style={{
              top: `${HEAD_RULER + layer * (pitch + TAG_GAP) + (pitch - 2) / 2 - 6}px`,
              width: `${LAYER_RULER - 6}px`,
            }}
          >
            L{layer}
          </span>
        ))}
        {overview !== null && pitch >= 20 && (
          <Tags overview={overview} scores={scores} tokens={trace.tokens.length} pitch={pitch} />
        )}
        {selected !== null && <Ring head={selected} pitch={pitch} kind="is-selected" />}
        {shown !== null && shown !== selected && <Ring head={shown} pitch={pitch} kind="is-preview" />}
      </div>
    </div>
  );
}

function Ring({ head, pitch, kind }: { head: HeadRef; pitch: number; kind: string }) {
  const side = pitch - thumbnailGap(pitch);
  return (
    <i
      class={`ring ${kind}`}
      style={{
        left: `${LAYER_RULER + head.head * pitch - 3}px`,
        top: `${HEAD_RULER + head.layer * (pitch + TAG_GAP) - 6}px`,
        width: `${side + 6}px`,
        height: `${side + 9}px`,
      }}
    />
  );
}

interface TagsProps {
  readonly overview: HeadOverview;
  readonly scores: HeadScores | null;
  readonly tokens: number;
  readonly pitch: number;
}

/** A tag that rests on this passage only is slanted. */
function Tags({ overview, scores, tokens, pitch }: TagsProps) {
  const tags = range(overview.layers).flatMap((layer) =>
    range(overview.heads).flatMap((head) => {
      const tag = headTag(statisticsOf(overview, layer, head), tokens, randomScoresOf(scores, layer, head));
      return tag === null ? [] : [{ layer, head, tag }];
    }),
  );
  return (
    <>
      {tags.map(({ layer, head, tag }) => (
        <em
          key={`${layer} ${head}`}
          class={tag.seenOn === 'this passage' ? 'is-of-passage' : ''}
          style={{
            left: `${LAYER_RULER + head * pitch}px`,
            top: `${HEAD_RULER + layer * (pitch + TAG_GAP) - 4}px`,
            width: `${pitch - thumbnailGap(pitch)}px`,
          }}
        >
          {tag.kind}
        </em>
      ))}
    </>
  );
}

function describeHead(
  { layer, head }: HeadRef,
  overview: HeadOverview | null,
  scores: HeadScores | null,
  trace: Trace,
): string {
  const tag =
    overview === null
      ? null
      : headTag(statisticsOf(overview, layer, head), trace.tokens.length, randomScoresOf(scores, layer, head));
  return `Layer ${layer}, head ${head}${tag === null ? '' : `, ${headTagName(tag)} on ${tag.seenOn}`}`;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}
