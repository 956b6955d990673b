import { provideVSCodeDesignSystem, vsCodeButton, vsCodeCheckbox, vsCodeTextField } from '@vscode/webview-ui-toolkit';
import type { HTMLAttributes } from 'preact';

/**
 * `@vscode/webview-ui-toolkit` is archived. This folder is the only one that knows it: whatever replaces it replaces
 * the components here and keeps their properties.
 */
provideVSCodeDesignSystem().register(vsCodeButton(), vsCodeCheckbox(), vsCodeTextField());

interface ToolkitAttributes extends HTMLAttributes<HTMLElement> {
  appearance?: 'primary' | 'secondary' | 'icon';
  checked?: boolean;
  value?: string;
  disabled?: boolean;
}

declare module 'preact' {
  namespace JSX {
    interface IntrinsicElements {
      'vscode-button': ToolkitAttributes;
      'vscode-checkbox': ToolkitAttributes;
      'vscode-text-field': ToolkitAttributes;
    }
  }
}
