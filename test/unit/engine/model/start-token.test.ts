import assert from 'node:assert/strict';
import { startTokenOf, type TokenizerSettings } from '../../../../src/engine/model/start-token';

const SPECIAL = new Map([
  [1, '<s>'],
  [2, '</s>'],
]);
const SILENT: TokenizerSettings = { addBosToken: null, bosToken: '<s>' };
const TEMPLATE = {
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
};

describe('token before a text', () => {
  const startToken = (settings: TokenizerSettings, postProcessor?: unknown, bosTokenId: number | null = null) =>
    startTokenOf({ settings, special: SPECIAL, bosTokenId, postProcessor });

  it('is the one that the post-processing puts there, by itself or as a step of several', () => {
    assert.equal(startToken(SILENT, TEMPLATE), 1);
    assert.equal(startToken(SILENT, { type: 'Sequence', processors: [{ type: 'ByteLevel' }, TEMPLATE] }), 1);
    assert.equal(startToken(SILENT, { ...TEMPLATE, special_tokens: {} }), 1);
  });

  it('is none where only the end is marked, or nothing is said', () => {
    const atEnd = { ...TEMPLATE, single: [...TEMPLATE.single].reverse() };
    assert.equal(startToken(SILENT, atEnd), null);
    assert.equal(startToken(SILENT, { type: 'ByteLevel' }, 1), null);
    assert.equal(startToken(SILENT, null, 1), null);
  });

  it('follows add_bos_token, with the name there or the id of config.json', () => {
    assert.equal(startToken({ addBosToken: false, bosToken: '<s>' }, TEMPLATE, 1), null);
    assert.equal(startToken({ addBosToken: true, bosToken: '</s>' }), 2);
    assert.equal(startToken({ addBosToken: true, bosToken: null }, undefined, 7), 7);
    assert.equal(startToken({ addBosToken: true, bosToken: null }), null);
  });
});
