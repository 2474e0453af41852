// The page of one person in a call: the official SDK as it ships, and eyes and ears for the test.
// Runs before the SDK. What the SDK is told, it is told by its public interface; sockets and connections are only
// watched. Next: `support/person.mjs`, which speaks to this page.

import { BASE, keepSdkOnOwnOrigin } from '../../../web/src/call/same-origin.ts';
import { publishes } from './codecs.js';
import { fakeCamera, fakeScreen } from './drawn.js';
import { Gaps } from './gaps.js';
import { Picture } from './picture.js';
import { Sound } from './sound.js';

const sockets = [];
const connections = [];
const iceChanges = [];
const events = [];
const began = performance.now();

window.WebSocket = class extends window.WebSocket {
  constructor(...args) {
    super(...args);
    sockets.push(this);
  }
};
window.RTCPeerConnection = class extends window.RTCPeerConnection {
  constructor(...args) {
    super(...args);
    connections.push(this);
    this.addEventListener('iceconnectionstatechange', () => iceChanges.push(this.iceConnectionState));
  }
};

const note = (...what) => events.push([Math.round(performance.now() - began), ...what]);
/** By participant and source (`camera` or `screen`). */
const views = new Map();
const sounds = new Map();
/** By participant. */
const gaps = new Map();

window.person = {
  events,
  fakeScreen,
  fakeCamera,
  publishes,

  /** Makes the client ready: what the setup screen of an application does. `origin` is the server's. */
  async prepare({ origin, token, defaults = { audio: true, video: true } }) {
    keepSdkOnOwnOrigin({ origin, host: BASE });
    const sdk = window.RealtimeKitClient ?? window.DyteClient;
    const client = sdk.default ?? sdk;
    const meeting = await client.init({ authToken: token, baseURI: BASE, defaults });
    window.meeting = meeting;
    listen(meeting);
    return meeting.self.id;
  },

  /** The others, as this person's client shows them. */
  others() {
    return window.meeting.participants.joined
      .toArray()
      .map(({ id, name, audioEnabled, videoEnabled, screenShareEnabled }) => ({
        id,
        name,
        microphone: audioEnabled,
        camera: videoEnabled,
        screen: screenShareEnabled,
      }));
  },

  /** What is seen of somebody's camera or screen since the picture came up; `null` if there is none. */
  looks(id, source = 'camera') {
    const participant = window.meeting.participants.joined.get(id);
    const key = `${id} ${source}`;
    const track = source === 'screen' ? participant?.screenShareTracks?.video : participant?.videoTrack;
    let view = views.get(key);
    if (view && (view.participant !== participant || view.track !== track)) {
      view.close();
      views.delete(key);
      view = undefined;
    }
    if (!participant || !track) return null;
    if (!view) {
      view = show(participant, source, track);
      views.set(key, view);
    }
    return view.picture.seen();
  },

  /** Makes the picture of somebody larger or smaller on the page; clients ask for better or worse quality then. */
  resizes(id, width, height) {
    const view = views.get(`${id} camera`);
    Object.assign(view.video.style, { width: `${width}px`, height: `${height}px` });
  },

  /** The tone heard from somebody's microphone or screen; `null` if there is nothing to listen to. */
  listens(id, source = 'microphone') {
    const participant = window.meeting.participants.joined.get(id);
    const key = `${id} ${source}`;
    const track = source === 'screen' ? participant?.screenShareTracks?.audio : participant?.audioTrack;
    let sound = sounds.get(key);
    if (sound && sound.track !== track) {
      sound.stop();
      sounds.delete(key);
      sound = undefined;
    }
    if (!track) return null;
    if (!sound) {
      sound = new Sound(track);
      sounds.set(key, sound);
    }
    return sound.heard();
  },

  /** From now on it is measured for how long nothing new is seen or heard of somebody. */
  times(id) {
    if (gaps.has(id)) gaps.get(id).begin();
    else gaps.set(id, new Gaps(() => window.meeting.participants.joined.get(id)));
  },

  /** The longest times since then; see `gaps.js`. */
  longestGaps(id) {
    return gaps.get(id).longest();
  },

  /** What the browser itself counts of somebody's camera and microphone. */
  async receives(id) {
    const participant = window.meeting.participants.joined.get(id);
    const ids = { camera: participant?.videoTrack?.id, microphone: participant?.audioTrack?.id };
    const found = { framesDecoded: 0, codec: null, soundPackets: 0, soundEnergy: 0 };
    for (const connection of open()) {
      const all = await connection.getStats();
      for (const stats of all.values()) {
        if (stats.type !== 'inbound-rtp') continue;
        if (stats.trackIdentifier === ids.camera) {
          found.framesDecoded += stats.framesDecoded ?? 0;
          found.codec = all.get(stats.codecId)?.mimeType ?? null;
        }
        if (stats.trackIdentifier === ids.microphone) {
          found.soundPackets += stats.packetsReceived;
          // Chromium measures it only of what its loudspeaker plays.
          found.soundEnergy += stats.totalAudioEnergy ?? 0;
        }
      }
    }
    return found;
  },

  /** How connections have changed since this was asked last, as the browser calls it. */
  /** All sockets that the client has opened to the server, whether they are open. */
  socketsOpen() {
    return sockets.map((socket) => socket.readyState === WebSocket.OPEN);
  },

  iceChanges() {
    return iceChanges.splice(0);
  },

  /** What this person's browser has heard of those who get its pictures: lost packets, key frames wanted, bit/s it may send. */
  async feedback() {
    const found = { nacks: 0, keyFrames: 0, available: 0 };
    for (const connection of open()) {
      for (const stats of (await connection.getStats()).values()) {
        if (stats.type === 'outbound-rtp' && stats.kind === 'video') {
          found.nacks += stats.nackCount ?? 0;
          found.keyFrames += stats.pliCount ?? 0;
        }
        if (stats.type === 'candidate-pair' && stats.nominated) {
          found.available = Math.max(found.available, stats.availableOutgoingBitrate ?? 0);
        }
      }
    }
    return found;
  },

  /** What media takes on each connection, `udp` or `tcp`; only those that have found a way. */
  async protocols() {
    const found = [];
    for (const connection of open()) {
      const stats = await connection.getStats();
      for (const { type, selectedCandidatePairId } of stats.values()) {
        const pair = type === 'transport' && stats.get(selectedCandidatePairId);
        if (pair) found.push(stats.get(pair.localCandidateId).protocol);
      }
    }
    return found;
  },

  /** How somebody's camera and microphone come over, since the beginning. Times in seconds. */
  async quality(id) {
    const participant = window.meeting.participants.joined.get(id);
    const ids = { camera: participant?.videoTrack?.id, microphone: participant?.audioTrack?.id };
    const found = { width: 0, freezes: 0, frozen: 0, shown: 0, concealed: 0 };
    for (const connection of open()) {
      for (const stats of (await connection.getStats()).values()) {
        if (stats.type !== 'inbound-rtp') continue;
        if (stats.trackIdentifier === ids.camera) {
          found.width = stats.frameWidth ?? 0;
          found.freezes = stats.freezeCount ?? 0;
          found.frozen = stats.totalFreezesDuration ?? 0;
          found.shown = stats.totalInterFrameDelay ?? 0;
        }
        if (stats.trackIdentifier === ids.microphone) {
          const made = (stats.concealedSamples ?? 0) - (stats.silentConcealedSamples ?? 0);
          found.concealed = made / Math.max(1, stats.totalSamplesReceived ?? 0);
        }
      }
    }
    return found;
  },

  /** What the browser counts of somebody's camera and microphone as they arrive. */
  async counts(id) {
    const participant = window.meeting.participants.joined.get(id);
    const ids = { camera: participant?.videoTrack?.id, microphone: participant?.audioTrack?.id };
    const found = { camera: {}, microphone: {} };
    for (const connection of open()) {
      for (const stats of (await connection.getStats()).values()) {
        if (stats.type !== 'inbound-rtp') continue;
        const { packetsReceived: packets, packetsLost: lost, framesPerSecond, frameWidth: width, frameHeight: height } = stats;
        if (stats.trackIdentifier === ids.camera) found.camera = { packets, lost, framesPerSecond, width, height };
        if (stats.trackIdentifier === ids.microphone) found.microphone = { packets, lost };
      }
    }
    return found;
  },

  /** The simulcast layers that this person's browser sends: rid, frames a second and width. */
  async sends() {
    const found = [];
    for (const connection of open()) {
      for (const stats of (await connection.getStats()).values()) {
        if (stats.type !== 'outbound-rtp' || stats.kind !== 'video' || !stats.frameWidth) continue;
        found.push({ rid: stats.rid, frames: stats.framesPerSecond ?? 0, width: stats.frameWidth, bytes: stats.bytesSent });
      }
    }
    return found;
  },

  /** The longest session description in use, in characters and m-lines. */
  descriptions() {
    const all = open().map((connection) => connection.remoteDescription?.sdp ?? '');
    return {
      characters: Math.max(...all.map((sdp) => sdp.length)),
      lines: Math.max(...all.map((sdp) => sdp.split('\nm=').length - 1)),
    };
  },

  /** Breaks the connection to the server as a bad network does, without a goodbye. */
  losesSocket() {
    const live = sockets.filter((socket) => socket.readyState === WebSocket.OPEN && socket.url.includes('/ws?'));
    for (const socket of live) socket.close(3999, 'the network is gone');
    return live.length;
  },
};

