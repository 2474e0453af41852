/** Whether anybody is in, in one line. Shows nothing where the page may not ask. */

import type { Meeting } from '../api';
import { config } from '../place';
import { staysOpenWords, moodOf, summary } from './mood';
import { useWatch } from './use-watch';

export function LiveLine({ meeting }: { meeting: Meeting }) {
  const keys = config.value?.keys;
  const watched = useWatch(keys, meeting.id);
  if (!keys) return null;
  const mood = moodOf(watched);
  const session = watched.look?.session;
  return (
    <p class="live-line">
      <span class={`dot ${mood}`} aria-hidden="true" />
      <span role="status">{summary(watched)}</span>
      {mood === 'waiting' && session && (
        <span class="live-line-more">
          session stays open {staysOpenWords(Date.now(), session, meeting.keepAliveSecs)}
        </span>
      )}
    </p>
  );
}
