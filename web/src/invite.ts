/**
 * Links: what the address bar says, and what an invite looks like. Pure.
 * `/?meeting=<id>` invites anybody this page may add; `/#token=<token>` carries one person's own way in.
 */

export type Destination =
  | { kind: 'nowhere' }
  | { kind: 'meeting'; meetingId: string }
  | { kind: 'token'; token: string };

export function destination(url: URL): Destination {
  const token = new URLSearchParams(url.hash.slice(1)).get('token');
  if (token) return { kind: 'token', token };
  const meetingId = url.searchParams.get('meeting')?.trim();
  return meetingId ? { kind: 'meeting', meetingId } : { kind: 'nowhere' };
}

export function inviteLink(origin: string, meetingId: string): string {
  return `${origin}/?meeting=${encodeURIComponent(meetingId)}`;
}

/** People paste a whole link or only the id; both lead to the same place. */
export function destinationFromText(text: string): Destination {
  const trimmed = text.trim();
  if (/^https?:\/\//i.test(trimmed) && URL.canParse(trimmed)) return destination(new URL(trimmed));
  if (trimmed.startsWith('eyJ')) return { kind: 'token', token: trimmed };
  return trimmed && !/[\s/]/.test(trimmed)
    ? { kind: 'meeting', meetingId: trimmed }
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
