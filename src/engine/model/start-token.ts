import path from 'node:path';
import { isObject, readJson } from './json-file';

/** The fields of a `tokenizer_config.json` that are read. */
export interface TokenizerSettings {
  /** Whether a text begins with `bosToken`; null where the file does not say. */
  readonly addBosToken: boolean | null;
  readonly bosToken: string | null;
}

/** @throws HeadlightError `model-invalid` for a file that is not JSON */
export async function readTokenizerSettings(directory: string): Promise<TokenizerSettings> {
  const json = await readJson(path.join(directory, 'tokenizer_config.json'));
  const fields = isObject(json) ? json : {};
  const named = isObject(fields.bos_token) ? fields.bos_token.content : fields.bos_token;
  return {
    addBosToken: typeof fields.add_bos_token === 'boolean' ? fields.add_bos_token : null,
    bosToken: typeof named === 'string' ? named : null,
  };
}

export interface StartTokenSources {
  readonly settings: TokenizerSettings;
  /** By id. */
  readonly special: ReadonlyMap<number, string>;
  /** From config.json. */
  readonly bosTokenId: number | null;
  /** `post_processor` of a `tokenizer.json`. */
  readonly postProcessor?: unknown;
}

/**
 * The token that the model is used to find before a text. What `tokenizer_config.json` says of it counts first, as it
 * does for those who made these files; otherwise it is what the tokenizer's post-processing puts there.
 */
export function startTokenOf({ settings, special, bosTokenId, postProcessor }: StartTokenSources): number | null {
  if (settings.addBosToken === false) {
    return null;
  }
  const template = firstOfTemplate(postProcessor, special);
  if (settings.addBosToken === null || template !== null) {
    return template;
  }
  return idOf(settings.bosToken, special) ?? bosTokenId;
}

/** The special token before the text in a `TemplateProcessing`, which may be one of a sequence of steps. */
function firstOfTemplate(step: unknown, special: ReadonlyMap<number, string>): number | null {
  if (!isObject(step)) {
    return null;
  }
  if (Array.isArray(step.processors)) {
    const found = step.processors.map((one) => firstOfTemplate(one, special));
    return found.find((id) => id !== null) ?? null;
  }
  const first = step.type === 'TemplateProcessing' && Array.isArray(step.single) ? step.single[0] : null;
  const token = isObject(first) && isObject(first.SpecialToken) ? first.SpecialToken.id : null;
  if (typeof token !== 'string') {
    return null;
  }
  const listed = isObject(step.special_tokens) ? step.special_tokens[token] : null;
  const ids = isObject(listed) && Array.isArray(listed.ids) ? listed.ids : [];
  return typeof ids[0] === 'number' ? ids[0] : idOf(token, special);
}

function idOf(token: string | null, special: ReadonlyMap<number, string>): number | null {
  for (const [id, content] of special) {
    if (content === token) {
      return id;
    }
  }
  return null;
}
