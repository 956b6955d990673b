import assert from 'node:assert/strict';
import { attentionLayout, gridWidth } from '../../../../webview/render/attention-layout';

describe('attention layout', () => {
  it('goes from three columns to one', () => {
    const arrangements = [1600, 900, 899, 680, 679, 540, 539, 320].map(
      (width) => attentionLayout(width, 900, 8, 6, 43).arrangement,
    );
    assert.deepEqual(arrangements, ['wide', 'wide', 'medium', 'medium', 'small', 'small', 'narrow', 'narrow']);
  });

  it('leaves a matrix beside the grid at every width and for every model', () => {
    for (const [layers, heads] of [
      [6, 8],
      [12, 12],
      [24, 16],
      [48, 25],
    ]) {
      for (let width = 320; width <= 1600; width += 20) {
        const { arrangement, pitch, matrixWidth } = attentionLayout(width, 900, heads, layers, 512);
        assert.ok(pitch >= 9, `pitch ${pitch} at ${width}`);
        assert.ok(matrixWidth >= 200, `${matrixWidth} px for the matrix of ${heads} heads at ${width}`);
        if (arrangement === 'wide' || arrangement === 'medium') {
          assert.ok(gridWidth(pitch, heads) + matrixWidth < width);
        }
      }
    }
  });
});
