/** The call: a head, what must not be missed, and the official kit below. The live panel is laid over the kit. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Call } from '../call/enter';
import { inviteLink } from '../invite';
import { LivePanel } from '../live/panel';
import { CopyButton } from '../parts/copy-button';
import { Wordmark } from '../parts/logo';
import { config, meeting, stopWaiting } from '../place';
import { AtTheDoor, SilentDevices } from './notices';
import { Recordings } from './recordings';

/** From here up the live panel and the panels of the kit have room beside each other. */
const ROOMY = '(min-width: 900px)';

export function CallScreen({ call }: { call: Call }) {
  const [open, setOpen] = useState(false);
  const toggle = useRef<HTMLButtonElement>(null);
  const now = call.now.value;
  const keys = config.value?.keys;
  const watched = meeting.value;
  const title = watched?.title || call.title;
  const shows = Boolean(keys && watched && now.joined);

  useEffect(() => {
    document.title = `${title || 'In a meeting'} · Salon`;
  }, [title]);

  // At another size it would cover other things. Where there is little room, whoever turns to something else is done
  // with it.
  useEffect(() => {
    if (!open) return;
    const close = (): void => setOpen(false);
    const turnsAway = (event: Event): void => {
      const path = event.composedPath();
      const stays = path.some((target) => target === toggle.current || (target as Element).id === 'live');
      if (!stays && !matchMedia(ROOMY).matches) close();
    };
    window.addEventListener('resize', close);
    document.addEventListener('pointerdown', turnsAway, true);
    return () => {
      window.removeEventListener('resize', close);
      document.removeEventListener('pointerdown', turnsAway, true);
    };
  }, [open]);

  return (
    <div class="call">
      <div class="call-head">
        <Wordmark />
        <h1 class="call-title">{title}</h1>
        {shows && (
          <button
            ref={toggle}
            type="button"
            class="button small"
            aria-expanded={open}
            aria-controls="live"
            onClick={() => setOpen(!open)}
          >
            Details
          </button>
        )}
        <div class="call-actions">
          {now.waitsToBeLetIn && (
            <button type="button" class="button small" onClick={stopWaiting}>
              Leave
            </button>
          )}
          {keys && watched && (
            <CopyButton
              class="button small primary"
              label="Copy invite"
              text={inviteLink(location.origin, watched.id, now.audience ? 'viewer' : 'member')}
            />
          )}
        </div>
      </div>
      <div class="call-notices">
        <AtTheDoor waiting={now.waiting} admit={call.admit} deny={call.deny} />
        <SilentDevices silent={now.silent} />
        <Recordings />
      </div>
      <div class="call-kit">
        <KitHolder element={call.element} />
        {shows && open && keys && watched && (
          <LivePanel key={watched.id} keys={keys} meeting={watched} onClose={() => setOpen(false)} />
        )}
      </div>
    </div>
  );
}

/** The kit's element is made and owned outside; this only gives it a place. */
function KitHolder({ element }: { element: HTMLElement }) {
  const holder = useRef<HTMLElement>(null);
  useEffect(() => {
    holder.current?.replaceChildren(element);
  }, [element]);
  return <main class="kit-holder" ref={holder} aria-label="Meeting" />;
}
