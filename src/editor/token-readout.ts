import * as vscode from 'vscode';
import type { TokenReading } from '../protocol/trace';

/**
 * The hover over a tinted token.
 *
 * @param text the characters that the token covers, whole
 * @param bytes the token's own bytes, which may be a part of them
 * @param reading what the model made of the token, where that is known
 */
export function tokenReadout(
  id: number,
  text: string,
  bytes: Uint8Array,
  reading: TokenReading | undefined,
): vscode.MarkdownString {
  const characters = [...text].length;
  const facts = [
    ...(reading === undefined ? [] : [`#${reading.index}`]),
    `"${visible(text)}"`,
    `id ${id}`,
    `bytes ${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')}`,
    characters === 1 ? '1 character' : `${characters} characters`,
    ...(reading === undefined ? [] : [scores(reading)]),
  ];
  const markdown = new vscode.MarkdownString();
  markdown.appendText(facts.join('  ·  '));
  return markdown;
}

function scores({ probability, rank, surprisal }: TokenReading): string {
  return probability === null || rank === null || surprisal === null
    ? 'nothing stands before it'
    : `p ${(probability * 100).toPrecision(3)} %  ·  rank ${rank}  ·  ${surprisal.toFixed(1)} bits`;
}

function visible(text: string): string {
  return text.replaceAll(' ', '·').replaceAll('\t', '→').replaceAll('\r', '␍').replaceAll('\n', '⏎');
}
