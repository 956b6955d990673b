import type { JSX } from 'preact';

/** Drawn here on a 16 px grid in the manner of codicons, so that the panel loads no font. */
const SHAPES = {
  chevron: <path d="M4.5 6.5 8 10l3.5-3.5" />,
  bolt: <path d="M9 1.8 3.8 9H8l-1 5.2L12.2 7H8z" fill="currentColor" stroke="none" />,
  pin: <path d="M5.5 2.5h5M6.2 2.5v4.2L4 9.5h8L9.8 6.700V2.500M8 9.500v4.5" />,
  more: (
    <g fill="currentColor" stroke="none">
      <circle cx="3.5" cy="8" r="1.1" />
      <circle cx="8" cy="8" r="1.1" />
      <circle cx="12.5" cy="8" r="1.1" />
    </g>
  ),
  dice: (
    <>
      <rect x="2.5" y="2.5" width="11" height="11" rx="2" />
      <g fill="currentColor" stroke="none">
        <circle cx="5.5" cy="5.5" r="1" />
        <circle cx="10.5" cy="10.5" r="1" />
        <circle cx="8" cy="8" r="1" />
      </g>
    </>
  ),
  branch: (
    <>
      <circle cx="5" cy="3.5" r="1.5" />
      <circle cx="5" cy="12.5" r="1.5" />
      <circle cx="11.5" cy="5.5" r="1.5" />
      <path d="M5 5v6M11.5 7c0 2.5-6.500 1.5-6.500 4" />
    </>
  ),
  close: <path d="m4 4 8 8M12 4l-8 8" />,
  insert: <path d="M2.5 3v10M13.5 8h-8M8.5 5 5.5 8l3 3" />,
  arrow: <path d="M3 8h10M9.500 4.500 13 8l-3.500 3.5" />,
  back: <path d="M9.500 4.500 6 8l3.500 3.5" />,
  forward: <path d="M6.500 4.500 10 8l-3.500 3.5" />,
  plus: <path d="M8 3.500v9M3.5 8h9" />,
  minus: <path d="M3.5 8h9" />,
  fit: <path d="M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3" />,
  warning: <path d="M8 2.5 14.2 13H1.800zM8 6.500v3M8 11.200v.1" />,
  info: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="M8 7.300v3.700M8 5.100v.1" />
    </>
  ),
  save: <path d="M8 2.500v7.300M5 7l3 3 3-3M3 13.300h10" />,
  beam: (
    <path d="M6 4.200C3.6 4.2 2 5.9 2 8s1.6 3.8 4 3.800c1 0 1.3-1.5 1.3-3.800S7 4.2 6 4.200zM10 5l4-.8M10 8h4M10 11l4 .8" />
  ),
} satisfies Record<string, JSX.Element>;

/** The names of the icons there are. */
export type IconName = keyof typeof SHAPES;

/** An icon in the colour of the text around it. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.2"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {SHAPES[name]}
    </svg>
  );
}
