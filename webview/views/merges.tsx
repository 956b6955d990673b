import { VocabulariesRequest, type WordMerges, WordMergesRequest, type WordPart } from '../../src/protocol/stages';
import type { Trace } from '../../src/protocol/trace';
import { useAnswer } from '../answers';
import { mergesTable, vocabulariesTable } from '../export/tables';
import { useSelected } from '../panel-context';
import { formatCount, formatNumber } from '../render/number-format';
import { focusedQuery } from '../state';
import { Failure } from './notices';
import { Section } from './section';
import { TokenText } from './visible';

/** How a word became tokens, and what other vocabularies make of the passage. */
export function Merges({ trace }: { trace: Trace }) {
  const open = !useSelected((state) => state.view.collapsed.includes('merges'));
  const focused = useSelected((state) => (open ? focusedQuery(state) : null));
  const token = focused ?? 0;
  const merges = useAnswer(WordMergesRequest, open ? { traceId: trace.id, token } : null);
  const others = useAnswer(VocabulariesRequest, open ? { traceId: trace.id } : null);
  return (
    <Section
      name="merges"
      title="Text to tokens"
      files={
        merges.value === null && others.value === null
          ? null
          : {
              settings: { token },
              tables: {
                ...(merges.value === null ? {} : { merges: () => mergesTable(merges.value!) }),
                ...(others.value === null ? {} : { vocabularies: () => vocabulariesTable(others.value!) }),
              },
            }
      }
      subtitle={
        <>
          the word of <span class="mono">#{token}</span> <TokenText token={trace.tokens[token]} />
        </>
      }
    >
      {/* A word that is too long to be shown is said so; the other vocabularies do not depend on it. */}
      {merges.failure !== null && <Failure error={merges.failure} />}
      {merges.value !== null && merges.failure === null && <MergeList word={merges.value} />}
      {others.failure !== null && <Failure error={others.failure} />}
      {others.value !== null && (
        <table class="stage-table vocabularies" aria-label="The passage under other vocabularies">
          <tbody>
            <tr class="stage-row stage-head">
              <th>vocabulary</th>
              <th class="number">size</th>
              <th class="number">tokens</th>
              <th class="number">bytes a token</th>
              <th class="vocabulary-text">the passage’s start</th>
            </tr>
            {others.value.rows.map((row) => (
              <tr
                key={row.name}
                class={`stage-row${row.own ? ' is-chosen' : ''}`}
                data-vocabulary={row.name}
                data-count={row.count}
              >
                <td title={row.own ? 'The model’s own' : undefined}>{row.own ? <b>{row.name}</b> : row.name}</td>
                <td class="number is-faint">{formatCount(row.vocabSize)}</td>
                <td class="number is-strong">{formatCount(row.count)}</td>
                <td class="number">{formatNumber(row.bytesPerToken)}</td>
                <td class="vocabulary-text">
                  {row.tokens.slice(0, 48).map((part, at) => (
                    <Part key={at} part={part} odd={at % 2 === 1} />
                  ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}

function MergeList({ word }: { word: WordMerges }) {
  return (
    <>
      <p class="explanation">
        The text is cut into words by a pattern. Each starts as single bytes; of all neighbours, the pair of the lowest
        rank becomes one part, again and again, until no pair is in the vocabulary ({word.encoding}). The rank of a pair
        is its id.
      </p>
      <ol class="merges" aria-label="Merges">
        {word.steps.map(({ parts, merged, rank }, step) => (
          <li key={step} data-step={step} data-parts={parts.length}>
            <span class="merge-rank">{rank === null ? 'bytes' : formatCount(rank)}</span>
            <span class="merge-parts">
              {parts.map((part, at) => (
                <Part key={at} part={part} odd={at % 2 === 1} on={at === merged} />
              ))}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}

function Part({ part, odd, on = false }: { part: WordPart; odd: boolean; on?: boolean }) {
  return (
    <span class={`merge-part${odd ? ' is-odd' : ''}${on ? ' is-on' : ''}`}>
      <TokenText token={part} />
    </span>
  );
}
