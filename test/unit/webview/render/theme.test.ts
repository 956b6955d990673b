import assert from 'node:assert/strict';
import { themeKind } from '../../../../webview/render/theme';

describe('theme', () => {
  const kindOf = (...classes: string[]) => themeKind({ contains: (name) => classes.includes(name) });

  it('is chosen by the classes that the editor puts on the page', () => {
    assert.equal(kindOf('vscode-dark'), 'dark');
    assert.equal(kindOf('vscode-light'), 'light');
    assert.equal(kindOf('vscode-high-contrast'), 'hc-dark');
  });

  it('knows light high contrast, which carries both high-contrast classes', () => {
    assert.equal(kindOf('vscode-high-contrast-light', 'vscode-high-contrast'), 'hc-light');
  });

  it('is dark where nothing is known', () => {
    assert.equal(kindOf(), 'dark');
  });
});
