/** Asks who somebody is. The name is remembered when they go in. */

interface Props {
  name: string;
  onName(name: string): void;
  optional?: boolean;
}

/** The server's bound on participant names is higher; a tile shows no more than this anyway. */
const LONGEST_NAME = 80;

export function NameField({ name, onName, optional = false }: Props) {
  return (
    <div class="field">
      <label for="name">Your name</label>
      <input
        id="name"
        type="text"
        autoComplete="name"
        maxLength={LONGEST_NAME}
        required={!optional}
        placeholder="As others will see it"
        value={name}
        onInput={(event) => onName(event.currentTarget.value)}
      />
    </div>
  );
}
