/**
 * What can keep somebody out of a meeting, and the one table from what was said about it to words for people.
 * Said by the SDK (codes), by the API (statuses) and by the server on the socket (texts). Pure.
 */

import { ApiError } from './api';
import { TokenRefused } from './token-refused';

export type Problem =
  | 'unreachable'
  | 'unknown-meeting'
  | 'inactive'
  | 'full'
  | 'not-allowed'
  | 'removed'
  | 'bad-token'
  | 'stale'
  | 'not-secure'
  | 'no-media'
  | 'old-browser'
  | 'too-often'
  | 'needs-token'
  | 'server';

export interface Words {
  title: string;
  text: string;
  /** Whether trying again can help. */
  again: boolean;
}

export const WORDS: Record<Problem, Words> = {
  unreachable: {
    title: 'The server does not answer',
    text: 'It may be starting, or your network may be down. Nothing is lost: try again in a moment.',
    again: true,
  },
  'unknown-meeting': {
    title: 'No such meeting',
    text: 'The server does not know this meeting. The link may be incomplete, or from another server.',
    again: false,
  },
  inactive: {
    title: 'This meeting is closed',
    text: 'It does not let anybody in at the moment. Whoever invited you can open it again.',
    again: true,
  },
  full: {
    title: 'This meeting is full',
    text: 'As many people are in as this server allows. Try again when somebody has left.',
    again: true,
  },
  'not-allowed': {
    title: 'You may not join this meeting',
    text: 'Your link does not allow it. Ask whoever invited you for another one.',
    again: false,
  },
  removed: {
    title: 'You were removed',
    text: 'A host removed you from this meeting. If that was a mistake, ask them before you come back.',
    again: false,
  },
  'bad-token': {
    title: 'This link no longer opens the door',
    text: 'The server does not accept its token: it may have expired, or been withdrawn. Ask for a new link.',
    again: false,
  },
  stale: {
    title: 'This page is out of date',
    text: 'A part of it could not be loaded. The server may have been updated, or be starting again.',
    again: true,
  },
  'not-secure': {
    title: 'No camera on this address',
    text: 'Browsers give camera and microphone only to pages on https or on localhost. Open Salon under such an address.',
    again: false,
  },
  'no-media': {
    title: 'Picture and sound find no way',
    text: 'The server answers, but your network lets no media through. Another network, or a VPN switched off, may help.',
    again: true,
  },
  'old-browser': {
    title: 'This browser cannot do calls',
    text: 'Use a recent Chrome, Edge, Firefox or Safari.',
    again: false,
  },
  'too-often': {
    title: 'Too many tries',
    text: 'The server asks for a pause. Try again in a minute.',
    again: true,
  },
  'needs-token': {
    title: 'This link needs a token',
    text: 'On this server a meeting id alone does not let anybody in.',
    again: false,
  },
  server: {
    title: 'The server could not do that',
    text: 'It says that something went wrong on its side. Try again in a moment; if it stays so, tell whoever runs it.',
    again: true,
  },
};

/** What the server says on the socket when it lets somebody not in. */
const REFUSALS: [RegExp, Problem][] = [
  [/inactive/, 'inactive'],
  [/limit of this session/, 'full'],
  [/too many of these/, 'too-often'],
  [/preset does not allow/, 'not-allowed'],
  [/removed from this meeting/, 'removed'],
];

/** The codes of the SDK's errors (read in web SDK 2.0.2). */
const CODES: Record<string, Problem> = {
  '0001': 'unreachable',
  '0002': 'unreachable',
  '0004': 'bad-token',
  '0010': 'old-browser',
  '0011': 'unreachable',
  '0012': 'unreachable',
  '0013': 'too-often',
  '0014': 'no-media',
};

const TROUBLES: Record<ApiError['trouble'], Problem> = {
  unreachable: 'unreachable',
  unauthorized: 'bad-token',
  missing: 'unknown-meeting',
  // An id that is none: nothing else on this page can be refused.
  refused: 'unknown-meeting',
  server: 'server',
};

/** `said` is what the server answered last on the socket, if it refused something. */
export function problemOf(error: unknown, said: string | null = null): Problem {
  if (error instanceof TokenRefused) return 'bad-token';
  if (error instanceof ApiError) return TROUBLES[error.trouble];
  const refusal = REFUSALS.find(([words]) => said && words.test(said));
  if (refusal) return refusal[1];
  // A lazy part of the page that could not be fetched; each browser has its own words for it.
  if (error instanceof TypeError && /import|module/i.test(error.message)) return 'stale';
  return CODES[(error as { code?: string } | null)?.code ?? ''] ?? 'server';
}
