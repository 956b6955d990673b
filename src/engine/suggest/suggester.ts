import { HeadlightError } from '../../protocol/errors';
import { refuseTooLong } from '../../protocol/limits';
import type {
  SuggestedToken,
  Suggestion,
  SuggestionEnd,
  SuggestParams,
  SuggestResult,
} from '../../protocol/suggestion';
import { type Cancellation, pauseUnlessCancelled } from '../inspect/cancellation';
import { TokenPrefixes } from '../model/token-prefixes';
import type { Tokenizer } from '../model/tokenizer';
import { Generator } from '../sampling/generator';
import { type CaretText, readCaret } from './caret';
import { type Choice, type Chooser, chooseFirst, chooseNext, type Opening, openingsOf } from './choices';
import { endOf, loopStart } from './ends';
import { Lookahead } from './lookahead';
import type { RememberingModel, Turn } from './remembering-model';
import { windowStart } from './window';
import { WrittenText } from './written-text';

/** A token and what else could have stood in its place, itself first, most probable first behind. */
type Place = readonly Choice[];

/** A suggestion while it is written. */
interface Draft {
  readonly places: Place[];
  readonly written: WrittenText;
  /** What each place's token adds to the text. */
  readonly pieces: string[];
}

interface Request {
  readonly params: SuggestParams;
  readonly chooser: Chooser;
  readonly turn: Turn;
  readonly cancellation: Cancellation;
}

/** Runners-up that are told, and the token itself. */
const CHOICES = 3;
/** Branches that are tried for each suggestion that is wanted: some end at once, or say the same. */
const TRIES = 4;

/** Writes on where a text ends, with what it has read before at hand. */
export class Suggester {
  private readonly prefixes: TokenPrefixes;
  private readonly lookahead: Lookahead;
  private newest: object | null = null;
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly model: RememberingModel,
    private readonly contextLength: number,
  ) {
    this.prefixes = new TokenPrefixes(tokenizer);
    this.lookahead = new Lookahead(model, contextLength);
  }

  /**
   * What may follow a text. A newer request ends the one under way between two tokens.
   *
   * @param turn lets each step wait for other work with the model
   * @throws HeadlightError `cancelled`, `argument-invalid`, `text-too-long`
   */
  suggest(params: SuggestParams, cancellation?: Cancellation, turn: Turn = (work) => work()): Promise<SuggestResult> {
    checkParams(params);
    const mine = {};
    this.newest = mine;
    const isOvertaken = () => this.newest !== mine;
    const generator = new Generator(params.seed);
    const request = {
      params,
      chooser: { sampler: params.sampler, draw: () => generator.next() },
      turn,
      cancellation: {
        get isCancellationRequested() {
          return isOvertaken() || (cancellation?.isCancellationRequested ?? false);
        },
      },
    };
    const result = this.running.then(() => this.write(request));
    this.running = result.catch(() => undefined);
    return result;
  }

  private async write(request: Request): Promise<SuggestResult> {
    const { params, cancellation } = request;
    const { model } = this;
    await pauseUnlessCancelled(cancellation);
    const started = performance.now();
    const readBefore = model.readTokens;
    model.tree.resize(params.cacheBytes);
    const { startToken } = this.tokenizer;
    const room = this.contextLength - params.maxTokens - (startToken === null ? 0 : 1);
    const size = Math.max(1, Math.min(params.windowTokens, room));
    const caret = readCaret(
      params.text,
      this.tokenizer,
      this.prefixes,
      (ids) => windowStart(ids.length, size, (start) => model.tree.depthFrom(ids, start, startToken)),
      params.readsSpecial,
    );
    const promptTokens = caret.ids.length;
    if (promptTokens === 0) {
      return { suggestions: [], promptTokens, readTokens: 0, firstTokenMs: 0 };
    }
    const openings = await this.openings(caret, request);
    const first = chooseFirst(openings, this.prefixes, CHOICES + params.count, request.chooser);
    const firstTokenMs = performance.now() - started;
    const readTokens = model.readTokens - readBefore;
    const suggestions = await this.suggestions(first, request);
    return { suggestions, promptTokens, readTokens, firstTokenMs };
  }

  private async openings({ ids, open, withoutLast }: CaretText, request: Request): Promise<readonly Opening[]> {
    const { turn, cancellation } = request;
    const { predictions } = await this.model.predict(ids, ids.length - open - 1, turn, cancellation);
    const openings = openingsOf(ids, open, predictions, this.tokenizer);
    if (withoutLast === null) {
      return openings;
    }
    const shared = openings.findLast(({ before }) => startsWith(withoutLast, before))!;
    const from = shared.before.length;
    const further = await this.model.predict(withoutLast, from - 1, turn, cancellation);
    const last = openingsOf(withoutLast, withoutLast.length - from, further.predictions, this.tokenizer).at(-1)!;
    const typed = new TextEncoder().encode(request.params.text.at(-1));
    return [...openings, { ...last, typed, logWeight: shared.logWeight + last.logWeight }];
  }

  /** The model's own first, then what its most probable branches become. */
  private async suggestions(first: Place, request: Request): Promise<readonly Suggestion[]> {
    const { count, atLeast, confidenceFloor } = request.params;
    if (!this.prefixes.isText(first[0].id) || (atLeast === 0 && first[0].confidence < confidenceFloor)) {
      return [];
    }
    const suggestions: Suggestion[] = [];
    const drafts: Draft[] = [];
    const tried = new Set<string>();
    for (let tries = 0; tries < TRIES * count && suggestions.length < count; tries++) {
      const places: Place[] | null = drafts.length === 0 ? [first] : mostProbableBranch(drafts, tried, this.prefixes);
      if (places === null) {
        break;
      }
      tried.add(keyOf(places.at(-1)![0]));
      const draft: Draft = { places: [], written: new WrittenText(), pieces: [] };
      const ended = await this.complete(draft, places, request);
      drafts.push(draft);
      const { before, id } = draft.places.at(-1)?.[0] ?? first[0];
      this.lookahead.remember([...before, id]);
      const suggestion = this.finish(draft, ended);
      if (suggestion === null && drafts.length === 1) {
        // Where the model itself would write nothing, what it might have written instead is no suggestion.
        break;
      }
      if (suggestion !== null && suggestions.every(({ text }) => text !== suggestion.text)) {
        suggestions.push(suggestion);
      }
    }
    return suggestions;
  }

  /** Writes the given places, then on from there. */
  private async complete(
    draft: Draft,
    given: readonly Place[],
    { params, chooser, turn, cancellation }: Request,
  ): Promise<Ended> {
    const { text, extent, maxTokens, confidenceFloor, atLeast } = params;
    const lineBefore = text.slice(Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1);
    const { places, written } = draft;
    for (let index = 0; ; index++) {
      await pauseUnlessCancelled(cancellation);
      let place = given.at(index) ?? null;
      if (place === null) {
        const newest = places.at(-1)![0];
        const ids = [...newest.before, newest.id];
        if (places.length >= maxTokens || ids.length >= this.contextLength) {
          return { end: 'length', length: written.text.length };
        }
        const prediction = await this.lookahead.behind(ids, turn, cancellation);
        place = chooseNext(ids, prediction, CHOICES, chooser);
        if (!this.prefixes.isText(place[0].id)) {
          return { end: 'end-token', length: written.text.length };
        }
        if (place[0].confidence < confidenceFloor && places.length >= atLeast) {
          return { end: 'confidence', length: written.text.length };
        }
      }
      const added = written.add(this.bytesBehindCaret(place[0]));
      if (added === null) {
        return { end: 'bytes', length: written.text.length };
      }
      places.push(place);
      draft.pieces.push(added);
      const end = endOf(written.text, extent, lineBefore);
      if (end !== null) {
        return { end: extent, length: end };
      }
      const round = loopStart(places.map(([{ id }]) => id));
      if (round !== null) {
        return { end: 'loop', length: draft.pieces.slice(0, round).join('').length };
      }
    }
  }

  /** Null where nothing is left to show. */
  private finish({ places, written, pieces }: Draft, { end, length }: Ended): Suggestion | null {
    // A line end at the end would only push away what follows the caret.
    const text = written.text.slice(0, length).replace(/\s*[\r\n]\s*$/, '');
    if (text.trim() === '') {
      return null;
    }
    const tokens: SuggestedToken[] = [];
    let from = 0;
    for (const [index, place] of places.entries()) {
      const shown = text.slice(from, from + pieces[index].length);
      from += pieces[index].length;
      tokens.push(this.describe(place, shown));
      if (from >= text.length) {
        break;
      }
    }
    const probability = tokens.reduce((product, { confidence }) => product * confidence, 1);
    return { text, probability, tokens, ended: end };
  }

  private describe([choice, ...others]: Place, text: string): SuggestedToken {
    const { id, typedBytes, probability, confidence } = choice;
    const typed = new TextDecoder().decode(this.tokenizer.bytesOf(id).subarray(0, typedBytes));
    const runnersUp = others.slice(0, CHOICES - 1).map((other) => ({
      id: other.id,
      text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.bytesBehindCaret(other)),
      probability: other.probability,
    }));
    return { id, text, typed, probability, confidence, runnersUp };
  }

  private bytesBehindCaret({ id, typedBytes }: Choice): Uint8Array {
    return this.tokenizer.bytesOf(id).subarray(typedBytes);
  }
}

