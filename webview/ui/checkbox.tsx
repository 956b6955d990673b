import './toolkit';

interface CheckboxProps {
  readonly label: string;
  readonly title?: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}

/** A box to tick, with its caption. */
export function Checkbox({ label, title, checked, onChange }: CheckboxProps) {
  return (
    <vscode-checkbox
      class="checkbox"
      checked={checked}
      {...(title === undefined ? {} : { title })}
      // The toolkit reports its own changes of `checked` too: only a difference is the user's.
      onChange={(event) => {
        const next = (event.currentTarget as HTMLElement & { checked: boolean }).checked;
        if (next !== checked) {
          onChange(next);
        }
      }}
    >
      {label}
    </vscode-checkbox>
  );
}
