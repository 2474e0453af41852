/**
 * Links: what the address bar says, and what an invite looks like. Pure.
 * `/?meeting=<id>` invites anybody this page may add, with `&as=viewer` to a webinar's audience;
 * `/#token=<token>` carries one person's own way in.
 */

/** What somebody who is invited comes as. */
export type Seat = 'member' | 'viewer';

export type Destination =
  | { kind: 'nowhere' }
  | { kind: 'meeting'; meetingId: string; seat: Seat }
  | { kind: 'token'; token: string };

export function destination(url: URL): Destination {
  const token = new URLSearchParams(url.hash.slice(1)).get('token');
  if (token) return { kind: 'token', token };
  const meetingId = url.searchParams.get('meeting')?.trim();
  if (!meetingId) return { kind: 'nowhere' };
  return { kind: 'meeting', meetingId, seat: url.searchParams.get('as') === 'viewer' ? 'viewer' : 'member' };
}

export function inviteLink(origin: string, meetingId: string, seat: Seat = 'member'): string {
  return `${origin}/?meeting=${encodeURIComponent(meetingId)}${seat === 'viewer' ? '&as=viewer' : ''}`;
}

/** People paste a whole link or only the id; both lead to the same place. */
export function destinationFromText(text: string): Destination {
  const trimmed = text.trim();
  if (/^https?:\/\//i.test(trimmed) && URL.canParse(trimmed)) return destination(new URL(trimmed));
  if (trimmed.startsWith('eyJ')) return { kind: 'token', token: trimmed };
  return trimmed && !/[\s/]/.test(trimmed)
    ? { kind: 'meeting', meetingId: trimmed, seat: 'member' }
    : { kind: 'nowhere' };
}

/** The meeting a participant token is for; null when it is no such token. Nothing is verified here: the server does that. */
export function meetingOfToken(token: string): string | null {
  try {
    const claims: unknown = JSON.parse(atob(token.split('.')[1] ?? ''));
    const id = (claims as { meetingId?: unknown } | null)?.meetingId;
    return typeof id === 'string' ? id : null;
  } catch {
    return null;
  }
}
