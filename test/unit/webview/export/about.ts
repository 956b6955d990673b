import type { About } from '../../../../webview/export/about';

/** Where an exported file could come from. Its text holds what formats must not trip over. */
export const sampleAbout: About = {
  program: 'Headlight',
  content: 'attention, matrix',
  model: { name: 'tiny', architecture: 'gpt2', layers: 2, heads: 3, parameters: 1000 },
  device: 'cpu',
  passage: { fileName: 'a.ts', firstLine: 1, lastLine: 2, tokens: 3, text: '灯,=cmd();\n"<&]]>\u0000' },
  settings: { layer: 1, head: null },
};
