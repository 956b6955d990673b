// Says what is going on once it takes longer than a second. On stderr, so that a command's own output stays clean.

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const QUIET_MS = 1000;
const FRAME_MS = 100;
const PLAIN_MS = 15_000;

/**
 * Runs `work` under a line that counts the seconds; a terminal sees it move, a log gets a line now and then.
 * @template T
 * @param {string} label What is being done, as `Installing the dependencies`.
 * @param {(detail: (text: string) => void) => Promise<T>} work `detail` adds a few words to the line.
 * @returns {Promise<T>}
 */
export async function showing(label, work) {
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1000);
  const moving = process.stderr.isTTY && !process.env.CI;
  let detail = '';
  let frame = 0;
  let shown = false;
  const draw = () => {
    shown = true;
    const more = detail && `, ${detail}`;
    if (moving) {
      process.stderr.write(`\r\x1b[K${FRAMES[frame++ % FRAMES.length]} ${label} … ${seconds()} s${more}`);
    } else {
      process.stderr.write(`${label} … ${seconds() > 1 ? `${seconds()} s${more}` : ''}\n`);
    }
  };
  let repeat;
  const first = setTimeout(() => {
    draw();
    repeat = setInterval(draw, moving ? FRAME_MS : PLAIN_MS);
  }, QUIET_MS);
  let outcome = 'failed';
  try {
    const result = await work((text) => {
      detail = text;
    });
    outcome = 'done';
    return result;
  } finally {
    clearTimeout(first);
    clearInterval(repeat);
    if (shown) {
      process.stderr.write(`${moving ? '\r\x1b[K' : ''}${label}: ${outcome} after ${seconds()} s\n`);
    }
  }
}
