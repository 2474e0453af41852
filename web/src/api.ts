/**
 * The few REST calls this page makes, and what can go wrong with them.
 * The wire's names and its envelope stop here.
 * Next: `place.ts`, which decides when to call what.
 */

/** Raising this makes a dead server look slow for longer; lowering it gives up on busy ones. */
const TIMEOUT_MS = 8_000;

export type Trouble = 'unreachable' | 'unauthorized' | 'missing' | 'refused' | 'server';

export class ApiError extends Error {
  constructor(
    readonly trouble: Trouble,
    message: string,
  ) {
    super(message);
  }
}

/** What opens the REST API. Only `salon dev` hands it to a page, and only on loopback. */
export interface Keys {
  /** The path of the app that owns the meetings. */
  app: string;
  token: string;
}

export interface PageConfig {
  mode: 'dev' | 'serve';
  keys: Keys | null;
}

export interface Meeting {
  id: string;
  title: string;
  /** How long a session stays open that nobody is in; null if that is not known. */
  keepAliveSecs: number | null;
  /** Whether it lets people in. */
  open: boolean;
}

export type PresetName = 'group_call_host' | 'group_call_participant' | 'webinar_viewer';

export interface ActiveSession {
  id: string;
  live: number;
  mostAtOnce: number;
  minutes: number;
  startedAt: Date;
  updatedAt: Date;
}

/** One look at a meeting: its live session if there is one, and the answer as it came. */
export interface Look {
  status: number;
  session: ActiveSession | null;
  raw: unknown;
}

/** A recording, as far as this page tells of it. */
export interface Recording {
  id: string;
  state: 'running' | 'storing' | 'ready' | 'failed';
  seconds: number;
  bytes: number;
  /** None while it is not ready, and if the application keeps its files elsewhere. */
  files: { name: string; url: string }[];
  /** Why it failed. */
  why: string;
}

interface WireMeeting {
  id: string;
  title: string | null;
  session_keep_alive_time_in_secs?: number;
  status?: string;
}

interface WireActiveSession {
  id: string;
  live_participants: number;
  max_concurrent_participants: number;
  minutes_consumed: number;
  started_at: string;
  updated_at: string;
}

interface WireRecording {
  id: string;
  status: string;
  output_file_name: string;
  /** One file, or those of each layer by their names. */
  download_url: string | { download_urls: Record<string, { download_url: string }> }[] | null;
  audio_download_url: string | null;
  file_size: number | null;
  recording_duration?: number;
  err_message?: string | null;
}

interface Answer {
  status: number;
  body: any;
}

export async function pageConfig(): Promise<PageConfig> {
  const { body } = succeed(await ask('GET', '/page/config'));
  if (body?.mode !== 'dev' && body?.mode !== 'serve') {
    throw new ApiError('server', 'The server did not say how it runs.');
  }
  const keys = body.api_token
    ? { app: `/accounts/${body.account_id}/realtime/kit/${body.app_id}`, token: body.api_token }
    : null;
  return { mode: body.mode, keys };
}

export async function createMeeting(keys: Keys, title: string): Promise<Meeting> {
  const { body } = succeed(await ask('POST', `${keys.app}/meetings`, keys.token, { title }));
  return meetingFromWire(body.data);
}

export async function findMeeting(keys: Keys, id: string): Promise<Meeting> {
  const path = `${keys.app}/meetings/${encodeURIComponent(id)}`;
  const { body } = succeed(await ask('GET', path, keys.token));
  return meetingFromWire(body.data);
}

/** Adds a person to a meeting and returns the token that lets them in. */
export async function addParticipant(
  keys: Keys,
  meetingId: string,
  person: { name: string; preset: PresetName; customId: string },
): Promise<string> {
  const path = `${keys.app}/meetings/${encodeURIComponent(meetingId)}/participants`;
  const { body } = succeed(
    await ask('POST', path, keys.token, {
      name: person.name,
      preset_name: person.preset,
      custom_participant_id: person.customId,
    }),
  );
  return body.data.token;
}

export function activeSessionPath(keys: Keys, meetingId: string): string {
  return `${keys.app}/meetings/${encodeURIComponent(meetingId)}/active-session`;
}

/** A meeting nobody is in answers 404; that is news, not trouble. */
export async function lookAtMeeting(keys: Keys, meetingId: string): Promise<Look> {
  const answer = await ask('GET', activeSessionPath(keys, meetingId), keys.token);
  if (answer.status !== 404) succeed(answer);
  const session = answer.status === 404 ? null : sessionFromWire(answer.body.data);
  return { status: answer.status, session, raw: answer.body };
}

/** Asked with the token of somebody who may record. */
export async function findRecording(token: string, id: string): Promise<Recording> {
  const { body } = succeed(await ask('GET', `/v2/recordings/${encodeURIComponent(id)}`, token));
  return recordingFromWire(body.data);
}

async function ask(method: string, path: string, token?: string, body?: object): Promise<Answer> {
  const headers: Record<string, string> = {};
  if (token) headers['authorization'] = `Bearer ${token}`;
  if (body) headers['content-type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new ApiError('unreachable', 'The server does not answer.');
  }
  return { status: response.status, body: await response.json().catch(() => null) };
}

function succeed(answer: Answer): Answer {
  const { status, body } = answer;
  if (status >= 200 && status < 300 && body !== null) return answer;
  const said: string | undefined = body?.error?.message ?? body?.errors?.[0]?.message ?? body?.message;
  if (status === 401 || status === 403) {
    throw new ApiError('unauthorized', said ?? 'The server does not accept this token.');
  }
  if (status === 404) throw new ApiError('missing', said ?? 'The server does not know this.');
  if (status >= 400 && status < 500) {
    throw new ApiError('refused', said ?? `The server refused this (${status}).`);
  }
  throw new ApiError('server', said ?? `The server answered with an error (${status}).`);
}

function meetingFromWire(wire: WireMeeting): Meeting {
  return {
    id: wire.id,
    title: wire.title ?? '',
    keepAliveSecs: wire.session_keep_alive_time_in_secs ?? null,
    open: wire.status !== 'INACTIVE',
  };
}

function sessionFromWire(wire: WireActiveSession): ActiveSession {
  return {
    id: wire.id,
    live: wire.live_participants,
    mostAtOnce: wire.max_concurrent_participants,
    minutes: wire.minutes_consumed,
    startedAt: new Date(wire.started_at),
    updatedAt: new Date(wire.updated_at),
  };
}

function recordingFromWire(wire: WireRecording): Recording {
  const states: Record<string, Recording['state']> = { UPLOADING: 'storing', UPLOADED: 'ready', ERRORED: 'failed' };
  const { download_url: whole, audio_download_url: sound } = wire;
  const layers = Array.isArray(whole) ? whole : [];
  const files = layers.flatMap(({ download_urls }) =>
    Object.entries(download_urls).map(([name, { download_url: url }]) => ({ name, url })),
  );
  if (typeof whole === 'string') files.push({ name: wire.output_file_name, url: whole });
  if (sound) files.push({ name: 'Sound alone', url: sound });
  return {
    id: wire.id,
    state: states[wire.status] ?? 'running',
    seconds: wire.recording_duration ?? 0,
    bytes: wire.file_size ?? 0,
    files,
    why: wire.err_message ?? '',
  };
}
