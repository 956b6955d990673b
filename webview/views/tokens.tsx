import type { Passage } from '../../src/protocol/panel';
import type { Trace } from '../../src/protocol/trace';
import { barPicture } from '../export/pictures';
import type { Picture } from '../export/surface';
import { tokensTable } from '../export/tables';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { cssColour, RANK_CLASS_LABELS, rankTints, SURPRISAL_TOP, stopsOf } from '../render/colour-map';
import { formatBits } from '../render/number-format';
import type { Palette } from '../render/theme';
import { shortLabel, tokenLabel } from '../render/visible-text';
import { type ColourMode, pinnedToken, shownHead } from '../state';
import { Segmented } from '../ui/segmented';
import { Section } from './section';
import { TokenPassage } from './token-passage';
import { TokenProfile } from './token-profile';
import { TokenReadout } from './token-readout';

/** The passage with its splits, coloured by what the model made of it. */
export function Tokens({ passage, trace }: { passage: Passage; trace: Trace }) {
  const { store } = usePanel();
  const palette = usePalette();
  const colour = useSelected((state) => state.view.colour);
  const modes: { value: ColourMode; label: string; title: string }[] = [
    { value: 'splits', label: 'Splits', title: 'Alternating tints at token edges' },
    { value: 'surprisal', label: 'Surprisal', title: '−log₂ of the probability given all before' },
    { value: 'rank', label: 'Rank', title: 'Place among all tokens of the vocabulary given all before' },
    { value: 'attention', label: 'Attention', title: 'What the pinned token reads from in the shown head' },
  ];
  const offered = trace.attention.available ? modes : modes.filter((mode) => mode.value !== 'attention');
  const shown = offered.some((mode) => mode.value === colour) ? colour : 'surprisal';
  return (
    <Section
      name="tokens"
      title="Tokens"
      files={{
        settings: {},
        tables: { table: () => tokensTable(trace) },
        pictures: { surprisal: () => surprisalPicture(trace, palette) },
      }}
      tools={
        <>
          <ColourLegend colour={shown} />
          <Segmented
            label="Colour tokens by"
            options={offered}
            value={shown}
            onChange={(next) => store.updateView({ colour: next })}
          />
        </>
      }
    >
      <div class="tokens">
        <TokenPassage passage={passage} trace={trace} colour={shown} />
        <TokenProfile trace={trace} colour={shown} />
        <TokenReadout trace={trace} />
      </div>
    </Section>
  );
}

function surprisalPicture({ tokens }: Trace, palette: Palette): Picture {
  const bars = tokens.map((token) => ({
    label: `${token.index} ${shortLabel(tokenLabel(token), 20)}`,
    value: token.surprisal ?? 0,
    text: token.surprisal === null ? '–' : `${formatBits(token.surprisal)} bits`,
  }));
  const fill = (bits: number) => cssColour('surprisal', palette.kind, bits / SURPRISAL_TOP);
  return barPicture({ title: 'Surprisal of each token, in bits', bars, fill }, palette);
}

function ColourLegend({ colour }: { colour: ColourMode }) {
  const palette = usePalette();
  const head = useSelected(shownHead);
  const pinned = useSelected(pinnedToken);
  switch (colour) {
    case 'splits':
      return <span class="legend">alternating tints mark token edges</span>;
    case 'surprisal':
      return (
        <span class="legend">
          0 <Swatches colours={stopsOf('surprisal', palette.kind)} /> {SURPRISAL_TOP}+ bits
        </span>
      );
    case 'rank':
      return (
        <span class="legend">
          rank
          {rankTints(palette.kind).map((tint, at) => (
            <span class="legend-key" key={tint}>
              <Swatches colours={[tint]} /> {RANK_CLASS_LABELS[at]}
            </span>
          ))}
        </span>
      );
    case 'attention':
      return (
        <span class="legend">
          0 <Swatches colours={stopsOf('probability', palette.kind)} /> 1
          <span>
            from #{pinned}
            {head !== null && `, L${head.layer}·H${head.head}`}, √ scale
          </span>
        </span>
      );
  }
}

function Swatches({ colours }: { colours: readonly string[] }) {
  return (
    <span class="swatches">
      {colours.map((colour) => (
        <i key={colour} style={{ backgroundColor: colour }} />
      ))}
    </span>
  );
}
