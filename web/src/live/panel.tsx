/**
 * "What is happening in this meeting right now": the live `active-session` answer beside the call, for people and,
 * below, as the API gives it. On a phone it is a drawer whose handle shows the summary.
 */

import type { Keys, Meeting } from '../api';
import { Answer } from './answer';
import { Facts } from './facts';
import { MOOD_WORDS, moodOf, summary } from './mood';
import { useWatch } from './use-watch';

interface Props {
  keys: Keys;
  meeting: Meeting;
  open: boolean;
  onToggle(): void;
}

export function LivePanel({ keys, meeting, open, onToggle }: Props) {
  const watched = useWatch(keys, meeting.id);
  const mood = moodOf(watched);
  return (
    <aside class={`panel ${open ? 'open' : ''}`} aria-label="Live session">
      <button
        type="button"
        class="live-handle"
        aria-expanded={open}
        aria-controls="live-body"
        onClick={onToggle}
      >
        <span class={`dot ${mood}`} aria-hidden="true" />
        <span class="live-handle-text">{summary(watched)}</span>
        <span class="unseen">{open ? 'Hide details' : 'Show details'}</span>
        <Chevron />
      </button>
      <div id="live-body" class="live-body" hidden={!open}>
        <div class="live-title">
          <h2>What is happening in this meeting right now</h2>
          <span class={`pill ${mood}`}>{MOOD_WORDS[mood]}</span>
        </div>
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

function Chevron() {
  return (
    <svg class="chevron" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d="m4 10 4-4 4 4" fill="none" stroke="currentColor" stroke-width="1.8" />
    </svg>
  );
}
