// The REST side, through the official `cloudflare` SDK with nothing changed but its base URL.
// Next: `minutes.mjs`, which watches active-session over time.

import Cloudflare, { NotFoundError } from 'cloudflare';

const ACCOUNT = 'dev';
const APP = 'dev';
const TOKEN = 'dev-token';
const IN_APP = { account_id: ACCOUNT, app_id: APP };

export class Api {
  #client;

  constructor(origin) {
    // Tests ask again by themselves; a hidden second try would blur what was answered when.
    this.#client = new Cloudflare({ apiToken: TOKEN, baseURL: `${origin}/client/v4`, maxRetries: 0, timeout: 10_000 });
  }

  get #kit() {
    return this.#client.realtimeKit;
  }

  /** Makes a meeting; answers with its id. */
  async createMeeting(fields = {}) {
    const { data } = await this.#kit.meetings.create(APP, { account_id: ACCOUNT, title: 'End to end', ...fields });
    return data.id;
  }

  async updateMeeting(meeting, fields) {
    const { data } = await this.#kit.meetings.updateMeetingByID(meeting, { ...IN_APP, ...fields });
    return data;
  }

  /** Adds somebody; answers with `{ id, token, ... }`. */
  async addParticipant(meeting, { name, preset }) {
    const { data } = await this.#kit.meetings.addParticipant(meeting, {
      ...IN_APP,
      name,
      preset_name: preset,
      custom_participant_id: `custom-${name.toLowerCase()}`,
    });
    return data;
  }

  async deleteParticipant(meeting, participant) {
    await this.#kit.meetings.deleteMeetingParticipant(participant, { ...IN_APP, meeting_id: meeting });
  }

  /** What is happening in a meeting right now; `null` for the 404 that says that no session is live. */
  async activeSession(meeting) {
    try {
      const { data } = await this.#kit.activeSession.getActiveSession(meeting, IN_APP);
      return data;
    } catch (error) {
      if (error instanceof NotFoundError) return null;
      throw error;
    }
  }

  async kick(meeting, who) {
    const { data } = await this.#kit.activeSession.kickParticipants(meeting, { ...IN_APP, ...who });
    return data;
  }

  async kickAll(meeting) {
    const { data } = await this.#kit.activeSession.kickAllParticipants(meeting, IN_APP);
    return data;
  }

  /** Not in this version of the SDK, but in the API it speaks. */
  async mute(meeting, who) {
    const { data } = await this.#client.post(`${this.#path(meeting)}/active-session/mute`, { body: who });
    return data;
  }

  async muteAll(meeting, { allowUnmute }) {
    const body = { allow_unmute: allowUnmute };
    const { data } = await this.#client.post(`${this.#path(meeting)}/active-session/mute-all`, { body });
    return data;
  }

  /** Records each voice of a meeting. */
  async startTracks(meeting, fields = {}) {
    const { data } = await this.#kit.recordings.startTrackRecording(APP, { account_id: ACCOUNT, meeting_id: meeting, ...fields });
    return data.recording;
  }

  async actOnRecording(id, action) {
    const { data } = await this.#kit.recordings.pauseResumeStopRecording(id, { ...IN_APP, action });
    return data;
  }

  async recording(id) {
    const { data } = await this.#kit.recordings.getOneRecording(id, IN_APP);
    return data;
  }

  /** What is being recorded of a meeting. */
  async activeRecording(meeting) {
    const { data } = await this.#kit.recordings.getActiveRecordings(meeting, IN_APP);
    return data;
  }

  /** Where the transcript of a session is; `null` for the 404 of one that is not there. */
  async transcript(session, format) {
    try {
      return (await this.#kit.sessions.getSessionTranscripts(session, { ...IN_APP, format })).data.transcript_download_url;
    } catch (error) {
      if (error instanceof NotFoundError) return null;
      throw error;
    }
  }

  async stopLivestream(meeting) {
    await this.#kit.livestreams.stopLivestreamingAMeeting(meeting, IN_APP);
  }

  /** The livestreams of a meeting, newest first. Not in this version of the SDK, but in the API it speaks. */
  async livestreams(meeting) {
    const { data } = await this.#client.get(`${this.#path(meeting)}/livestream`);
    return data.livestreams;
  }

  /** One of them: `{ livestream, session }`. */
  async livestream(id) {
    const { data } = await this.#kit.livestreams.getLivestreamSessionForLivestreamID(id, IN_APP);
    return data;
  }

  /** The sessions of a meeting, newest first. */
  async sessions(meeting) {
    const { data } = await this.#kit.sessions.getSessions(APP, { account_id: ACCOUNT, associated_id: meeting });
    return data.sessions.filter((session) => session.associated_id === meeting);
  }

  async session(id, { breakouts = false } = {}) {
    const { data } = await this.#kit.sessions.getSessionDetails(id, { ...IN_APP, include_breakout_rooms: breakouts });
    return data.session ?? data;
  }

  async sessionParticipants(id) {
    const { data } = await this.#kit.sessions.getSessionParticipants(id, IN_APP);
    return data.participants;
  }

  /** How good the live session is: Salon's own, beside the API that the SDK knows. */
  async quality(meeting) {
    const { data } = await this.#client.get(`${this.#path(meeting)}/active-session/quality`);
    return data;
  }

  /** Why one could not hear or see the other: Salon's own. */
  async between(meeting, query) {
    const { data } = await this.#client.get(`${this.#path(meeting)}/active-session/between`, { query });
    return data;
  }

  /** A peer's stay and the quality of its call. */
  async peerReport(peer) {
    const { data } = await this.#kit.sessions.getParticipantDataFromPeerID(peer, IN_APP);
    return data.participant;
  }

  /** A preset like one that every app has, with some of its settings changed. */
  async presetLike(original, name, change) {
    const { data: all } = await this.#kit.presets.get(APP, { account_id: ACCOUNT, per_page: 100 });
    const { id } = all.find((preset) => preset.name === original);
    const { data: found } = await this.#kit.presets.getPresetByID(id, IN_APP);
    const { config, permissions, ui } = structuredClone(found);
    const preset = { name, config, permissions, ui };
    change(preset);
    await this.#kit.presets.create(APP, { account_id: ACCOUNT, ...preset });
    return name;
  }

  #path(meeting) {
    return `/accounts/${ACCOUNT}/realtime/kit/${APP}/meetings/${meeting}`;
  }
}
