/**
 * Calls every method that the official TypeScript SDK has, and says how many of them are there. The SDK checks nothing at run
 * time, so what it hands over is checked here.
 *
 *     SALON_URL=http://127.0.0.1:8787 node tests/conformance/typescript/run.mjs
 *
 * Prints `N of N methods of the SDK`, naming those that Salon does not have yet, and `N passed, N failed`; exits with 1 if any
 * check failed or a method was not called.
 */

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import Cloudflare from 'cloudflare';
import { join } from './peer.mjs';

const BASE = (process.env.SALON_URL ?? 'http://127.0.0.1:8787').replace(/\/+$/, '');
const ACCOUNT = process.env.SALON_ACCOUNT ?? 'dev';
const APP = process.env.SALON_APP ?? 'dev';
const TOKEN = process.env.SALON_TOKEN ?? 'dev-token';

const here = { account_id: ACCOUNT, app_id: APP };
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

// Retries would hide an error.
const client = new Cloudflare({ apiToken: TOKEN, baseURL: `${BASE}/client/v4`, maxRetries: 0 });
const kit = client.realtimeKit;

/** Which methods the SDK has, and what came of calling them: answered, refused, missing. */
const outcomes = new Map();

for (const [name, resource] of Object.entries(kit)) {
  if (name.startsWith('_') || typeof resource !== 'object') continue;
  for (let methods = Object.getPrototypeOf(resource); methods !== Object.prototype; methods = Object.getPrototypeOf(methods)) {
    for (const method of Object.getOwnPropertyNames(methods)) {
      const call = resource[method];
      if (method === 'constructor' || typeof call !== 'function' || Object.hasOwn(resource, method)) continue;
      const seen = new Set();
      outcomes.set(`${name}.${method}`, seen);
      resource[method] = (...given) => {
        const answer = call.apply(resource, given);
        answer.then(
          () => seen.add('answered'),
          ({ status, error }) => {
            if (error?.error?.message?.includes('NOT_IMPLEMENTED')) seen.add('missing');
            else if (status !== 403) seen.add('refused');
          },
        );
        return answer;
      };
    }
  }
}