function open() {
  return connections.filter((connection) => connection.connectionState !== 'closed');
}

function show(participant, source, track) {
  const video = Object.assign(document.createElement('video'), { muted: true, autoplay: true, playsInline: true });
  video.style.cssText = 'width: 320px; height: 240px; display: block';
  document.body.append(video);
  // Cameras are drawn as applications do it; the SDK then asks for the quality that fits.
  if (source === 'camera') participant.registerVideoElement(video);
  else video.srcObject = new MediaStream([track]);
  void video.play().catch(() => {});
  const picture = new Picture(video);
  return {
    participant,
    track,
    video,
    picture,
    close() {
      picture.stop();
      if (source === 'camera') participant.deregisterVideoElement(video);
      video.remove();
    },
  };
}

function listen({ self, meta, participants, connectedMeetings }) {
  self.on('roomJoined', () => note('joined'));
  self.on('roomLeft', ({ state }) => note('left', state));
  self.on('waitlisted', () => note('waits'));
  self.on('audioUpdate', ({ audioEnabled }) => note('microphone', audioEnabled));
  self.on('videoUpdate', ({ videoEnabled }) => note('camera', videoEnabled));
  self.on('screenShareUpdate', ({ screenShareEnabled }) => note('screen', screenShareEnabled));
  meta.on('socketConnectionUpdate', ({ state }) => note('socket', state));
  meta.on('mediaConnectionUpdate', ({ transport, state }) => note('media', transport, state));
  participants.joined.on('participantJoined', ({ name }) => note('sees come', name));
  participants.joined.on('participantLeft', ({ name }) => note('sees go', name));
  participants.waitlisted.on('participantJoined', ({ name }) => note('sees wait', name));
  participants.waitlisted.on('participantLeft', ({ name }) => note('sees wait no more', name));
  participants.on('broadcastedMessage', ({ type, payload }) => note('message', type, payload));
  connectedMeetings.on('changingMeeting', () => note('goes to another meeting'));
  // The SDK leaves this meeting and hands over the other, in which it is another peer.
  connectedMeetings.on('meetingChanged', (other) => {
    window.meeting = other;
    listen(other);
    note('is in another meeting', other.meta.meetingTitle);
  });
}
