import type { WebviewHost } from './connection';
import type { PanelStore } from './state';

/** Long enough to leave a drag in peace, short enough to lose nothing. */
const QUIET_MS = 150;

/** Keeps the view's state with the editor, so that a page that was hidden or reloaded begins where it ended. */
export function keepView(store: PanelStore, host: WebviewHost): void {
  let saved = store.state.view;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const save = () => {
    clearTimeout(timer);
    if (store.state.view !== saved) {
      saved = store.state.view;
      host.setState(saved);
    }
  };
  store.subscribe(() => {
    if (store.state.view !== saved) {
      clearTimeout(timer);
      timer = setTimeout(save, QUIET_MS);
    }
  });
  window.addEventListener('pagehide', save);
  document.addEventListener('visibilitychange', save);
}
