// Why one could not hear or see the other, of real browsers: a microphone that a host switched off, one that the system did,
// a picture nobody asked for, a browser that does not play, a line that loses.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Air } from './support/air.mjs';
import { eventually } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';

let air;
let stage;

before(async () => {
  air = await Air.open();
  stage = await Stage.open(import.meta.url, air.settings);
});
afterEach(() => {
  Object.assign(air, { rate: Infinity, delay: 0, loss: 0 });
  return stage.clear();
});
after(async () => {
  await stage?.close();
  air?.close();
});

/** What is asked about: it is judged for each 15 s, and the newest may not be measured yet. */
const ABOUT_MS = 20_000;

/** Until a quarter of a minute has passed that is like that, and is measured. */
const LIMIT = { within: 90_000 };

test('each reason why somebody is not heard or seen is named', { timeout: 300_000 }, async (t) => {
  // Room for oneself and one other.
  const preset = await stage.api.presetLike('group_call_host', `two pictures ${Math.random()}`, ({ config }) => {
    config.max_video_streams = { desktop: 2, mobile: 2 };
  });
  const meeting = await stage.api.createMeeting();
  const [ada, bob, cleo] = await Promise.all(['Ada', 'Bob', 'Cleo'].map((name) => stage.invites(name, meeting, { preset })));
  for (const person of [ada, bob, cleo]) await person.joins();
  await Promise.all([ada.eventuallyHears(bob), ada.eventuallyHears(cleo), bob.eventuallyHears(cleo), cleo.eventuallyHears(bob)]);

  /** Waits until this is the verdict of the last while. */
  const isTold = async (rung, listener, speaker, { kind = 'sound', says } = {}) => {
    const told = await eventually(`${listener.name} and ${speaker.name}: ${rung}`, async () => {
      const from = new Date(Date.now() - ABOUT_MS).toISOString();
      const answer = await stage.api.between(meeting, { listener: listener.id, speaker: speaker.id, kind, from });
      assert.equal(answer.verdict.rung, rung, JSON.stringify(answer.verdict));
      if (says) assert.match(answer.verdict.text, says);
      return answer;
    }, LIMIT);
    t.diagnostic(`${rung}: ${told.verdict.text}`);
    return told;
  };

  // All is well, and Ada sees one of the two.
  await isTold('arrived', ada, bob);
  const [shown] = await ada.asks(({ participants }) => participants.active.toArray().map(({ name }) => name));
  const unseen = shown === 'Bob' ? cleo : bob;
  await isTold('not_asked', ada, unseen, { kind: 'picture' });

  // Ada, the host, switches Bob's microphone off; Cleo's is switched off by her system, which her browser says and shows with
  // silence.
  await ada.does(({ participants }, id) => participants.joined.get(id).disableAudio(), bob.id);
  await cleo.does(async ({ self }) => {
    const context = new AudioContext();
    await context.resume();
    const out = context.createMediaStreamDestination();
    const [source, gain] = [context.createOscillator(), context.createGain()];
    gain.gain.value = 0;
    source.connect(gain).connect(out);
    source.start();
    const [silence] = out.stream.getAudioTracks();
    await self.disableAudio();
    await self.enableAudio(silence);
    self.audioTrack.dispatchEvent(new Event('mute'));
  });
  const [off, silent] = await Promise.all([
    isTold('switched_off', ada, bob, { says: /Ada/ }),
    isTold('silent', ada, cleo, { says: /system/ }),
  ]);
  for (const rung of off.rungs.filter(({ rung }) => rung === 'speaker_away')) assert.equal(rung.holds, 'ruled_out');
  assert.equal(silent.speaker.display_name, 'Cleo');

  // Bob's browser does not play what it gets until he clicks. Applications report that as the SDK reports what it finds itself.
  await cleo.does(({ self }) => self.disableAudio().then(() => self.enableAudio()));
  await bob.does(async ({ self }, [url, token]) => {
    const entries = [{ event: 'audio_play_failed', metaData: { deviceType: 'AUDIO' }, timestamp: Date.now() }];
    await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ peerId: self.id, payload: { entries } }),
    });
  }, [`${stage.salon.origin}/api/v1/message`, bob.participant.token]);
  await isTold('play_blocked', bob, cleo);

  // A line that loses an eighth of what it carries to people.
  air.loss = 0.12;
  const lossy = await isTold('damaged_downstream', bob, cleo, { says: /%/ });
  assert.ok(lossy.rungs.find(({ rung }) => rung === 'damaged_upstream').holds !== 'held');
});
