import type { CandidateList, SamplerSettings } from '../../src/protocol/trace';
import { usePanel, useSelected } from '../panel-context';
import { formatCount } from '../render/number-format';
import { Button } from '../ui/button';
import { NumberField } from '../ui/number-field';
import { Slider } from '../ui/slider';
import { TokenTag } from './visible';

interface Setting {
  readonly name: keyof SamplerSettings;
  readonly label: string;
  /** For narrow panels. */
  readonly short: string;
  readonly explanation: string;
  /** End of the slider; the field goes on to `limit`. */
  readonly most: number;
  readonly limit: number;
  readonly step: number;
  readonly decimals: number;
}

const SETTINGS: readonly Setting[] = [
  {
    name: 'temperature',
    label: 'temperature',
    short: 'temp',
    explanation: 'Divides the logits. 0 always takes the most probable token, 1 changes nothing.',
    most: 2,
    limit: 100,
    step: 0.01,
    decimals: 2,
  },
  {
    name: 'topK',
    label: 'top-k',
    short: 'top-k',
    explanation: 'Keeps the k most probable tokens. 0 keeps all.',
    most: 100,
    limit: 1_000_000,
    step: 1,
    decimals: 0,
  },
  {
    name: 'topP',
    label: 'top-p',
    short: 'top-p',
    explanation: 'Keeps the smallest set whose probabilities reach p. 1 keeps all.',
    most: 1,
    limit: 1,
    step: 0.01,
    decimals: 2,
  },
  {
    name: 'minP',
    label: 'min-p',
    short: 'min-p',
    explanation: 'Keeps tokens with at least this share of the largest probability. 0 keeps all.',
    most: 1,
    limit: 1,
    step: 0.01,
    decimals: 2,
  },
];

/** Seeds are drawn and typed in this range, so that they stay short enough to be passed on. */
const LARGEST_SEED = 9999;

/** The settings of the sampler, and a draw from what it leaves. */
export function SamplerControls({ list }: { list: CandidateList | null }) {
  const { store } = usePanel();
  const sampler = useSelected((state) => state.sampler);
  const seed = useSelected((state) => state.view.seed);
  const set = (name: keyof SamplerSettings) => (value: number) => {
    if (store.state.sampler[name] !== value) {
      store.setSampler({ ...store.state.sampler, [name]: value });
    }
  };
  return (
    <div class="sampler">
      <fieldset class="settings">
        <legend class="for-screen-readers">Sampler</legend>
        {SETTINGS.map(({ name, label, short, explanation, most, limit, step, decimals }) => (
          <div class="setting" key={name} title={explanation} data-setting={name}>
            <span class="setting-name" aria-hidden="true">
              <span class="long-name">{label}</span>
              <span class="short-name">{short}</span>
            </span>
            <Slider label={label} value={sampler[name]} least={0} most={most} step={step} onInput={set(name)} />
            <NumberField
              label={label}
              value={sampler[name]}
              least={0}
              most={limit}
              decimals={decimals}
              onInput={set(name)}
            />
          </div>
        ))}
        <div class="draw-controls">
          <span class="setting-name">seed</span>
          <NumberField
            label="seed"
            title="The same seed gives the same draw"
            value={seed}
            least={0}
            most={LARGEST_SEED}
            decimals={0}
            onInput={(next) => store.updateView({ seed: next })}
          />
          <span class="spring" />
          <Button
            icon="dice"
            title="Draw a token with a new seed"
            onPress={() => store.updateView({ seed: Math.floor(Math.random() * (LARGEST_SEED + 1)) })}
          >
            Sample
          </Button>
        </div>
      </fieldset>
      {list !== null && seed !== null && list.draw !== null && <DrawStrip list={list} draw={list.draw} />}
    </div>
  );
}

/** Where the draw fell on the cumulative distribution, most probable token first. */
function DrawStrip({ list, draw }: { list: CandidateList; draw: NonNullable<CandidateList['draw']> }) {
  const { link } = usePanel();
  const shares = [...list.keptProbabilities];
  const rest = Math.max(0, 1 - shares.reduce((sum, share) => sum + share, 0));
  return (
    <div class="draw" data-draw-rank={draw.candidate.rank} data-u={draw.u}>
      <div class="strip" aria-hidden="true">
        {shares.map((share, at) => (
          <i key={at} class={at === draw.candidate.rank - 1 ? 'is-drawn' : ''} style={{ flexGrow: share }} />
        ))}
        {list.kept > shares.length && <i class="is-rest" style={{ flexGrow: rest }} />}
        <u style={{ left: `${draw.u * 100}%` }} />
      </div>
      <span role="status">
        u = <b>{draw.u.toFixed(4)}</b> falls on rank <b>{formatCount(draw.candidate.rank)}</b>{' '}
        <button
          type="button"
          class="plain"
          title="Insert at the end of the passage"
          aria-label={`Insert the drawn token ${JSON.stringify(draw.candidate.text)}`}
          onClick={() => link.insert(draw.candidate.text)}
        >
          <TokenTag token={draw.candidate} />
        </button>
      </span>
    </div>
  );
}
