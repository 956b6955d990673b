import { useRef } from 'preact/hooks';

/**
 * The value, or while there is none the last one: an answer stays on the screen until the next has come, so that
 * nothing jumps while the selection is followed.
 */
export function useLast<T>(value: T | null): T | null {
  const last = useRef<T | null>(null);
  if (value !== null) {
    last.current = value;
  }
  return last.current;
}
