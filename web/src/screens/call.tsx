/** The call: the official kit fills the screen, the live panel stands beside it. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Call } from '../call/enter';
import { inviteLink } from '../invite';
import { LivePanel } from '../live/panel';
import { CopyButton } from '../parts/copy-button';
import { Wordmark } from '../parts/logo';
import { config, meeting } from '../place';

/** From here up the panel stands beside the call; below it is a drawer. Keep equal to `style/call.css`. */
const WIDE = '(min-width: 900px)';

export function CallScreen({ call }: { call: Call }) {
  const [open, setOpen] = useState(() => matchMedia(WIDE).matches);
  const keys = config.value?.keys;
  const watched = meeting.value;
  const title = watched?.title || call.title;

  useEffect(() => {
    document.title = `${title || 'In a meeting'} · Salon`;
  }, [title]);

  return (
    <div class="call">
      <div class="call-head">
        <Wordmark />
        <h1 class="call-title">{title}</h1>
        {keys && watched && (
          <CopyButton
            class="button small primary"
            label="Copy invite"
            text={inviteLink(location.origin, watched.id)}
          />
        )}
      </div>
      <KitHolder element={call.element} />
      {keys && watched && (
        <LivePanel key={watched.id} keys={keys} meeting={watched} open={open} onToggle={() => setOpen(!open)} />
      )}
    </div>
  );
}

/** The kit's element is made and owned outside; this only gives it a place. */
function KitHolder({ element }: { element: HTMLElement }) {
  const holder = useRef<HTMLElement>(null);
  useEffect(() => {
    holder.current?.replaceChildren(element);
  }, [element]);
  return <main class="call-kit" ref={holder} aria-label="Meeting" />;
}
