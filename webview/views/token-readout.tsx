import type { TokenReading, Trace } from '../../src/protocol/trace';
import { useSelected } from '../panel-context';
import { formatBits, formatBytes, formatCount, formatPercent } from '../render/number-format';
import { isWholeText } from '../render/visible-text';
import { pinnedToken } from '../state';
import { TokenText } from './visible';

/** One line about the token under the pointer, or else the pinned one. */
export function TokenReadout({ trace }: { trace: Trace }) {
  const index = useSelected((state) => state.hovered ?? pinnedToken(state));
  const token = index === null ? undefined : trace.tokens[index];
  if (token === undefined) {
    return null;
  }
  return (
    <div class="readout" data-readout={token.index}>
      <span>
        <b>#{token.index}</b>{' '}
        <b class="quoted">
          "<TokenText token={token} />"
        </b>
      </span>
      <span>
        id <b>{token.id}</b>
      </span>
      <span class="readout-bytes">
        bytes <b class="mono">{formatBytes(token.bytes)}</b>
      </span>
      {token.special && (
        <span title="It stands for something else than text: the beginning of a message, the end of all">
          special token
        </span>
      )}
      {token.added ? (
        <span title="The model's configuration puts it there: it stands in no document">added before the text</span>
      ) : (
        <span>
          chars <b>{charactersOf(token)}</b>
        </span>
      )}
      {token.probability === null || token.rank === null || token.surprisal === null ? (
        <span>nothing before it</span>
      ) : (
        <>
          <span title="Probability of this token given all before it">
            p <b>{formatPercent(token.probability)}</b>
          </span>
          <span title="1 = the most probable token of the vocabulary">
            rank <b>{formatCount(token.rank)}</b>
          </span>
          <span title="Surprisal, −log₂ p">
            <b>{formatBits(token.surprisal)}</b> bits
          </span>
        </>
      )}
    </div>
  );
}

/** How many characters a token has; bytes of a character that is spread over several tokens are a part of one. */
function charactersOf(token: TokenReading): string {
  if (isWholeText(token)) {
    return String([...token.text].length);
  }
  const whole = [...token.text].filter((character) => character !== '\ufffd').length;
  return whole === 0 ? 'part of 1' : `${whole} + part of 1`;
}
