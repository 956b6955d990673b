import { type PanelState, traceOf } from '../state';

/** A number, a name or a choice that what is exported depends on. */
export type Setting = string | number | boolean | null;

/** What stands in every exported file beside its numbers: where they come from. */
export interface About {
  readonly program: 'Headlight';
  /** What the file holds, such as `attention, matrix`. */
  readonly content: string;
  readonly model: {
    readonly name: string;
    readonly architecture: string;
    readonly layers: number;
    readonly heads: number;
    readonly parameters: number;
  };
  readonly device: string;
  readonly passage: {
    readonly fileName: string;
    readonly firstLine: number;
    readonly lastLine: number;
    readonly tokens: number;
    readonly text: string;
  };
  readonly settings: Readonly<Record<string, Setting>>;
}

/** Null while nothing is shown. The model's folder is left out: it names its owner, and files are for others. */
export function aboutOf(state: PanelState, content: string, settings: Readonly<Record<string, Setting>>): About | null {
  const trace = traceOf(state);
  const { passage } = state;
  if (trace === null || passage === null) {
    return null;
  }
  const { name, architecture, layers, heads, parameters } = trace.model;
  const { fileName, firstLine, lastLine, text } = passage;
  return {
    program: 'Headlight',
    content,
    model: { name, architecture, layers, heads, parameters },
    device: trace.device.device,
    passage: { fileName, firstLine, lastLine, tokens: trace.tokens.length, text },
    settings,
  };
}

/** One line for people. */
export function describe({ content, model, passage, settings }: About): string {
  const place = `${passage.fileName}:${passage.firstLine}–${passage.lastLine}`;
  const chosen = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  return [`Headlight, ${content}`, model.name, place, ...chosen].join(' · ');
}
