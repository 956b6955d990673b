import type { ComponentChildren } from 'preact';
import type { FailureCode, HeadlightError } from '../../src/protocol/errors';
import type { PanelCommand, Passage } from '../../src/protocol/panel';
import type { Trace } from '../../src/protocol/trace';
import { usePanel } from '../panel-context';
import { INSPECT_KEYS, keyCaps } from '../render/key-caps';
import { formatCount, formatQuantity } from '../render/number-format';
import { Button } from '../ui/button';
import { Icon, type IconName } from '../ui/icon';

interface Remedy {
  readonly label: string;
  readonly command: PanelCommand;
}

const INSPECT: Remedy = { label: 'Inspect selection', command: 'inspectSelection' };
const INSPECT_AGAIN: Remedy = { label: 'Inspect again', command: 'inspectSelection' };
const RESTART: Remedy = { label: 'Restart engine', command: 'restartEngine' };
const LOG: Remedy = { label: 'Show log', command: 'showLog' };
const MODEL: Remedy = { label: 'Change model…', command: 'chooseModel' };
const SETTINGS: Remedy = { label: 'Open settings', command: 'openSettings' };

/** What helps, the most useful first. */
const REMEDIES: Readonly<Record<FailureCode, readonly Remedy[]>> = {
  'model-missing': [MODEL, SETTINGS],
  'model-invalid': [MODEL, LOG],
  'tokenizer-mismatch': [MODEL, LOG],
  'tokenizer-unsupported': [MODEL, LOG],
  'graph-unsupported': [MODEL, LOG],
  'device-unavailable': [SETTINGS, LOG],
  'device-lost': [SETTINGS, LOG],
  'runtime-unavailable': [LOG, RESTART],
  'engine-stopped': [INSPECT_AGAIN, LOG],
  'text-too-long': [INSPECT],
  'text-empty': [INSPECT],
  'trace-unknown': [INSPECT_AGAIN],
  'argument-invalid': [LOG],
  cancelled: [INSPECT_AGAIN],
  internal: [RESTART, LOG],
};

/** What a failure is called above its sentence. */
const TITLES: Readonly<Partial<Record<FailureCode, string>>> = {
  'model-missing': 'No model',
  'model-invalid': 'This model cannot be read',
  'tokenizer-mismatch': 'Model and tokenizer do not fit',
  'tokenizer-unsupported': 'Unknown tokenizer',
  'graph-unsupported': 'This model cannot be run',
  'device-unavailable': 'Device not available',
  'device-lost': 'Device lost',
  'runtime-unavailable': 'The engine cannot start here',
  'engine-stopped': 'The engine stopped',
  'text-too-long': 'Too much text',
  'text-empty': 'Nothing to read',
};

interface StateProps {
  readonly icon: IconName;
  readonly title: string;
  readonly children: ComponentChildren;
  readonly remedies?: readonly Remedy[];
}

/** Fills the panel where there is nothing to show. */
function FullState({ icon, title, children, remedies = [] }: StateProps) {
  return (
    <div class="full-state">
      <Icon name={icon} />
      <h2>{title}</h2>
      {children}
      <Remedies remedies={remedies} />
    </div>
  );
}

function Remedies({ remedies, quiet = false }: { remedies: readonly Remedy[]; quiet?: boolean }) {
  const { link, questions } = usePanel();
  return remedies.length === 0 ? null : (
    <div class="remedies">
      {remedies.map(({ label, command }, at) => (
        <Button
          key={command}
          primary={at === 0 && !quiet}
          onPress={() => {
            questions.retry();
            link.run(command);
          }}
        >
          {label}
        </Button>
      ))}
    </div>
  );
}

/** Before anything was inspected: how to start. */
export function EmptyState() {
  return (
    <FullState icon="beam" title="Select some text to see how the model reads it" remedies={[INSPECT]}>
      <p>
        Select a passage in the editor and press{' '}
        <span class="keys">
          {keyCaps(INSPECT_KEYS, navigator.platform.startsWith('Mac')).map((cap) => (
            <kbd key={cap}>{cap}</kbd>
          ))}
        </span>{' '}
        or run <b>Headlight: Inspect Selection</b>. With nothing selected the text up to the caret is taken.
      </p>
    </FullState>
  );
}

/** What went wrong, and what helps. */
export function FailedState({ code, message }: { code: FailureCode; message: string }) {
  return (
    <div role="alert" data-failure={code}>
      <FullState icon="warning" title={TITLES[code] ?? 'That did not work'} remedies={REMEDIES[code]}>
        <p>{message}</p>
      </FullState>
    </div>
  );
}

/** While there is nothing to show yet; it shows itself after 300 ms only. */
export function WorkingState({ title, detail }: { title: string; detail: string }) {
  return (
    <div class="working-state" role="status">
      <FullState icon="beam" title={title}>
        <p>{detail}</p>
      </FullState>
    </div>
  );
}

/** A failure of one part of the panel: the rest stays usable. */
export function Failure({ error }: { error: HeadlightError }) {
  return (
    <Notice icon="warning" remedies={REMEDIES[error.code]} failure={error.code}>
      {error.message}
    </Notice>
  );
}

interface NoticeProps {
  readonly icon: IconName;
  readonly children: ComponentChildren;
  readonly remedies?: readonly Remedy[];
  readonly failure?: FailureCode;
}

function Notice({ icon, children, remedies = [], failure }: NoticeProps) {
  return (
    <div class="notice" role="status" data-failure={failure}>
      <Icon name={icon} />
      <span>{children}</span>
      <Remedies remedies={remedies.slice(0, 1)} quiet />
    </div>
  );
}

/** What must be known about a passage to read the rest right. */
export function PassageNotices({ passage, trace }: { passage: Passage; trace: Trace }) {
  return (
    <>
      {passage.edited && (
        <Notice icon="info" remedies={[INSPECT_AGAIN]}>
          The document has changed since this passage was read.
        </Notice>
      )}
      {trace.truncation !== null && (
        <Notice icon="info">
          The last {formatCount(trace.truncation.keptTokens)} of {formatQuantity(trace.truncation.totalTokens, 'token')}{' '}
          were read: more do not fit into the model's context.
        </Notice>
      )}
      {trace.tokens.length === 1 && (
        <Notice icon="info">One token: nothing stands before it, so that only what follows it can be predicted.</Notice>
      )}
    </>
  );
}
