import { createContext } from 'preact';
import { useContext, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Branches } from './branches';
import type { EditorLink } from './editor-link';
import type { Questions, RequestSender } from './questions';
import { type Palette, readPalette, watchTheme } from './render/theme';
import type { PanelState, PanelStore } from './state';

/** The long-lived objects that every view may use. */
export interface PanelParts {
  readonly store: PanelStore;
  readonly link: EditorLink;
  readonly questions: Questions;
  readonly branches: Branches;
  /** The way to the engine. */
  readonly engine: RequestSender;
}

/** Provides `PanelParts`. */
export const PanelContext = createContext<PanelParts | null>(null);
/** Provides the theme's colours to canvases. */
export const PaletteContext = createContext<Palette | null>(null);

/** The panel's long-lived objects. */
export function usePanel(): PanelParts {
  const parts = useContext(PanelContext);
  if (parts === null) {
    throw new Error('A view was drawn outside of the panel.');
  }
  return parts;
}

/** A part of the state. The view is drawn again when it is another value, compared by identity. */
export function useSelected<T>(select: (state: PanelState) => T): T {
  const { store } = usePanel();
  const [, redraw] = useState({});
  const value = select(store.state);
  const drawn = useRef({ value, select });
  drawn.current = { value, select };
  useLayoutEffect(() => {
    const compare = () => {
      if (!Object.is(drawn.current.select(store.state), drawn.current.value)) {
        redraw({});
      }
    };
    // The state may have changed between drawing and now.
    compare();
    return store.subscribe(compare);
  }, [store]);
  return value;
}

/** The colours to draw with. */
export function usePalette(): Palette {
  const palette = useContext(PaletteContext);
  if (palette === null) {
    throw new Error('A view was drawn outside of the panel.');
  }
  return palette;
}

/** The palette of the editor's theme, followed live. */
export function useThemePalette(): Palette {
  const [palette, setPalette] = useState(readPalette);
  useEffect(() => watchTheme(setPalette), []);
  return palette;
}