/** Says how many of them are there, and which are not; answers with how many were not called. */
function tell() {
  const of = (wanted) => [...outcomes].filter(([, seen]) => wanted(seen)).map(([name]) => name);
  const there = of((seen) => seen.has('answered'));
  const nothing = of((seen) => seen.size === 1 && seen.has('refused'));
  const missing = of((seen) => seen.has('missing') && !seen.has('answered'));
  const uncalled = of((seen) => seen.size === 0);
  console.log(`${there.length + nothing.length} of ${outcomes.size} methods of the SDK`);
  for (const [what, names] of [['nothing was there for', nothing], ['not there yet', missing], ['not called', uncalled]]) {
    if (names.length) console.log(`  ${what}: ${names.join(', ')}`);
  }
  return uncalled.length;
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Checks that a call raises an error of this class, whose body has the documented shape. */
async function refused(kind, call, holds = '') {
  let error;
  try {
    await call();
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, `${kind.name} was expected`);
  assert.equal(error.constructor.name, kind.name, String(error));
  assert.equal(error.error.success, false);
  assert.equal(error.error.error.code, error.status);
  assert.ok(error.error.error.message.includes(holds), error.error.error.message);
  assert.equal(error.errors[0].message, error.error.error.message);
  return error;
}

const meeting = async (fields = { title: 'Planning' }) => (await kit.meetings.create(APP, { account_id: ACCOUNT, ...fields })).data;

async function participant(meetingId, name = 'Ada', preset = 'group_call_participant') {
  const person = { name, preset_name: preset, custom_participant_id: `custom-${name}` };
  return (await kit.meetings.addParticipant(meetingId, { ...here, ...person })).data;
}

async function enter(meetingId, name = 'Ada') {
  const person = await participant(meetingId, name);
  return { person, peer: await join(BASE, meetingId, person.token) };
}

const active = async (meetingId) => (await kit.activeSession.getActiveSession(meetingId, here)).data;

const presetBody = ({ config, permissions, ui }) => ({ config, permissions, ui });

const anHour = 3_600_000;
const around = () => ({
  start_time: new Date(Date.now() - anHour).toISOString(),
  end_time: new Date(Date.now() + anHour).toISOString(),
});

const checks = {
  async 'meetings are made, found and changed'() {
    const title = `Planning ${randomUUID()}`;
    const made = await meeting({
      title,
      record_on_start: null,
      live_stream_on_start: true,
      persist_chat: true,
      transcribe_on_end: true,
      summarize_on_end: true,
      session_keep_alive_time_in_secs: 90,
      ai_config: {
        transcription: { language: 'en-US', keywords: ['salon'], profanity_filter: true },
        summarization: { word_limit: 300, text_format: 'markdown', summary_type: 'general' },
      },
      recording_config: {
        max_seconds: 600,
        audio_config: { codec: 'AAC', channel: 'stereo' },
        video_config: { codec: 'H264', width: 640, height: 480 },
        storage_config: { type: 'aws', access_key: 'k', secret: 's', bucket: 'b' },
      },
    });
    assert.match(made.id, UUID);
    assert.match(made.created_at, INSTANT);
    assert.deepEqual([made.status, made.record_on_start, made.session_keep_alive_time_in_secs], ['ACTIVE', false, 90]);
    assert.deepEqual(made.recording_config.storage_config, { type: 'aws', bucket: 'b' });
    const shown = await kit.meetings.getMeetingByID(made.id, { ...here, name: 'ignored' });
    assert.deepEqual(shown, { success: true, data: made });
    const found = await kit.meetings.get(APP, {
      account_id: ACCOUNT,
      search: title.toUpperCase(),
      status: 'ACTIVE',
      page_no: 1,
      per_page: 5,
      ...around(),
    });
    assert.deepEqual(found.data.map(({ id }) => id), [made.id]);
    assert.deepEqual(found.paging, { total_count: 1, start_offset: 1, end_offset: 1 });
    const changed = (await kit.meetings.updateMeetingByID(made.id, { ...here, status: 'INACTIVE' })).data;
    assert.deepEqual([changed.status, changed.title, changed.persist_chat], ['INACTIVE', title, true]);
    const replaced = (await kit.meetings.replaceMeetingByID(made.id, { ...here, title: 'Replaced' })).data;
    assert.deepEqual([replaced.status, replaced.persist_chat, replaced.recording_config], ['INACTIVE', false, undefined]);
  },

  async 'an empty meeting is a meeting'() {
    assert.equal((await meeting({})).session_keep_alive_time_in_secs, 60);
  },

  async 'participants are added, found and changed'() {
    const { id: meeting_id } = await meeting();
    const body = { custom_participant_id: 'ada', preset_name: 'group_call_host', name: 'Ada', picture: 'https://example.org/a.png' };
    const ada = (await kit.meetings.addParticipant(meeting_id, { ...here, ...body })).data;
    const { token, ...told } = ada;
    assert.match(token, /^eyJ/);
    const where = { ...here, meeting_id };
    assert.deepEqual((await kit.meetings.getMeetingParticipant(ada.id, where)).data, told);
    const listed = await kit.meetings.getMeetingParticipants(meeting_id, { ...here, page_no: 1, per_page: 10 });
    assert.deepEqual(listed.data, [told]);
    const edited = (await kit.meetings.editParticipant(ada.id, { ...where, name: null, preset_name: 'group_call_guest' })).data;
    assert.deepEqual([edited.name, edited.preset_name, edited.picture], [null, 'group_call_guest', body.picture]);
    assert.match(edited.token, /^eyJ/);
    assert.match((await kit.meetings.refreshParticipantToken(ada.id, where)).data.token, /^eyJ/);
    const gone = (await kit.meetings.deleteMeetingParticipant(ada.id, where)).data;
    assert.deepEqual(Object.keys(gone).sort(), ['created_at', 'custom_participant_id', 'preset_id', 'updated_at']);
    await refused(Cloudflare.NotFoundError, () => kit.meetings.getMeetingParticipant(ada.id, where));
  },

  async 'presets are made, found and changed'() {
    const name = `preset-${randomUUID()}`;
    const found = await kit.presets.get(APP, { account_id: ACCOUNT, search: 'group_call_host', page_no: 1, per_page: 1 });
    const host = (await kit.presets.getPresetByID(found.data[0].id, here)).data;
    const body = presetBody(host);
    const made = (await kit.presets.create(APP, { account_id: ACCOUNT, name, ...body })).data;
    assert.deepEqual(presetBody(made), body);
    const patch = { permissions: { media: { audio: { can_produce: 'NOT_ALLOWED' } } } };
    const changed = (await kit.presets.update(made.id, { ...here, ...patch })).data;
    assert.deepEqual([changed.permissions.media.audio, changed.permissions.media.video], [{ can_produce: 'NOT_ALLOWED' }, { can_produce: 'ALLOWED' }]);
    const replaced = (await kit.presets.replacePresetByID(made.id, { ...here, name: `${name}-2`, ...body })).data;
    assert.deepEqual([replaced.name, presetBody(replaced)], [`${name}-2`, body]);
    await refused(Cloudflare.ConflictError, () => kit.presets.create(APP, { account_id: ACCOUNT, name: `${name}-2`, ...body }));
    assert.equal((await kit.presets.delete(made.id, here)).data.id, made.id);
    await refused(Cloudflare.NotFoundError, () => kit.presets.getPresetByID(made.id, here));
  },

  async 'apps are made and found'() {
    const name = `app-${randomUUID()}`;
    const { app } = (await kit.apps.post({ account_id: ACCOUNT, name })).data;
    const found = await kit.apps.get({ account_id: ACCOUNT, search: name, page_no: 1, per_page: 10, sort_order: 'ASC' });
    assert.deepEqual(found.data, [app]);
    assert.equal((await kit.presets.get(app.id, { account_id: ACCOUNT })).paging.total_count, 7);
    await refused(Cloudflare.ConflictError, () => kit.apps.post({ account_id: ACCOUNT, name }));
  },

  async 'a permanent refusal is not tried again'() {
    let asked = 0;
    const counting = (url, init) => (asked++, fetch(url, init));
    const eager = new Cloudflare({ apiToken: TOKEN, baseURL: `${BASE}/client/v4`, maxRetries: 2, fetch: counting });
    const name = `app-${randomUUID()}`;
    await kit.apps.post({ account_id: ACCOUNT, name });
    await refused(Cloudflare.ConflictError, () => eager.realtimeKit.apps.post({ account_id: ACCOUNT, name }));
    assert.equal(asked, 1);
  },

  async 'a session from first join to its end'() {
    const { id } = await meeting();
    const { activeSession, sessions } = kit;
    const none = await refused(Cloudflare.NotFoundError, () => activeSession.getActiveSession(id, here));
    assert.equal(none.error.error.message, `No active session found for meeting_id ${id}`);

    const ada = await enter(id, 'Ada');
    const bob = await enter(id, 'Bob');
    const session = await active(id);
    assert.deepEqual(
      [session.live_participants, session.max_concurrent_participants, session.status, session.type],
      [2, 2, 'LIVE', 'meeting'],
    );
    assert.deepEqual([session.associated_id, session.organization_id, session.meeting_display_name], [id, APP, 'Planning']);
    for (const name of ['started_at', 'created_at', 'updated_at']) assert.match(session[name], INSTANT);
    assert.equal(typeof session.minutes_consumed, 'number');

    const kicked = (await activeSession.kickParticipants(id, { ...here, participant_ids: [bob.person.id, UNKNOWN] })).data;
    assert.deepEqual(kicked.participants.map((person) => person.id), [bob.person.id]);
    const after = await active(id);
    assert.deepEqual([after.live_participants, after.max_concurrent_participants], [1, 2]);
    await refused(Cloudflare.NotFoundError, () => activeSession.kickParticipants(id, { ...here, participant_ids: [UNKNOWN] }));
    await refused(Cloudflare.BadRequestError, () => activeSession.kickParticipants(id, here));
    const poll = { ...here, question: 'Tea?', options: ['yes', 'no'] };
    const asked = (await activeSession.createPoll(id, poll)).data.poll;
    assert.deepEqual([asked.options.map((option) => option.text), asked.voted], [['yes', 'no'], []]);
    assert.equal((await activeSession.kickAllParticipants(id, here)).data.kicked_participants_count, 1);
    await refused(Cloudflare.NotFoundError, () => activeSession.getActiveSession(id, here));
    await refused(Cloudflare.NotFoundError, () => activeSession.kickAllParticipants(id, here));

    const details = (await sessions.getSessionDetails(session.id, { ...here, include_breakout_rooms: true })).data;
    assert.deepEqual([details.status, details.live_participants], ['ENDED', 0]);
    const listed = await sessions.getSessions(APP, {
      account_id: ACCOUNT,
      associated_id: id,
      status: 'ENDED',
      participants: '1:10',
      search: 'planning',
      sort_by: 'minutesConsumed',
      sort_order: 'DESC',
      page_no: 1,
      per_page: 5,
      ...around(),
    });
    assert.deepEqual(listed.data.sessions, [details]);
    const people = await sessions.getSessionParticipants(session.id, {
      ...here,
      include_peer_events: true,
      page_no: 1,
      per_page: 10,
      search: 'custom-',
      sort_by: 'joinedAt',
      sort_order: 'ASC',
      view: 'raw',
    });
    assert.deepEqual(people.data.participants.map((peer) => peer.id), [ada.peer.id, bob.peer.id]);
    assert.deepEqual(
      people.data.participants[0].peer_events.map((event) => event.event_name),
      ['PEER_CREATED', 'PEER_JOINING', 'PEER_LEAVING'],
    );
    const one = await sessions.getSessionParticipantDetails(bob.peer.id, { ...here, session_id: session.id });
    assert.equal(one.data.participant.user_id, bob.person.id);
    const report = await sessions.getParticipantDataFromPeerID(ada.peer.id, { ...here, filters: 'device_info' });
    assert.equal(report.data.participant.session_id, session.id);
    const chat = await sessions.getSessionChat(session.id, here);
    const csv = await fetch(chat.data.chat_download_url);
    assert.equal(csv.status, 200);
    assert.match(await csv.text(), /^id,participantId,sessionId,/);
    for (const call of [
      () => sessions.getSessionTranscripts(session.id, { ...here, format: 'CSV' }),
      () => sessions.getSessionSummary(session.id, here),
      () => sessions.generateSummaryOfTranscripts(session.id, here),
    ]) {
      await refused(Cloudflare.NotFoundError, call);
    }
  },

  async 'an empty session waits for someone to come back'() {
    const { id } = await meeting();
    const { peer } = await enter(id);
    const first = await active(id);
    peer.leave();
    let session = first;
    for (let tries = 0; session.live_participants > 0 && tries < 200; tries++) {
      await pause(10);
      session = await active(id);
    }
    assert.deepEqual([session.id, session.live_participants, session.status], [first.id, 0, 'LIVE']);
    await kit.activeSession.kickAllParticipants(id, here);
  },

  async 'webhooks are made, found and changed'() {
    const body = { name: 'Hook', url: 'https://example.org/hook', events: ['meeting.started', 'meeting.participantJoined'] };
    const made = (await kit.webhooks.createWebhook(APP, { account_id: ACCOUNT, ...body })).data;
    assert.match(made.id, UUID);
    assert.match(made.created_at, INSTANT);
    const { id, created_at, updated_at } = made;
    assert.deepEqual(made, { ...body, enabled: true, id, created_at, updated_at });
    const listed = await kit.webhooks.getWebhooks(APP, { account_id: ACCOUNT });
    assert.ok(listed.data.some((webhook) => webhook.id === id));
    assert.deepEqual((await kit.webhooks.getWebhookByID(id, here)).data, made);
    const edited = (await kit.webhooks.editWebhook(id, { ...here, enabled: false })).data;
    assert.deepEqual(edited, { ...made, enabled: false, updated_at: edited.updated_at });
    const every = { ...body, events: ['meeting.ended'] };
    const replaced = (await kit.webhooks.replaceWebhook(id, { ...here, ...every })).data;
    assert.deepEqual(replaced, { ...every, enabled: true, id, created_at, updated_at: replaced.updated_at });
    const bad = Cloudflare.BadRequestError;
    const inside = { account_id: ACCOUNT, ...body, url: 'http://10.0.0.1/' };
    await refused(bad, () => kit.webhooks.createWebhook(APP, inside), 'private network');
    await refused(bad, () => kit.webhooks.getWebhookByID('not-an-id', here), 'must be a valid GUID');
    assert.deepEqual((await kit.webhooks.deleteWebhook(id, here)).data, replaced);
    await refused(Cloudflare.NotFoundError, () => kit.webhooks.getWebhookByID(id, here));
  },

  async 'livestreams are started, found and stopped'() {
    const { livestreams } = kit;
    const { id } = await meeting();
    assert.equal((await livestreams.getMeetingActiveLivestreams(id, here)).data.id, undefined);
    await livestreams.stopLivestreamingAMeeting(id, here);
    const start = { ...here, name: 'Town-hall_1', video_config: { width: 640, height: 360 } };
    await refused(Cloudflare.NotFoundError, () => livestreams.startLivestreamingAMeeting(id, start));
    const { peer } = await enter(id);
    const started = (await livestreams.startLivestreamingAMeeting(id, start)).data;
    assert.match(started.id, UUID);
    assert.equal(started.status, 'INVOKED');
    await refused(Cloudflare.ConflictError, () => livestreams.startLivestreamingAMeeting(id, here));
    assert.equal((await livestreams.getMeetingActiveLivestreams(id, here)).data.id, started.id);
    const { session } = (await livestreams.getActiveLivestreamsForLivestreamID(started.id, here)).data;
    assert.equal(session.livestream_id, started.id);
    const found = (await livestreams.getLivestreamSessionForLivestreamID(started.id, { ...here, page_no: 1, per_page: 5 })).data;
    assert.deepEqual([found.livestream.id, found.session.id, found.paging.total_count], [started.id, session.id, 1]);
    assert.equal((await livestreams.getLivestreamSessionDetailsForSessionID(session.id, here)).data.livestream_id, started.id);
    const asked = { account_id: ACCOUNT, exclude_meetings: false, sort_order: 'DSC', page_no: 1, per_page: 10, ...around() };
    const listed = (await livestreams.getAllLivestreams(APP, asked)).data;
    assert.equal(listed.id, started.id);
    assert.ok(listed.paging.total_count >= 1);
    const span = { account_id: ACCOUNT, start_time: 1, end_time: 4_000_000_000 };
    const overall = (await livestreams.getLivestreamAnalyticsComplete(APP, span)).data;
    const days = (await livestreams.getLivestreamAnalyticsDaywise(APP, span)).data;
    assert.equal(days.reduce((sum, day) => sum + day.count, 0), overall.count);
    // The SDK makes none of no meeting, and finds them.
    const path = `/accounts/${ACCOUNT}/realtime/kit/${APP}/livestreams`;
    const radio = (await livestreams._client.post(path, { body: { name: 'Radio' } })).data;
    const ofNone = (await livestreams.getAllLivestreams(APP, { account_id: ACCOUNT, exclude_meetings: true })).data;
    assert.deepEqual([ofNone.id, ofNone.stream_key, ofNone.disabled], [radio.id, radio.stream_key, 'false']);
    assert.equal((await livestreams.stopLivestreamingAMeeting(id, here)).data.message, 'livestream stopped');
    await refused(Cloudflare.NotFoundError, () => livestreams.getLivestreamSessionDetailsForSessionID(UNKNOWN, here));
    peer.leave();
  },

  async 'recordings are started, found and stopped'() {
    const { recordings } = kit;
    const { id } = await meeting();
    const body = { account_id: ACCOUNT, meeting_id: id, user_ids: ['custom-Ada'] };
    await refused(Cloudflare.NotFoundError, () => recordings.startTrackRecording(APP, body));
    await refused(Cloudflare.NotFoundError, () => recordings.getActiveRecordings(id, here));
    const { peer } = await enter(id);
    const layers = { default: { file_name_prefix: 'speaker', media_kind: 'audio' } };
    const started = (await recordings.startTrackRecording(APP, { ...body, layers })).data.recording;
    assert.match(started.id, UUID);
    assert.match(started.invoked_time, INSTANT);
    assert.equal(started.status, 'INVOKED');
    await refused(Cloudflare.ConflictError, () => recordings.startTrackRecording(APP, body));
    let found = started;
    for (let tries = 0; found.status === 'INVOKED' && tries < 500; tries++) {
      await pause(20);
      found = (await recordings.getOneRecording(started.id, here)).data;
    }
    assert.deepEqual([found.status, found.start_reason.caller.type], ['RECORDING', 'ORGANIZATION']);
    assert.equal((await recordings.getActiveRecordings(id, here)).data.id, started.id);
    const listed = await recordings.getRecordings(APP, {
      account_id: ACCOUNT,
      meeting_id: id,
      status: ['RECORDING', 'PAUSED'],
      expired: false,
      search: started.id.slice(0, 18),
      sort_by: 'invokedTime',
      sort_order: 'ASC',
      page_no: 1,
      per_page: 10,
      ...around(),
    });
    assert.deepEqual(listed.data.map((one) => [one.id, one.meeting.id]), [[started.id, id]]);
    for (const [action, status] of [['pause', 'PAUSED'], ['resume', 'RECORDING']]) {
      assert.equal((await recordings.pauseResumeStopRecording(started.id, { ...here, action })).data.status, status);
    }
    const stopped = (await recordings.pauseResumeStopRecording(started.id, { ...here, action: 'stop' })).data;
    assert.equal(stopped.stop_reason.reason, 'API_CALL');
    const page = { account_id: ACCOUNT, meeting_id: id, url: 'https://example.org' };
    await refused(Cloudflare.UnprocessableEntityError, () => recordings.startRecordings(APP, page));
    await refused(Cloudflare.NotFoundError, () => recordings.getOneRecording(UNKNOWN, here));
    peer.leave();
  },

  async 'analytics are there and livestreams answer in words'() {
    const { id } = await meeting();
    const day = (days) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
    const days = { start_date: day(1), end_date: day(0) };
    const sums = (await kit.analytics.getOrgAnalytics(APP, { account_id: ACCOUNT, ...days })).data;
    assert.ok(sums.session_stats.sessions_count >= 0 && sums.recording_stats.recording_count >= 0);
    const { livestreams } = kit;
    const whose = { account_id: ACCOUNT };
    for (const call of [
      () => livestreams.getAllLivestreams(APP, { ...whose, page_no: 1, per_page: 5 }),
      () => livestreams.getLivestreamAnalyticsComplete(APP, whose),
      () => livestreams.getLivestreamAnalyticsDaywise(APP, whose),
      () => livestreams.getOrgAnalytics(APP, { ...whose, ...days }),
      () => livestreams.getActiveLivestreamsForLivestreamID(UNKNOWN, here),
      () => livestreams.getLivestreamSessionForLivestreamID(UNKNOWN, here),
      () => livestreams.getLivestreamSessionDetailsForSessionID(UNKNOWN, here),
      () => livestreams.getMeetingActiveLivestreams(id, here),
      () => livestreams.startLivestreamingAMeeting(id, here),
      () => livestreams.stopLivestreamingAMeeting(id, here),
    ]) {
      try {
        assert.equal((await call()).success, true);
      } catch (error) {
        assert.ok([404, 409, 422].includes(error.status) && error.errors[0].message, String(error));
      }
    }
  },

  async 'an inactive meeting lets nobody in'() {
    const { id } = await meeting();
    await kit.meetings.updateMeetingByID(id, { ...here, status: 'INACTIVE' });
    await assert.rejects(enter(id));
    await refused(Cloudflare.NotFoundError, () => active(id));
  },

  async 'what is wrong is refused in words'() {
    const { id } = await meeting();
    const bad = Cloudflare.BadRequestError;
    await refused(bad, () => kit.meetings.getMeetingByID('not-an-id', here), 'must be a valid GUID');
    await refused(bad, () => meeting({ session_keep_alive_time_in_secs: 10 }), '"session_keep_alive_time_in_secs"');
    await refused(bad, () => kit.apps.post({ account_id: ACCOUNT, name: '' }), 'BAD_REQUEST: "name"');
    const nope = { ...here, custom_participant_id: 'x', preset_name: 'nope' };
    await refused(Cloudflare.NotFoundError, () => kit.meetings.addParticipant(id, nope), 'No preset found with name nope');
    await refused(Cloudflare.NotFoundError, () => kit.meetings.getMeetingByID(UNKNOWN, here));
    await refused(Cloudflare.NotFoundError, () => kit.sessions.getSessionDetails(UNKNOWN, here));
    await refused(Cloudflare.NotFoundError, () => kit.meetings.get(UNKNOWN, { account_id: ACCOUNT }));
  },

  async 'credentials'() {
    const pair = { apiEmail: 'me@example.org', apiKey: TOKEN };
    for (const good of [{ apiToken: TOKEN, baseURL: `${BASE}/` }, { ...pair, apiToken: null }, { ...pair, apiToken: TOKEN }]) {
      const other = new Cloudflare({ baseURL: `${BASE}/client/v4`, ...good });
      assert.equal((await other.realtimeKit.meetings.get(APP, { account_id: ACCOUNT })).success, true);
    }
    const stranger = new Cloudflare({ baseURL: `${BASE}/client/v4`, apiToken: 'wrong' });
    const error = await stranger.realtimeKit.meetings.get(APP, { account_id: ACCOUNT }).catch((caught) => caught);
    assert.ok(error instanceof Cloudflare.PermissionDeniedError);
    assert.deepEqual(error.errors, [{ code: 10000, message: 'Authentication error' }]);
  },
};

let passed = 0;
let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.error(`FAILED ${name}\n`, error);
  }
}
const uncalled = tell();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || uncalled ? 1 : 0);
