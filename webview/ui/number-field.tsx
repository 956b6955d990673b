import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import './toolkit';

interface NumberFieldProps {
  readonly label: string;
  readonly title?: string;
  readonly value: number | null;
  readonly least: number;
  readonly most: number;
  readonly decimals: number;
  /** Called for each number that is typed, within its bounds. */
  readonly onInput: (value: number) => void;
}

type TextField = HTMLElement & { value: string; control?: HTMLInputElement };

/** A text field that holds one number. What is no number is left alone while it is typed, and undone afterwards. */
export function NumberField({ label, title, value, least, most, decimals, onInput }: NumberFieldProps) {
  const field = useRef<TextField>(null);
  const text = value === null ? '' : value.toFixed(decimals);

  useLayoutEffect(() => {
    const element = field.current;
    // While the user types, "0." must not turn into "0.00" under the caret.
    if (element !== null && (element !== document.activeElement || parse(element.value) !== value)) {
      element.value = text;
    }
  }, [text, value]);

  useEffect(() => {
    // The toolkit names every field "Text field" when it is connected.
    field.current?.setAttribute('aria-label', label);
    field.current?.control?.setAttribute('aria-label', label);
  }, [label]);

  const parse = (typed: string): number | null => {
    const number = Number(typed.trim().replace(',', '.'));
    if (typed.trim() === '' || !Number.isFinite(number)) {
      return null;
    }
    const bounded = Math.min(most, Math.max(least, number));
    return Number(bounded.toFixed(decimals));
  };
  const restore = () => {
    if (field.current !== null) {
      field.current.value = text;
    }
  };

  return (
    <vscode-text-field
      class="number-field"
      ref={field}
      {...(title === undefined ? {} : { title })}
      onInput={() => {
        const number = parse(field.current?.value ?? '');
        if (number !== null && number !== value) {
          onInput(number);
        }
      }}
      onBlur={restore}
      onKeyDown={(event: KeyboardEvent) => {
        if (event.key === 'Enter') {
          restore();
        }
      }}
    />
  );
}
