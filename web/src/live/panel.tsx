/**
 * "What is happening in this meeting right now": the live `active-session` answer, for people and, below, as the API
 * gives it. Laid over the call where it covers none of its controls, and asked for only while it is open.
 */

import { useEffect, useRef } from 'preact/hooks';
import type { Keys, Meeting } from '../api';
import { Answer } from './answer';
import { Facts } from './facts';
import { MOOD_WORDS, moodOf, summary } from './mood';
import { useWatch } from './use-watch';

interface Props {
  keys: Keys;
  meeting: Meeting;
  onClose(): void;
}

export function LivePanel({ keys, meeting, onClose }: Props) {
  const watched = useWatch(keys, meeting.id);
  const mood = moodOf(watched);
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => close.current?.focus(), []);
  return (
    <aside
      id="live"
      class="panel"
      aria-label="Right now"
      onKeyDown={(event) => event.key === 'Escape' && onClose()}
    >
      <div class="live-title">
        <h2>Right now</h2>
        <span class={`pill ${mood}`}>{MOOD_WORDS[mood]}</span>
        <button ref={close} type="button" class="button tiny" onClick={onClose}>
          Close
        </button>
      </div>
      <div class="live-body">
        {/* Only changes of state are announced; numbers that tick every second would never stop talking. */}
        <p class="unseen" role="status">
          {summary(watched)}
        </p>
        {watched.trouble && (
          <div class="note trouble">
            <p>{watched.trouble}</p>
            <p class="muted">
              {watched.look ? 'What is below was the last answer. ' : ''}This page keeps asking.
            </p>
          </div>
        )}
        {watched.look && !watched.look.session && (
          <p class="note">
            No session yet: it starts when the first person joins, and ends some time after the last
            one left.
          </p>
        )}
        {watched.look?.session && (
          <Facts session={watched.look.session} keepAliveSecs={meeting.keepAliveSecs} />
        )}
        <Answer keys={keys} meetingId={meeting.id} look={watched.look} />
      </div>
    </aside>
  );
}
