/** The thin line that VS Code draws under a title while something is going on. It shows itself after 300 ms only. */
export function ProgressLine({ label }: { label: string }) {
  return (
    <div class="progress-line" role="progressbar" aria-label={label}>
      <span />
    </div>
  );
}
