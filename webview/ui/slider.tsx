import { useLayoutEffect, useRef } from 'preact/hooks';

interface SliderProps {
  readonly label: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly step: number;
  readonly onInput: (value: number) => void;
}

/** A range input with the track filled up to its value. A value beyond the ends stands at the end. */
export function Slider({ label, value, least, most, step, onInput }: SliderProps) {
  const track = useRef<HTMLSpanElement>(null);
  const share = Math.min(1, Math.max(0, (value - least) / (most - least)));
  useLayoutEffect(() => track.current?.style.setProperty('--share', String(share)), [share]);
  return (
    <span class="slider" ref={track}>
      <input
        type="range"
        aria-label={label}
        min={least}
        max={most}
        step={step}
        value={value}
        onInput={(event) => onInput(event.currentTarget.valueAsNumber)}
      />
    </span>
  );
}
