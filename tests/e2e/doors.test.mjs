// The ways into a call on Salon's page, and what people read where there is none: who waits and who decides, what went
// wrong in words, what a link gives away.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { eventually } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';
import { Visitor } from './support/visitor.mjs';

/** How many a meeting holds. */
const MOST = 3;

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url, { 'limits.peers_per_session': MOST });
});
afterEach(() => stage.clear());
after(() => stage?.close());

const LIMIT = { timeout: 240_000 };

/** Somebody at an address of the page. */
async function opens(name, path, prepare) {
  const context = await stage.context(name, { viewport: { width: 1280, height: 800 } });
  if (prepare) await context.addInitScript(prepare);
  const visitor = new Visitor(name, await context.newPage());
  await visitor.page.goto(stage.salon.origin + path);
  return visitor;
}

async function link(meeting, name, preset) {
  const { token } = await stage.api.addParticipant(meeting, { name, preset });
  return `/#token=${token}`;
}

async function comesIn(name, meeting, preset, prepare) {
  const visitor = await opens(name, await link(meeting, name, preset), prepare);
  await visitor.enters();
  await visitor.isIn();
  return visitor;
}

const readsTitle = ({ page }, name) => page.getByRole('heading', { name }).waitFor();
const presses = ({ page }, name, options) => page.getByRole('button', { name, exact: true, ...options }).click();

/** What most people will press. */
const mainButton = ({ page }) => page.locator('.stage .button.primary').innerText();

/** In a browser that has no camera. */
function withoutCamera() {
  const devices = navigator.mediaDevices;
  const listed = devices.enumerateDevices.bind(devices);
  devices.enumerateDevices = async () => (await listed()).filter(({ kind }) => kind !== 'videoinput');
  const given = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    if (wanted?.video) throw new DOMException('Requested device not found', 'NotFoundError');
    return given(wanted);
  };
}

test('hosts see at once who waits, and let them in or not; who waits can leave', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Doors' });
  const bob = await opens('Bob', await link(meeting, 'Bob', 'group_call_guest'));
  await bob.enters();
  await bob.reads('You are in the waiting room');
  await bob.page.setViewportSize({ width: 360, height: 640 });
  const words = await bob.locator('rtk-waiting-screen p').boundingBox();
  assert.ok(words.x >= 8 && words.x + words.width <= 352, `the words touch the edges of a phone: ${JSON.stringify(words)}`);
  const ada = await comesIn('Ada', meeting, 'group_call_host');
  const door = ada.page.getByRole('status', { name: 'Waiting room' });
  await door.getByText('1 person waits').waitFor();
  const cleo = await opens('Cleo', await link(meeting, 'Cleo', 'group_call_guest'));
  await cleo.enters();
  await door.getByText('2 people wait').waitFor();
  await ada.screenshot('doors-waiting');

  await presses(ada, 'Admit Bob');
  await bob.isIn();
  await door.getByText('1 person waits').waitFor();
  assert.equal(await bob.page.getByText('1 person waits').count(), 0, 'a guest decides nothing');
  await presses(ada, 'Deny Cleo');
  await readsTitle(cleo, 'You were not let in');
  assert.equal(await mainButton(cleo), 'Go to the start page');
  await door.getByText('waits').waitFor({ state: 'detached' });

  await presses(cleo, 'Ask again');
  await cleo.enters();
  await door.getByText('1 person waits').waitFor();
  await presses(cleo, 'Leave');
  await readsTitle(cleo, 'You left the meeting');
  await door.getByText('waits').waitFor({ state: 'detached' });
  // The SDK of who is turned away complains that its socket is gone.
  for (const visitor of [ada, bob]) visitor.isContent(stage.salon.origin);
});

test('who was removed is not asked to come straight back', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Doors' });
  const bob = await comesIn('Bob', meeting, 'group_call_participant');
  await stage.api.kickAll(meeting).catch(() => {});
  await readsTitle(bob, 'The meeting has ended');
  assert.equal(await mainButton(bob), 'Start it again');
  await presses(bob, 'Start it again');
  await bob.enters();
  await bob.isIn();
  const { id } = await stage.api.activeSession(meeting);
  const [person] = await stage.api.sessionParticipants(id);
  await stage.api.kick(meeting, { participant_ids: [person.user_id] });
  await readsTitle(bob, 'You were removed');
  assert.equal(await mainButton(bob), 'Go to the start page');
});

