import type { Token } from '../../src/protocol/tokens';
import { isWholeText, tokenLabel, type VisibleRun, visibleRuns } from '../render/visible-text';

/** Text with faint signs for what has no shape. */
export function Visible({ runs }: { runs: readonly VisibleRun[] }) {
  return (
    <>
      {runs.map((run, at) =>
        run.sign ? (
          <span key={at} class="sign">
            {run.text}
          </span>
        ) : (
          run.text
        ),
      )}
    </>
  );
}

/** A token by its own text, or by its bytes where they are no text. */
export function TokenText({ token }: { token: Pick<Token, 'text' | 'bytes'> }) {
  return (
    <span class="mono">{isWholeText(token) ? <Visible runs={visibleRuns(token.text)} /> : tokenLabel(token)}</span>
  );
}

/** A token as a small tag. */
export function TokenTag({ token }: { token: Pick<Token, 'text' | 'bytes'> }) {
  return (
    <span class="token-tag">
      <TokenText token={token} />
    </span>
  );
}
