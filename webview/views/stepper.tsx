import type { AttentionStep } from '../../src/protocol/stages';
import { usePanel, useSelected } from '../panel-context';
import { Icon } from '../ui/icon';

const STEPS: readonly { readonly step: AttentionStep; readonly label: string; readonly formula?: string }[] = [
  { step: 'scores', label: 'Scores', formula: 'QKᵀ/√d' },
  { step: 'masked', label: 'Mask' },
  { step: 'weights', label: 'Softmax' },
  { step: 'weighted', label: '×V' },
];

const TITLES: Readonly<Record<AttentionStep, string>> = {
  scores: 'How well each query fits each key, before anything is masked',
  masked: 'The same without what comes after the query',
  weights: 'The shares that a row’s scores become; each row sums to 1',
  weighted: 'Each share times the length of the value that it brings',
};

/** Walks through the steps of the attention. Arrow keys go on and back. */
export function Stepper() {
  const { store } = usePanel();
  const shown = useSelected((state) => state.view.step);
  return (
    <div class="stepper" role="radiogroup" aria-label="Step of the attention">
      {STEPS.map(({ step, label, formula }, at) => (
        <>
          {at > 0 && (
            <span class="stepper-arrow" aria-hidden="true">
              <Icon name="arrow" />
            </span>
          )}
          {/* biome-ignore lint/a11y/useSemanticElements: a native radio cannot be drawn as a step without a second element */}
          <button
            key={step}
            type="button"
            role="radio"
            class="step"
            aria-checked={step === shown}
            aria-label={label}
            tabIndex={step === shown ? 0 : -1}
            title={TITLES[step]}
            data-value={step}
            onClick={() => store.showStep(step)}
            onKeyDown={(event) => {
              const move = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
              const next = move === undefined ? undefined : STEPS[at + move];
              if (move !== undefined) {
                event.preventDefault();
              }
              if (next !== undefined) {
                store.showStep(next.step);
                const group = event.currentTarget.parentElement;
                group?.querySelector<HTMLElement>(`[data-value="${next.step}"]`)?.focus();
              }
            }}
          >
            {label}
            {formula !== undefined && <span class="step-formula">{formula}</span>}
          </button>
        </>
      ))}
    </div>
  );
}
