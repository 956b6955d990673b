import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon';
import './toolkit';

interface ButtonProps {
  readonly children: ComponentChildren;
  readonly primary?: boolean;
  readonly icon?: IconName;
  readonly title?: string;
  readonly onPress: () => void;
}

/** A push button with a caption. */
export function Button({ children, primary = false, icon, title, onPress }: ButtonProps) {
  return (
    <vscode-button
      class="button"
      appearance={primary ? 'primary' : 'secondary'}
      {...(title === undefined ? {} : { title })}
      onClick={onPress}
    >
      {icon !== undefined && (
        <span slot="start" class="button-icon">
          <Icon name={icon} />
        </span>
      )}
      {children}
    </vscode-button>
  );
}

interface IconButtonProps {
  readonly icon: IconName;
  readonly label: string;
  /** Where it differs from the label. */
  readonly title?: string;
  readonly pressed?: boolean;
  readonly disabled?: boolean;
  /** False where what it stands in has keys for the same. */
  readonly tabStop?: boolean;
  readonly onPress: () => void;
}

/** A small button that shows an icon only; `pressed` makes it a toggle. */
export function IconButton({
  icon,
  label,
  title = label,
  pressed,
  disabled = false,
  tabStop = true,
  onPress,
}: IconButtonProps) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={title}
      disabled={disabled}
      tabIndex={tabStop ? 0 : -1}
      {...(pressed === undefined ? {} : { 'aria-pressed': pressed })}
      onClick={(event) => {
        // What it stands in may be pressed, too.
        event.stopPropagation();
        onPress();
      }}
    >
      <Icon name={icon} />
    </button>
  );
}
