import {
  DEVICE_NAMES,
  type Device,
  type DeviceStatus,
  describeDevice,
  describeDeviceBriefly,
} from '../../src/protocol/device';
import type { ModelSummary } from '../../src/protocol/model';
import type { PanelSnapshot, Passage } from '../../src/protocol/panel';
import type { Trace } from '../../src/protocol/trace';
import { copiedData } from '../copied-data';
import { usePanel, useSelected } from '../panel-context';
import { formatCount, formatQuantity } from '../render/number-format';
import { traceOf } from '../state';
import { IconButton } from '../ui/button';
import { Icon } from '../ui/icon';
import { MenuButton } from '../ui/menu';

/** One line: which model, where it runs, what was read. */
export function Header({ snapshot }: { snapshot: PanelSnapshot }) {
  const { store, link } = usePanel();
  const trace = useSelected(traceOf);
  const { model, trying, passage, following } = snapshot;
  const device = deviceOf(snapshot);
  return (
    <header class={`header${device !== null && device.reason !== null ? ' has-reason' : ''}`}>
      {model !== null && <ModelChip model={model} />}
      {device === null && trying !== null && (
        <span class="chip" data-chip="device">
          <span class="chip-name">{tryingDevice(trying)}</span>
        </span>
      )}
      {device !== null && <DeviceChip device={device} />}
      {passage !== null && (
        <span
          class="source"
          data-chip="source"
          title={passage.upToCaret ? 'Nothing was selected: the text up to the caret' : passage.fileName}
        >
          {sourceOf(passage)}
        </span>
      )}
      {passage !== null && trace !== null ? <Counts passage={passage} trace={trace} /> : <span class="counts" />}
      <IconButton
        icon="pin"
        label="Follow selection"
        title={
          following
            ? 'Following the selection: press to stay with this passage'
            : 'Staying with this passage: press to follow the selection'
        }
        pressed={following}
        onPress={() => link.follow(!following)}
      />
      <MenuButton
        icon="more"
        label="More actions"
        items={[
          { label: 'Inspect selection', onChoose: () => link.run('inspectSelection') },
          {
            label: 'Copy data as JSON',
            disabled: trace === null,
            onChoose: () => {
              const text = copiedData(store.state);
              if (text !== null) {
                link.copy(text);
              }
            },
          },
          { label: 'Change model…', separated: true, onChoose: () => link.run('chooseModel') },
          { label: 'Check device…', onChoose: () => link.run('checkDevice') },
          { label: 'Settings', onChoose: () => link.run('openSettings') },
          { label: 'Restart engine', separated: true, onChoose: () => link.run('restartEngine') },
          { label: 'Show log', onChoose: () => link.run('showLog') },
        ]}
      />
    </header>
  );
}

function ModelChip({ model }: { model: ModelSummary }) {
  const shape = `${formatQuantity(model.layers, 'layer')} · ${formatQuantity(model.heads, 'head')}`;
  const details = [
    `${model.name} (${model.architecture})`,
    `${shape} · ${formatCount(model.parameters)} parameters`,
    `vocabulary ${formatCount(model.vocabSize)} · context ${formatCount(model.contextLength)} tokens`,
    model.directory,
  ];
  return (
    <span class="chip" data-chip="model" title={details.join('\n')}>
      <span class="chip-name">{model.name}</span>
      <span class="chip-more"> · {shape}</span>
    </span>
  );
}

/** Where the model runs; while others are tried, that is why it is there. */
function deviceOf({ device, trying }: PanelSnapshot): DeviceStatus | null {
  return device === null || trying === null ? device : { ...device, reason: `trying ${DEVICE_NAMES[trying]}…` };
}

/** While a device is tried with the model. */
export function tryingDevice(device: Device): string {
  return `Trying ${DEVICE_NAMES[device]}…`;
}

/** Where the model runs, and why not elsewhere. */
function DeviceChip({ device }: { device: DeviceStatus }) {
  const name = DEVICE_NAMES[device.device];
  return (
    <span class="chip" data-chip="device" title={`Runs on ${describeDevice(device)}`}>
      {device.device !== 'cpu' && <Icon name="bolt" />}
      <span class="chip-name">
        {name}
        <span class="chip-why">{describeDeviceBriefly(device).slice(name.length)}</span>
      </span>
    </span>
  );
}

function sourceOf({ fileName, firstLine, lastLine, generatedFrom, root }: Passage): string {
  const place = `${fileName}:${firstLine === lastLine ? firstLine : `${firstLine}–${lastLine}`}`;
  return root !== null ? `${place} + branch` : generatedFrom === null ? place : `${place} + suggestion`;
}

function Counts({ passage, trace }: { passage: Passage; trace: Trace }) {
  const tokens = trace.tokens.length;
  const text = tokens === 0 ? '' : passage.text.slice(trace.tokens[0].start, trace.tokens[tokens - 1].end);
  const characters = [...text].length;
  return (
    <span class="counts" data-chip="counts">
      <b>{formatCount(tokens)}</b> {tokens === 1 ? 'token' : 'tokens'}
      <span class="counts-more">
        {' '}
        · <b>{formatCount(characters)}</b> {characters === 1 ? 'char' : 'chars'}
        {tokens > 0 && (
          <>
            {' '}
            · <b>{(characters / tokens).toFixed(1)}</b> chars/token
          </>
        )}
      </span>
    </span>
  );
}
