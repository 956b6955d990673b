import assert from 'node:assert/strict';
import packageJson from '../../../../package.json';
import { INSPECT_KEYS, keyCaps } from '../../../../webview/render/key-caps';

describe('key caps', () => {
  it('say the keybinding that the package contributes', () => {
    const binding = packageJson.contributes.keybindings.find(({ command }) => command === 'headlight.inspectSelection');
    assert.equal(binding?.key, INSPECT_KEYS);
  });

  it('are written as the platform writes them', () => {
    assert.deepEqual(keyCaps('ctrl+alt+h', false), ['Ctrl', 'Alt', 'H']);
    assert.deepEqual(keyCaps('ctrl+alt+h', true), ['⌃', '⌥', 'H']);
  });
});
