import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { Passage } from '../../src/protocol/panel';
import type { Trace } from '../../src/protocol/trace';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { cssColour, rankTint, SURPRISAL_TOP, type ThemeKind } from '../render/colour-map';
import { layOutTokens, type Piece, type SharedPiece, type TokenLine, type TokenPiece } from '../render/token-lines';
import { visibleText } from '../render/visible-text';
import { type ColourMode, type PanelState, pinnedToken, rowOfQuery } from '../state';
import { Visible } from './visible';

/**
 * The passage itself. It is drawn once a trace: tints, pin, hover and crosshair are put on the elements directly, since
 * they change far more often than the text and touch few of some thousand tokens.
 */
export function TokenPassage({ passage, trace, colour }: { passage: Passage; trace: Trace; colour: ColourMode }) {
  const { store } = usePanel();
  const palette = usePalette();
  const root = useRef<HTMLDivElement>(null);
  const elements = useRef<TokenElements>(new TokenElements());
  const lines = useMemo(
    () => layOutTokens(passage.text, trace.tokens, passage.firstLine),
    [passage.text, passage.firstLine, trace],
  );
  const manyShared = useMemo(
    () => lines.flatMap((line) => line.pieces).filter((piece) => piece.kind === 'shared').length >= MANY_SHARED,
    [lines],
  );
  const generated = useMemo(() => firstGenerated(passage, trace), [passage.generatedFrom, trace]);
  const content = useMemo(
    () => lines.map((line) => <Line key={line.number} line={line} generated={generated} />),
    [lines, generated],
  );

  useLayoutEffect(() => elements.current.collect(root.current!), [lines]);

  const pinnedWeights = useSelected((state) => (colour === 'attention' ? rowOfQuery(state, pinnedToken(state)) : null));
  useLayoutEffect(
    () =>
      elements.current.tint(trace.tokens.length, (index) => tintOf(trace, index, colour, palette.kind, pinnedWeights)),
    [lines, trace, colour, palette, pinnedWeights],
  );

  useLayoutEffect(() => {
    const mark = () => elements.current.mark(marksOf(store.state));
    mark();
    return store.subscribe(mark);
  }, [store, lines]);

  // A token that the editor or the keyboard points at may be scrolled out of sight.
  useEffect(() => {
    let { revealed } = store.state;
    return store.subscribe(() => {
      if (store.state.revealed !== revealed) {
        revealed = store.state.revealed;
        if (revealed !== null) {
          elements.current.scrollTo(root.current!, revealed);
        }
      }
    });
  }, [store]);

  /** Since the keyboard was used. What scrolls or grows under a pointer that rests is not pointed at. */
  const pointerRests = useRef(false);
  const point = (index: number | null) => {
    if (!pointerRests.current) {
      store.hover(index);
    }
  };
  const walk = (index: number | null) => {
    if (index !== null) {
      pointerRests.current = true;
      store.hover(index);
      elements.current.scrollTo(root.current!, index);
      root.current!.setAttribute('aria-activedescendant', `token-${index}`);
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const { state } = store;
    const at = state.hovered ?? pinnedToken(state) ?? 0;
    const last = trace.tokens.length - 1;
    const actions: Record<string, () => void> = {
      ArrowLeft: () => walk(Math.max(0, at - 1)),
      ArrowRight: () => walk(Math.min(last, at + 1)),
      ArrowUp: () => walk(elements.current.neighbour(at, -1)),
      ArrowDown: () => walk(elements.current.neighbour(at, 1)),
      Home: () => walk(0),
      End: () => walk(last),
      Enter: () => store.pin(at),
      Escape: () => store.hover(null),
    };
    const action = actions[event.key];
    if (action !== undefined && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      action();
    }
  };

  return (
    <div
      ref={root}
      class={`passage${manyShared ? ' has-many-shared' : ''}`}
      role="listbox"
      aria-label="Tokens of the passage"
      aria-describedby="passage-keys"
      tabIndex={0}
      onPointerOver={(event) => point(tokenIndexAt(event))}
      onPointerMove={(event) => {
        if (pointerRests.current) {
          pointerRests.current = false;
          point(tokenIndexAt(event));
        }
      }}
      onPointerLeave={() => point(null)}
      onClick={(event) => {
        const index = tokenIndexAt(event);
        if (index !== null) {
          store.pin(index);
        }
      }}
      onKeyDown={onKeyDown}
      onBlur={() => store.hover(null)}
    >
      <span id="passage-keys" class="for-screen-readers">
        Arrow keys walk the tokens, Enter pins one.
      </span>
      {content}
    </div>
  );
}

function tokenIndexAt(event: Event): number | null {
  const element = (event.target as Element).closest<HTMLElement>('[data-token-index]');
  return element === null ? null : Number(element.dataset.tokenIndex);
}

/** CSS background of a token; null for one without a value, empty for none. */
function tintOf(
  trace: Trace,
  index: number,
  colour: ColourMode,
  theme: ThemeKind,
  pinnedWeights: Float32Array | null,
): string | null {
  const token = trace.tokens[index];
  switch (colour) {
    case 'splits':
      return index % 2 === 0 ? 'var(--hl-split-a)' : 'var(--hl-split-b)';
    case 'surprisal':
      return token.surprisal === null ? null : cssColour('surprisal', theme, token.surprisal / SURPRISAL_TOP);
    case 'rank':
      return token.rank === null ? null : rankTint(token.rank, theme);
    case 'attention': {
      const weight = pinnedWeights?.[index] ?? 0;
      // Later tokens than the pinned one have weight 0 and could not be read: no tint.
      return weight === 0 ? '' : cssColour('probability', theme, Math.sqrt(weight));
    }
  }
}

/** Pixels, the gap to the next one included. */
const NARROWEST_BAND = 5;
/** From so many characters that are spread over several tokens on, their badges get out of the way. */
const MANY_SHARED = 6;

type MarkName = 'is-pinned' | 'is-hovered' | 'is-revealed' | 'is-query' | 'is-key';

function marksOf(state: PanelState): Readonly<Record<MarkName, number | null>> {
  return {
    'is-pinned': pinnedToken(state),
    'is-hovered': state.hovered,
    'is-revealed': state.revealed,
    'is-query': state.cursor?.query ?? null,
    'is-key': state.cursor?.key ?? null,
  };
}

/** The elements that stand for the tokens; a token that goes over a line end has several. */
class TokenElements {
  #byIndex: HTMLElement[][] = [];
  #marks: Partial<Record<MarkName, number | null>> = {};

  collect(root: HTMLElement): void {
    this.#byIndex = [];
    this.#marks = {};
    for (const element of root.querySelectorAll<HTMLElement>('[data-token-index]')) {
      const index = Number(element.dataset.tokenIndex);
      this.#byIndex[index] ??= [];
      this.#byIndex[index].push(element);
    }
  }

  tint(count: number, colourOf: (index: number) => string | null): void {
    for (let index = 0; index < count; index++) {
      const colour = colourOf(index);
      for (const element of this.#byIndex[index] ?? []) {
        element.classList.toggle('without-value', colour === null);
        element.style.backgroundColor = colour ?? '';
      }
    }
  }

  mark(marks: Readonly<Record<MarkName, number | null>>): void {
    for (const [name, index] of Object.entries(marks) as [MarkName, number | null][]) {
      const before = this.#marks[name] ?? null;
      if (before !== index) {
        this.#toggle(before, name, false);
        this.#toggle(index, name, true);
        this.#marks[name] = index;
      }
    }
  }

  #toggle(index: number | null, name: MarkName, on: boolean): void {
    for (const element of index === null ? [] : (this.#byIndex[index] ?? [])) {
      element.classList.toggle(name, on);
      if (name === 'is-pinned') {
        element.setAttribute('aria-selected', String(on));
      }
    }
  }

  /** Scrolls the passage, never the panel. */
  scrollTo(root: HTMLElement, index: number): void {
    const element = this.#byIndex[index]?.[0];
    if (element === undefined) {
      return;
    }
    const box = element.getBoundingClientRect();
    const view = root.getBoundingClientRect();
    if (box.top < view.top) {
      root.scrollTop -= view.top - box.top + box.height;
    } else if (box.bottom > view.bottom) {
      root.scrollTop += box.bottom - view.bottom + box.height;
    }
  }

  /** The token on the row above or below that stands nearest; null at the ends. */
  neighbour(index: number, direction: -1 | 1): number | null {
    const from = this.#byIndex[index]?.[0]?.getBoundingClientRect();
    if (from === undefined) {
      return null;
    }
    const middle = from.left + from.width / 2;
    let best: number | null = null;
    let rowTop = Number.NaN;
    let nearest = Number.POSITIVE_INFINITY;
    for (let other = index + direction; other >= 0 && other < this.#byIndex.length; other += direction) {
      const box = this.#byIndex[other]?.[0]?.getBoundingClientRect();
      if (box === undefined || Math.abs(box.top - from.top) < box.height / 2) {
        continue;
      }
      if (Number.isNaN(rowTop)) {
        rowTop = box.top;
      } else if (Math.abs(box.top - rowTop) > box.height / 2) {
        break;
      }
      const distance = Math.abs(box.left + box.width / 2 - middle);
      if (distance < nearest) {
        nearest = distance;
        best = other;
      }
    }
    return best;
  }
}

/** The first token that the model has suggested; beyond all tokens where none is. */
function firstGenerated({ generatedFrom }: Passage, { tokens }: Trace): number {
  const first = generatedFrom === null ? -1 : tokens.findIndex(({ end }) => end > generatedFrom);
  return first < 0 ? tokens.length : first;
}

/** @param generated the first token that is marked as suggested */
function Line({ line, generated }: { line: TokenLine; generated: number }) {
  const { pieces } = line;
  // A line break goes to the next row together with what stands before it.
  const breaks = pieces.length - 1 - pieces.findLastIndex((piece) => !isOnlyBreak(piece));
  const joined = breaks > 0 && breaks < pieces.length ? breaks + 1 : 0;
  const free = pieces.slice(0, pieces.length - joined);
  return (
    <div class="passage-line" role="presentation">
      <span class="line-number" aria-hidden="true">
        {line.number}
      </span>
      <span class="line-text" role="presentation">
        {free.map((piece) => drawPiece(piece, generated))}
        {joined > 0 && (
          <span class="unbroken">{pieces.slice(-joined).map((piece) => drawPiece(piece, generated))}</span>
        )}
      </span>
    </div>
  );
}

function isOnlyBreak(piece: Piece): boolean {
  return piece.kind === 'token' && piece.onlyBreak;
}

function drawPiece(piece: Piece, generated: number) {
  return piece.kind === 'token' ? drawToken(piece, generated) : drawShared(piece, generated);
}

function drawToken({ index, runs, opens, closes, added, special }: TokenPiece, generated: number) {
  const isGenerated = index >= generated;
  const edges = `${opens ? ' opens' : ''}${closes ? ' closes' : ''}`;
  return (
    <span
      key={`${index}${edges}`}
      class={`token${edges}${added ? ' is-added' : special ? ' is-special' : ''}${isGenerated ? ' generated' : ''}`}
      data-token-index={index}
      {...(opens ? { role: 'option', id: `token-${index}`, 'aria-selected': false } : { role: 'presentation' })}
      {...(opens && isGenerated ? { 'aria-description': 'suggested by the model' } : {})}
    >
      <Visible runs={runs} />
    </span>
  );
}

function drawShared({ bands, runs }: SharedPiece, generated: number) {
  const text = runs.map((run) => run.text).join('');
  return (
    <span
      key={bands[0].index}
      class={`shared${bands[0].index >= generated ? ' generated' : ''}`}
      role="presentation"
      // Wide enough to point at each band.
      style={{ minWidth: `${bands.length * NARROWEST_BAND}px` }}
    >
      <span class="bands" role="presentation">
        {bands.map((band, at) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the listbox holds the focus and names its active option
          <span
            key={band.index}
            role="option"
            aria-selected={false}
            aria-label={`${text}, part ${at + 1} of ${bands.length}`}
            id={`token-${band.index}`}
            data-token-index={band.index}
            style={{ flexGrow: band.share }}
          />
        ))}
      </span>
      <span class="shared-glyph" aria-hidden="true">
        <Visible runs={runs} />
      </span>
      <span class="shared-count" aria-hidden="true" title={`${visibleText(text)}: ${bands.length} tokens`}>
        {bands.length}
      </span>
    </span>
  );
}
