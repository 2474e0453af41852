/** The numbers of a live session. Drawn anew with each look, so it reads the clock itself. */

import type { ActiveSession } from '../api';
import { CopyButton } from '../parts/copy-button';
import { minutesWords, sinceWords, staysOpenWords } from './mood';

export function Facts({ session, keepAliveSecs }: { session: ActiveSession; keepAliveSecs: number | null }) {
  const now = Date.now();
  return (
    <>
      {session.live === 0 && (
        <p class="note">
          Nobody is in. The session stays open{' '}
          <strong class="number">{staysOpenWords(now, session, keepAliveSecs)}</strong>; who joins until
          then continues it.
        </p>
      )}
      <dl class="figures">
        <div>
          <dt>In the meeting</dt>
          <dd>{session.live}</dd>
        </div>
        <div>
          <dt>Most at once</dt>
          <dd>{session.mostAtOnce}</dd>
        </div>
        <div>
          <dt>Participant minutes</dt>
          <dd>{minutesWords(session.minutes)}</dd>
        </div>
      </dl>
      <dl class="facts">
        <dt>Started</dt>
        <dd>
          <time dateTime={session.startedAt.toISOString()}>
            {session.startedAt.toLocaleTimeString()}
          </time>{' '}
          <span class="muted">{sinceWords(now, session.startedAt)}</span>
        </dd>
        <dt>Last change</dt>
        <dd>
          <time dateTime={session.updatedAt.toISOString()}>
            {session.updatedAt.toLocaleTimeString()}
          </time>
        </dd>
        <dt>Session</dt>
        <dd class="with-action">
          <code>{session.id}</code>
          <CopyButton class="button tiny" label="Copy" text={session.id} />
        </dd>
      </dl>
    </>
  );
}
