import { HeadlightError } from '../../protocol/errors';
import type { SamplerSettings } from '../../protocol/trace';

/** The model's own distribution, uncut. */
export const NEUTRAL_SAMPLER: SamplerSettings = { temperature: 1, topK: 0, topP: 1, minP: 0 };

/**
 * Takes settings that make sense and no others.
 *
 * @throws HeadlightError `argument-invalid` with the name of the setting and what it may be
 */
export function checkSettings({ temperature, topK, topP, minP }: SamplerSettings): void {
  check('temperature', temperature, temperature >= 0 && temperature < Number.POSITIVE_INFINITY, 'a number from 0');
  check('top-k', topK, Number.isInteger(topK) && topK >= 0, 'a whole number from 0, where 0 keeps all');
  check('top-p', topP, topP > 0 && topP <= 1, 'a number above 0 and up to 1, where 1 keeps all');
  check('min-p', minP, minP >= 0 && minP <= 1, 'a number from 0 to 1, where 0 keeps all');
}

function check(name: string, value: number, holds: boolean, expected: string): void {
  if (!holds) {
    throw new HeadlightError('argument-invalid', `The sampler's ${name} is ${value}, but must be ${expected}.`);
  }
}
