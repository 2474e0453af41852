// What people say, as the client tells it while they speak and as files have it afterwards, whoever dies meanwhile.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, test } from 'node:test';

import { eventually } from './support/eventually.mjs';
import { CAST, Stage } from './support/stage.mjs';

const LIMIT = { timeout: 150_000 };
const SOON = { within: 60_000 };

/** An engine that names the tones it hears. */
const ENGINE = `${process.execPath},${fileURLToPath(new URL('./support/tones.mjs', import.meta.url))}`;

/** The preset of those whose words are told at once. */
const written = 'written down';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url, {
    'transcription.engine': 'command',
    'transcription.command': ENGINE,
    'limits.session_keep_alive_min_secs': 0,
  });
  await stage.api.presetLike('group_call_host', written, ({ permissions }) => {
    permissions.transcription_enabled = true;
  });
});
afterEach(() => stage.clear());
after(() => stage?.close());

/** Has a page keep what it is told of what is said. */
const listens = (person) =>
  person.does(({ ai }) => {
    window.told = [];
    ai.on('transcript', (line) => window.told.push({ ...line, date: line.date.getTime() }));
  });
const told = (person) => person.asks(() => window.told);

/** What is told whole, once there is so much of it. */
async function tells(person, count) {
  let whole;
  await eventually(`${person.name} is told ${count} lines`, async () => {
    whole = (await told(person)).filter((line) => !line.isPartialTranscript);
    assert.ok(whole.length >= count, JSON.stringify(await told(person)));
  }, SOON);
  return whole;
}

/** The rows of a transcript, in which nothing that the cast says breaks a line. */
async function transcript(session) {
  let url;
  await eventually('the transcript is there', async () => {
    url = await stage.api.transcript(session, 'CSV');
    assert.ok(url);
  }, SOON);
  const response = await fetch(url);
  assert.equal(response.status, 200);
  const csv = await response.text();
  const rows = csv.trimEnd().split('\n').map((line) => line.slice(1, -1).split('","'));
  return rows.map(([ms, peer, , , name, text]) => ({ ms: Number(ms), peer, name, text: text.replaceAll('""', '"') }));
}

const hums = (name) => `I hum "${CAST[name].tone}" hertz, and so on`;

test('the client tells who says what, and the file has everybody', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ transcribe_on_end: true });
  const [ada, bob] = await Promise.all([
    stage.invites('Ada', meeting, { preset: written }),
    stage.invites('Bob', meeting),
  ]);
  await bob.joins();
  await listens(bob);
  await ada.joins();
  await ada.eventuallySeesAndHears(bob);
  // Who falls silent has said something.
  await eventually('a word of Ada is under way', async () => {
    await ada.does(async ({ self }) => {
      await self.disableAudio();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await self.enableAudio();
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    });
    assert.ok((await told(bob)).length > 0);
  }, SOON);
  const [line] = await tells(bob, 1);
  assert.deepEqual([line.name, line.peerId, line.customParticipantId, line.transcript], ['Ada', ada.id, 'custom-ada', hums('Ada')]);
  assert.ok(Math.abs(Date.now() - line.date) < 60_000, `said at ${line.date}`);

  // Whoever comes later, and is written down too, finds it.
  const cleo = await stage.invites('Cleo', meeting, { preset: written });
  await eventually('Cleo has what was said', async () => {
    const found = await cleo.asks(({ ai }) => ai.transcripts.map(({ name, transcript }) => ({ name, transcript })));
    assert.ok(found.some(({ name, transcript }) => name === 'Ada' && transcript === hums('Ada')), JSON.stringify(found));
  });
  assert.equal(await ada.asks(({ recording }) => recording.recordingState), 'IDLE', 'nothing is recorded');
  const session = await stage.api.activeSession(meeting);
  assert.equal(session.live_participants, 2, 'nobody is there who was not before');
  assert.equal(await ada.asks(({ participants }) => participants.joined.size), 1);

  assert.equal(await stage.api.transcript(session.id), null, 'not before the end');
  await stage.api.kickAll(meeting);
  const rows = await transcript(session.id);
  assert.deepEqual([...new Set(rows.map(({ name }) => name))].sort(), ['Ada', 'Bob'], JSON.stringify(rows));
  for (const { name, text } of rows) assert.equal(text, hums(name), JSON.stringify(rows));
  for (const [n, { ms }] of rows.entries()) assert.ok(n === 0 || ms >= rows[n - 1].ms, 'in order');
  const everythingOfBob = (await told(bob)).filter(({ name }) => name === 'Bob');
  assert.deepEqual(everythingOfBob, [], 'his preset has nothing told at once');
});

test('what was heard is written down although the server dies in the middle', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ transcribe_on_end: true });
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallySeesAndHears(bob);
  const session = await stage.api.activeSession(meeting);
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  const died = Date.now();
  await stage.salon.kill();
  await stage.salon.startAgain();
  await ada.eventuallySeesAndHears(bob);
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  await stage.api.kickAll(meeting);
  const rows = await transcript(session.id);
  const began = Date.parse(session.started_at);
  for (const name of ['Ada', 'Bob']) {
    const of = rows.filter((row) => row.name === name);
    assert.ok(of.some(({ ms }) => began + ms < died), `${name} before: ${JSON.stringify(rows)}`);
    assert.ok(of.some(({ ms }) => began + ms > died), `${name} after: ${JSON.stringify(rows)}`);
  }
});
