/** What a look at a meeting means to a person. Pure: told the time, returns words. */

import type { ActiveSession } from '../api';
import type { Watched } from './watch';

export type Mood = 'looking' | 'trouble' | 'empty' | 'live' | 'waiting';

export const MOOD_WORDS: Record<Mood, string> = {
  looking: 'Looking',
  trouble: 'No news',
  empty: 'No session',
  live: 'Live',
  waiting: 'Nobody in',
};

export function moodOf({ look, trouble }: Watched): Mood {
  if (trouble) return 'trouble';
  if (!look) return 'looking';
  if (!look.session) return 'empty';
  return look.session.live > 0 ? 'live' : 'waiting';
}

/** One short line for the drawer's handle and the cards. */
export function summary(watched: Watched): string {
  const session = watched.look?.session;
  switch (moodOf(watched)) {
    case 'looking':
      return 'Looking at the meeting';
    case 'trouble':
      return 'No news from the server';
    case 'empty':
      return 'Nobody is in yet';
    case 'waiting':
      return 'Nobody is in right now';
    case 'live':
      return session ? `${people(session.live)} in the meeting` : '';
  }
}

export function people(count: number): string {
  return count === 1 ? '1 person' : `${count} people`;
}

/** How long an empty session still stays open, if that is known. The server bumps `updatedAt` when the last person leaves. */
export function staysOpenWords(now: number, session: ActiveSession, keepAliveSecs: number | null): string {
  if (keepAliveSecs === null) return 'for a while';
  const left = keepAliveSecs - (now - session.updatedAt.getTime()) / 1000;
  return `for ${Math.round(Math.min(Math.max(left, 0), keepAliveSecs))} s`;
}

export function sinceWords(now: number, then: Date): string {
  const secs = Math.max(0, Math.floor((now - then.getTime()) / 1000));
  const minutes = Math.floor(secs / 60);
  const hours = Math.floor(minutes / 60);
  if (hours > 0) return `${hours} h ${minutes % 60} min ago`;
  return minutes > 0 ? `${minutes} min ${secs % 60} s ago` : `${secs} s ago`;
}

/** Participant-minutes come as a fraction; two digits make the growth visible each second. */
export function minutesWords(minutes: number): string {
  return minutes.toFixed(2);
}