test('a closed meeting, a wrong link and a server that is gone are told in plain words', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Doors' });
  const way = await link(meeting, 'Bob', 'group_call_participant');
  const bob = await opens('Bob', way);
  await bob.locator('rtk-setup-screen').waitFor();
  await stage.api.updateMeeting(meeting, { status: 'INACTIVE' });
  await bob.enters();
  await readsTitle(bob, 'This meeting is closed');
  for (const path of [way, `/?meeting=${meeting}`]) {
    const early = await opens('Cleo', path);
    await readsTitle(early, 'This meeting is closed');
    assert.equal(await early.locator('rtk-setup-screen').count(), 0);
  }
  await stage.api.updateMeeting(meeting, { status: 'ACTIVE' });
  await presses(bob, 'Try again');
  await bob.locator('rtk-setup-screen').waitFor();

  for (const path of ['/?meeting=nonsense', '/?meeting=00000000-0000-4000-8000-000000000000']) {
    await readsTitle(await opens('Cleo', path), 'No such meeting');
  }
  await readsTitle(await opens('Cleo', '/#token=eyJ.nonsense.x'), 'This link no longer opens the door');
  const forged = `eyJhbGciOiJIUzI1NiJ9.${btoa(JSON.stringify({ meetingId: meeting }))}.x`;
  await readsTitle(await opens('Cleo', `/#token=${forged}`), 'This link no longer opens the door');

  const ada = await opens('Ada', '/');
  await ada.page.getByRole('button', { name: 'Start a meeting' }).waitFor();
  await stage.salon.kill();
  await presses(ada, 'Start a meeting');
  await readsTitle(ada, 'The server does not answer');
  await stage.salon.startAgain();
  await presses(ada, 'Try again');
  await ada.page.getByRole('button', { name: 'Start a meeting' }).waitFor();
});

test('a meeting that is full says so', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Doors' });
  for (const name of ['Ada', 'Bob', 'Cleo']) await comesIn(name, meeting, 'group_call_participant', withoutCamera);
  const late = await opens('Ada', await link(meeting, 'Late', 'group_call_participant'), withoutCamera);
  await late.enters();
  await readsTitle(late, 'This meeting is full');
});

test('the token of a link leaves the address when somebody is in, and a reload finds the way back', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Doors' });
  const bob = await opens('Bob', await link(meeting, 'Bob', 'group_call_participant'));
  await bob.locator('rtk-setup-screen').waitFor();
  assert.match(bob.page.url(), /#token=/);
  await bob.enters();
  await bob.isIn();
  await eventually('the token is gone', async () => assert.equal(new URL(bob.page.url()).hash, ''));
  assert.equal(new URL(bob.page.url()).searchParams.get('meeting'), meeting);
  await bob.page.reload();
  await bob.enters();
  await bob.isIn();
  const { id } = await stage.api.activeSession(meeting);
  const people = await stage.api.sessionParticipants(id);
  assert.equal(new Set(people.map(({ user_id: id }) => id)).size, 1, 'the same participant as before');
  // Whoever wants to come as somebody else opens another tab.
  const cleo = await opens('Cleo', new URL(bob.page.url()).search);
  await cleo.page.getByRole('button', { name: 'Join the meeting' }).waitFor();
});

test('no camera is said, until it is read', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Doors' });
  const bob = await comesIn('Bob', meeting, 'group_call_participant', withoutCamera);
  const notice = bob.page.getByRole('status', { name: 'Camera and microphone' });
  await notice.getByText('Others do not see you.').waitFor();
  await bob.screenshot('doors-no-camera');
  await notice.getByRole('button', { name: 'OK' }).click();
  await notice.getByText('Others do not see you.').waitFor({ state: 'detached' });
});

test("a webinar's invite makes an audience", LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Doors' });
  const ada = await comesIn('Ada', meeting, 'webinar_presenter');
  await ada.page.evaluate(() => {
    navigator.clipboard.writeText = async (text) => (window.copied = text);
  });
  await presses(ada, 'Copy invite');
  const invite = await eventually('the invite is copied', async () => {
    const copied = await ada.page.evaluate(() => window.copied);
    assert.ok(copied);
    return new URL(copied);
  });
  const bob = await opens('Bob', invite.search);
  await bob.reads('You are invited to watch and listen', 'main');
  await bob.page.getByLabel('name').fill('Bob');
  await presses(bob, 'Join the meeting');
  await bob.enters();
  await bob.isIn();
  const { id } = await stage.api.activeSession(meeting);
  const people = await stage.api.sessionParticipants(id);
  const { preset_name: preset } = people.find(({ display_name: name }) => name === 'Bob');
  assert.equal(preset, 'webinar_viewer');
});
