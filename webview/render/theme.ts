import type { ThemeKind } from './colour-map';

/** The colours and fonts that canvases draw with, read from the page as the editor themes it. */
export interface Palette {
  readonly kind: ThemeKind;
  readonly background: string;
  readonly strong: string;
  readonly muted: string;
  readonly faint: string;
  readonly line: string;
  readonly crosshair: string;
  readonly ring: string;
  readonly data: string;
  readonly surprisalBar: string;
  readonly rankBar: string;
  readonly splitBar: string;
  readonly monoFont: string;
  readonly uiFont: string;
}

/** The theme by the classes that VS Code puts on the body. High contrast light carries both high-contrast classes. */
export function themeKind(classes: { contains(name: string): boolean }): ThemeKind {
  if (classes.contains('vscode-high-contrast-light')) {
    return 'hc-light';
  }
  if (classes.contains('vscode-high-contrast')) {
    return 'hc-dark';
  }
  return classes.contains('vscode-light') ? 'light' : 'dark';
}

/** Reads the palette from the custom properties of panel.css. */
export function readPalette(): Palette {
  const style = getComputedStyle(document.body);
  // Resolved through a property that takes a colour, since a custom property may hold a formula.
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const colour = (property: string) => {
    probe.style.color = `var(${property})`;
    return getComputedStyle(probe).color;
  };
  const palette: Palette = {
    kind: themeKind(document.body.classList),
    background: colour('--vscode-editor-background'),
    strong: colour('--hl-strong'),
    muted: colour('--hl-muted'),
    faint: colour('--hl-faint'),
    line: colour('--hl-line'),
    crosshair: colour('--hl-crosshair'),
    ring: colour('--hl-ring'),
    data: colour('--hl-data'),
    surprisalBar: colour('--hl-bar-surprisal'),
    rankBar: colour('--hl-bar-rank'),
    splitBar: colour('--hl-bar-split'),
    monoFont: style.getPropertyValue('--vscode-editor-font-family').trim() || 'monospace',
    uiFont: style.getPropertyValue('--vscode-font-family').trim() || 'sans-serif',
  };
  probe.remove();
  return palette;
}

/** Calls back with a new palette at each change of the editor's theme. */
export function watchTheme(changed: (palette: Palette) => void): () => void {
  let scheduled = false;
  const observer = new MutationObserver(() => {
    // The editor changes the class and some hundred variables in one go.
    if (!scheduled) {
      scheduled = true;
      queueMicrotask(() => {
        scheduled = false;
        changed(readPalette());
      });
    }
  });
  observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'style'] });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['class', 'style'] });
  const contrast = matchMedia('(forced-colors: active)');
  const onContrast = () => changed(readPalette());
  contrast.addEventListener('change', onContrast);
  return () => {
    observer.disconnect();
    contrast.removeEventListener('change', onContrast);
  };
}
