import type { PanelSnapshot } from '../../src/protocol/panel';
import { PaletteContext, useSelected, useThemePalette } from '../panel-context';
import { traceOf } from '../state';
import { ProgressLine } from '../ui/progress';
import { Again } from './again';
import { Attention } from './attention';
import { AttributionSection } from './attribution';
import { Branches } from './branches';
import { useWidth } from './canvas';
import { Choosing } from './choosing';
import { EmbeddingSection } from './embedding';
import { FeedForward } from './feed-forward';
import { Header, tryingDevice } from './header';
import { Heads } from './heads';
import { Layers } from './layers';
import { Merges } from './merges';
import { NextToken } from './next-token';
import { EmptyState, FailedState, PassageNotices, WorkingState } from './notices';
import { Stream } from './stream';
import { Tokens } from './tokens';
import { Training } from './training';
import { WorkedRow } from './worked-row';

/** The whole panel. */
export function Panel() {
  const palette = useThemePalette();
  const { element, width } = useWidth();
  const snapshot = useSelected((state) => state.snapshot);
  const trace = useSelected(traceOf);
  return (
    <PaletteContext.Provider value={palette}>
      <main class="panel" aria-label="Headlight" ref={element} data-theme-kind={palette.kind} data-trace={trace?.id}>
        {snapshot !== null && width > 0 && <Content snapshot={snapshot} width={width} />}
        <Announcements />
      </main>
    </PaletteContext.Provider>
  );
}

function Content({ snapshot, width }: { snapshot: PanelSnapshot; width: number }) {
  const trace = useSelected(traceOf);
  const passage = useSelected((state) => state.passage);
  const { status } = snapshot;
  const working = activityOf(snapshot);
  return (
    <>
      <Header snapshot={snapshot} />
      {working !== null && <ProgressLine label={working.title} />}
      {status.kind === 'empty' && <EmptyState />}
      {status.kind === 'failed' && <FailedState code={status.code} message={status.message} />}
      {working !== null && trace === null && <WorkingState title={working.title} detail={working.detail} />}
      {trace !== null && passage !== null && (
        <div class={`sections${working === null ? '' : ' is-superseded'}`} aria-busy={working !== null}>
          <PassageNotices passage={passage} trace={trace} />
          <Tokens passage={passage} trace={trace} />
          <Merges trace={trace} />
          <EmbeddingSection trace={trace} />
          <Attention trace={trace} panelWidth={width} />
          {trace.attention.available && <WorkedRow trace={trace} />}
          {trace.attention.available && <Heads trace={trace} panelWidth={width} />}
          <NextToken trace={trace} />
          <Branches trace={trace} />
          <Choosing trace={trace} />
          <Layers trace={trace} panelWidth={width} />
          <AttributionSection trace={trace} />
          <Stream trace={trace} />
          <FeedForward trace={trace} />
          <Again trace={trace} />
          <Training trace={trace} />
        </div>
      )}
    </>
  );
}

/** What is waited for; null where nothing is. */
function activityOf({ status, trying }: PanelSnapshot): Activity | null {
  if (status.kind !== 'working') {
    return null;
  }
  // A model in use may be tried elsewhere meanwhile.
  return trying === null || status.activity !== 'loading-model'
    ? ACTIVITIES[status.activity]
    : {
        title: tryingDevice(trying),
        detail: 'The model runs there and on the processor, and their numbers are compared. This is done once.',
      };
}

interface Activity {
  readonly title: string;
  readonly detail: string;
}

const ACTIVITIES: Readonly<Record<'loading-model' | 'running', Activity>> = {
  'loading-model': {
    title: 'Loading the model',
    detail: 'Reading its weights and finding its attention. Later passages find it loaded.',
  },
  running: { title: 'Reading the passage', detail: 'The model runs over the selected text.' },
};

/** Says to a screen reader what the keyboard did. */
function Announcements() {
  const announcement = useSelected((state) => state.announcement);
  return (
    <div class="for-screen-readers" role="status" aria-live="polite" data-announcement>
      {announcement}
    </div>
  );
}
