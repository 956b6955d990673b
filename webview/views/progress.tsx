import { Button } from '../ui/button';

interface ProgressProps {
  /** What the bar is of. */
  readonly label: string;
  /** How far it is, in words. */
  readonly says: string;
  readonly done: number;
  readonly of: number;
  readonly isRunning: boolean;
  /** On the button that goes on. */
  readonly goOn: string;
  readonly onGoOn: () => void;
  readonly onStop: () => void;
}

/** Work that goes piece by piece: how far it is, and a button that stops it or goes on. */
export function Progress({ label, says, done, of, isRunning, goOn, onGoOn, onStop }: ProgressProps) {
  return (
    <div class="progress" data-done={done}>
      <Button primary onPress={isRunning ? onStop : onGoOn}>
        {isRunning ? 'Stop' : goOn}
      </Button>
      <span
        class="progress-bar"
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={of}
        aria-valuenow={done}
      >
        <i style={{ width: `${(done / of) * 100}%` }} />
      </span>
      <span>{says}</span>
    </div>
  );
}
