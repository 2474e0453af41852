/** The same look as a program sees it: the raw answer, and the command that asks for it. */

import { activeSessionPath, type Keys, type Look } from '../api';
import { CopyButton } from '../parts/copy-button';

interface Props {
  keys: Keys;
  meetingId: string;
  look: Look | null;
}

export function Answer({ keys, meetingId, look }: Props) {
  const address = location.origin + activeSessionPath(keys, meetingId);
  // The token is copied but not shown: calls are watched over shoulders and shared screens.
  const command = (token: string): string => `curl -H 'Authorization: Bearer ${token}' \\\n  ${address}`;
  return (
    <div class="answer">
      <details>
        <summary>
          Answer as JSON {look && <span class={`status s${Math.floor(look.status / 100)}`}>{look.status}</span>}
        </summary>
        <pre class="code" tabIndex={0}>
          <code>{look ? JSON.stringify(look.raw, null, 2) : 'No answer yet'}</code>
        </pre>
      </details>
      <details>
        <summary>Ask from a terminal</summary>
        <pre class="code" tabIndex={0}>
          <code>{command('••••••')}</code>
        </pre>
        <CopyButton class="button small" label="Copy with token" text={command(keys.token)} />
      </details>
    </div>
  );
}