/** Why a draft ends, and how much of its text is kept. */
interface Ended {
  readonly end: SuggestionEnd;
  readonly length: number;
}

/** The most probable of all texts that part from a draft at a token that was not taken; null where none is left. */
function mostProbableBranch(
  drafts: readonly Draft[],
  tried: ReadonlySet<string>,
  prefixes: TokenPrefixes,
): Place[] | null {
  let best: Place[] | null = null;
  let highest = 0;
  for (const { places } of drafts) {
    let before = 1;
    for (const [index, place] of places.entries()) {
      for (const choice of place.slice(1)) {
        const probability = before * choice.confidence;
        if (probability > highest && prefixes.isText(choice.id) && !tried.has(keyOf(choice))) {
          highest = probability;
          best = [...places.slice(0, index), [choice, ...place.filter((other) => other !== choice)]];
        }
      }
      before *= place[0].confidence;
    }
  }
  return best;
}

function keyOf({ before, id }: Choice): string {
  return `${before.length}:${before.slice(-64)}:${id}`;
}

function startsWith(ids: readonly number[], beginning: readonly number[]): boolean {
  return beginning.length <= ids.length && beginning.every((id, index) => ids[index] === id);
}

function checkParams({ text, count, maxTokens, windowTokens, atLeast }: SuggestParams): void {
  refuseTooLong(text.length);
  const counts = { count, maxTokens, windowTokens };
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1) {
      throw new HeadlightError('argument-invalid', `${name} is ${value}, but must be a whole number from 1.`);
    }
  }
  if (!Number.isInteger(atLeast) || atLeast < 0) {
    throw new HeadlightError('argument-invalid', `atLeast is ${atLeast}, but must be a whole number from 0.`);
  }
}
