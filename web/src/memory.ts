/**
 * What the browser remembers between visits: the person's name, which meetings they started, and per tab the
 * token they hold. Storage may be full or forbidden; then the page simply forgets.
 */

/** Enough for a person's recent meetings; more would only grow the browser's storage. */
const MOST_HOSTED = 50;

export function rememberedName(): string {
  return read(() => localStorage, 'salon.name') ?? '';
}

export function rememberName(name: string): void {
  write(() => localStorage, 'salon.name', name);
}

/** The one who started a meeting comes back to it as its host. */
export function hosts(meetingId: string): boolean {
  return hosted().includes(meetingId);
}

export function rememberHosting(meetingId: string): void {
  const ids = [meetingId, ...hosted().filter((id) => id !== meetingId)].slice(0, MOST_HOSTED);
  write(() => localStorage, 'salon.hosted', JSON.stringify(ids));
}

/** Kept per tab, so that a reload is the same participant and a second tab is another one. */
export function rememberedToken(meetingId: string): string | null {
  return read(() => sessionStorage, `salon.token.${meetingId}`);
}

export function rememberToken(meetingId: string, token: string | null): void {
  write(() => sessionStorage, `salon.token.${meetingId}`, token);
}

/** The token of a link that was opened in this tab. It is taken out of the address, so a reload finds it here. */
export function rememberedLink(meetingId: string): string | null {
  return read(() => sessionStorage, `salon.link.${meetingId}`);
}

export function rememberLink(meetingId: string, token: string | null): void {
  write(() => sessionStorage, `salon.link.${meetingId}`, token);
}

function hosted(): string[] {
  try {
    const ids: unknown = JSON.parse(read(() => localStorage, 'salon.hosted') ?? '[]');
    return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [];
  } catch {
    return [];
  }
}

/** Takes the storage as a function: where it is forbidden, naming it already throws. */
function read(storage: () => Storage, key: string): string | null {
  try {
    return storage().getItem(key);
  } catch {
    return null;
  }
}

function write(storage: () => Storage, key: string, value: string | null): void {
  try {
    if (value === null) storage().removeItem(key);
    else storage().setItem(key, value);
  } catch {
    // Forgetting is fine.
  }
}
