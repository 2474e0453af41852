// Breakout rooms: a host makes them, people go and come back, and see and hear those they are with and nobody else.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { eventually, eventuallyEqual } from './support/eventually.mjs';
import { OUT } from './support/places.mjs';
import { Stage } from './support/stage.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(() => stage?.close());

/** Who is where, as a client shows it. */
const rooms = (person) =>
  person.asks(({ connectedMeetings: { parentMeeting, meetings } }) =>
    Object.fromEntries(
      [parentMeeting, ...meetings].map(({ title, participants }) => [title, participants.map(({ displayName }) => displayName).sort()]),
    ),
  );
const eventuallyRooms = (person, wanted) => eventuallyEqual(`the rooms of ${person.name}`, () => rooms(person), wanted);

/** Makes rooms; answers with their ids by title. */
const makes = (person, ...titles) =>
  person.asks(async (meeting, wanted) => {
    const made = await meeting.connectedMeetings.createMeetings(wanted.map((title) => ({ title })));
    return Object.fromEntries(made.map(({ id, title }) => [title, id]));
  }, titles);

/** Moves people, by their custom ids, from one meeting to another. */
const moves = (person, from, to, ...people) =>
  person.asks(
    async ({ connectedMeetings }, [source, destination, names]) => {
      const all = [connectedMeetings.parentMeeting, ...connectedMeetings.meetings];
      const { participants } = all.find(({ id }) => id === source);
      const ids = participants.filter(({ displayName }) => names.includes(displayName)).map(({ id }) => id);
      const { success, error } = await connectedMeetings.moveParticipants(source, destination, ids);
      return success || String(error);
    },
    [from, to, people.map(({ name }) => name)],
  );

/** Title, status and count of each room, by title: the answer has them in the order in which somebody first came. */
const breakouts = (session) =>
  (session.breakout_rooms ?? []).map((room) => [room.meeting_display_name, room.status, room.live_participants]).sort();

test('people go to rooms, are with those they meet there, and come back', { timeout: 150_000 }, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Everybody' });
  const ada = await stage.invites('Ada', meeting);
  const bob = await stage.invites('Bob', meeting, { preset: 'group_call_participant' });
  const cleo = await stage.invites('Cleo', meeting, { preset: 'group_call_participant' });
  for (const person of [ada, bob, cleo]) await person.joins();
  await ada.eventuallyMeets(bob, cleo);
  const { id } = await stage.api.activeSession(meeting);

  const made = await makes(ada, 'Room 1', 'Room 2');
  for (const person of [ada, bob, cleo]) {
    await eventuallyRooms(person, { Everybody: ['Ada', 'Bob', 'Cleo'], 'Room 1': [], 'Room 2': [] });
  }
  assert.equal(await moves(ada, meeting, made['Room 1'], bob, cleo), true);
  for (const person of [bob, cleo]) {
    await person.eventuallyGoesTo('Room 1');
    await person.eventuallyNotes('left', 'connected-meeting');
  }
  await bob.eventuallyMeets(cleo);
  await ada.eventuallyMeets();
  await bob.eventuallySeesAndHears(cleo);
  await cleo.eventuallySeesAndHears(bob);
  await eventuallyRooms(ada, { Everybody: ['Ada'], 'Room 1': ['Bob', 'Cleo'], 'Room 2': [] });
  const session = await stage.api.activeSession(meeting);
  assert.deepEqual([session.id, session.live_participants], [id, 1]);
  assert.deepEqual(breakouts(session), [['Room 1', 'LIVE', 2]]);

  // The host speaks to a room without going there, then goes there, and the main meeting is not over.
  await ada.does((it, room) => it.participants.broadcastMessage('time', { minutes: 5 }, { meetingIds: [room] }), made['Room 1']);
  await bob.eventuallyNotes('message', 'time', { minutes: 5 });
  await moves(ada, meeting, made['Room 1'], ada);
  await ada.eventuallyGoesTo('Room 1');
  await ada.eventuallyMeets(bob, cleo);
  await ada.eventuallySees(bob);
  const away = await stage.api.activeSession(meeting);
  assert.deepEqual([away.id, away.live_participants, breakouts(away)], [id, 0, [['Room 1', 'LIVE', 3]]]);

  // Somebody goes back by themselves, as the same participant.
  const parent = await bob.asks((it) => it.connectedMeetings.parentMeeting.id);
  assert.equal(parent, meeting);
  assert.equal(await moves(bob, made['Room 1'], meeting, bob), true);
  await bob.eventuallyGoesTo('Everybody');
  assert.equal(await bob.asks((it) => it.self.userId), bob.participant.id);
  await eventuallyRooms(cleo, { Everybody: ['Bob'], 'Room 1': ['Ada', 'Cleo'], 'Room 2': [] });

  // The host closes a room: those in it come back.
  const gone = await ada.asks(async (it, room) => (await it.connectedMeetings.deleteMeetings([room])).length, made['Room 1']);
  assert.equal(gone, 1);
  for (const person of [ada, cleo]) await person.eventuallyGoesTo('Everybody');
  await ada.eventuallyMeets(bob, cleo);
  await bob.eventuallySeesAndHears(ada, cleo);
  for (const person of [ada, bob, cleo]) await eventuallyRooms(person, { Everybody: ['Ada', 'Bob', 'Cleo'], 'Room 2': [] });
  await eventually('the room is over', async () => {
    const after = await stage.api.activeSession(meeting);
    assert.deepEqual([after.id, after.live_participants, breakouts(after)], [id, 3, [['Room 1', 'ENDED', 0]]]);
  });
  assert.deepEqual(breakouts(await stage.api.session(id, { breakouts: true })), [['Room 1', 'ENDED', 0]]);
});

test('what the SDK refuses, it refuses for the right reason, and the server too', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Everybody' });
  const [ada] = await stage.gathers(meeting, 'Ada');
  const bob = await stage.invites('Bob', meeting, { preset: 'group_call_guest' });
  await bob.joins();
  await ada.eventuallyNotes('sees wait', 'Bob');
  await ada.does((it, id) => it.participants.acceptWaitingRoomRequest(id), bob.participant.id);
  await bob.eventuallyIs('joined');
  const { 'Room 1': room } = await makes(ada, 'Room 1');
  const refusal = await bob.asks((it) => it.connectedMeetings.createMeetings([{ title: 'Mine' }]).catch(String));
  assert.match(refusal, /canAlterConnectedMeetings/);

  await eventuallyRooms(ada, { Everybody: ['Ada', 'Bob'], 'Room 1': [] });
  // A guest who had to wait at the front door does not wait again where a host sends them.
  await moves(ada, meeting, room, bob);
  await bob.eventuallyGoesTo('Room 1');
  await ada.does((it, id) => it.connectedMeetings.deleteMeetings([id]), room);
  await bob.eventuallyGoesTo('Everybody');
  await ada.eventuallyMeets(bob);
});

test('rooms survive the server being killed', { timeout: 180_000 }, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Everybody' });
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallyMeets(bob);
  const { 'Room 1': room } = await makes(ada, 'Room 1');
  await eventuallyRooms(ada, { Everybody: ['Ada', 'Bob'], 'Room 1': [] });
  await moves(ada, meeting, room, bob);
  await bob.eventuallyGoesTo('Room 1');
  const { id } = await stage.api.activeSession(meeting);
  await stage.salon.kill();
  await stage.salon.startAgain();
  await eventually('both are counted where they are', async () => {
    const session = await stage.api.activeSession(meeting);
    assert.deepEqual([session.id, session.live_participants, breakouts(session)], [id, 1, [['Room 1', 'LIVE', 1]]]);
  }, { within: 30_000 });
  for (const person of [ada, bob]) {
    const socket = () => person.asks((it) => it.meta.socketState.state);
    await eventuallyEqual(`the socket of ${person.name}`, socket, 'connected', { within: 30_000 });
  }
  await ada.does((it, [from, to, who]) => it.connectedMeetings.moveParticipants(from, to, who), [
    room,
    meeting,
    [await bob.asks((it) => it.self.userId)],
  ]);
  await bob.eventuallyGoesTo('Everybody');
  await ada.eventuallySees(bob, { within: 40_000 });
});

/** Somebody at the page that Salon serves, in the call. `opens` is what they do at the door. */
async function visits(name, address, button) {
  const context = await stage.context(name, { viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(address);
  await page.getByLabel('name').fill(name);
  await page.getByRole('button', { name: button }).click();
  await page.locator('rtk-setup-screen').getByRole('button', { name: 'Join' }).click();
  await page.locator('rtk-controlbar').first().waitFor();
  return page;
}

/** Opens the kit's panel for breakout rooms. */
async function opensRooms(page) {
  await page.locator('rtk-more-toggle').first().click();
  await page.locator('rtk-breakout-rooms-toggle').first().click();
  return page.locator('rtk-breakout-rooms-manager');
}

const eventuallyTitled = (page, ...titles) =>
  eventually(`a page is in ${titles.join(' or ')}`, async () => {
    assert.ok(titles.includes(await page.locator('.call-title').textContent()));
    assert.ok(await page.locator('rtk-controlbar').first().isVisible());
  });

test('the kit on the page makes rooms, shares people out, lets them switch, and closes the rooms', { timeout: 240_000 }, async () => {
  const ada = await visits('Ada', stage.salon.origin, 'Start a meeting');
  const link = ada.url();
  const bob = await visits('Bob', link, 'Join the meeting');
  const cleo = await visits('Cleo', link, 'Join the meeting');
  const meeting = new URL(link).searchParams.get('meeting');
  const counted = (live, ...wanted) =>
    eventually(`${live} in the main room, and in the others ${wanted}`, async () => {
      const session = await stage.api.activeSession(meeting);
      assert.deepEqual([session.live_participants, breakouts(session)], [live, wanted]);
    }, { within: 30_000 });
  await counted(3);

  const manager = await opensRooms(ada);
  await manager.getByText('Create', { exact: true }).click();
  await manager.locator('.shuffle-button').click();
  await ada.screenshot({ path: join(OUT, 'breakout-assign.png') });
  await manager.getByText('Start Breakout').click();
  await ada.locator('rtk-confirmation-modal').getByText('Yes, start').click();
  for (const page of [ada, bob, cleo]) await eventuallyTitled(page, 'Room 1', 'Room 2');
  await counted(0, ['Room 1', 'LIVE', 2], ['Room 2', 'LIVE', 1]);
  await ada.screenshot({ path: join(OUT, 'breakout-room.png') });

  const rooms = await opensRooms(bob);
  await rooms.getByText('Join', { exact: true }).first().click();
  await eventuallyTitled(bob, 'Ada’s meeting');
  await counted(1, ['Room 1', 'LIVE', 1], ['Room 2', 'LIVE', 1]);

  const closing = await opensRooms(ada);
  await ada.screenshot({ path: join(OUT, 'breakout-manager.png') });
  await closing.getByText('Close Breakout').click();
  await ada.locator('rtk-confirmation-modal').getByText('Yes', { exact: false }).click();
  for (const page of [ada, bob, cleo]) await eventuallyTitled(page, 'Ada’s meeting');
  await counted(3, ['Room 1', 'ENDED', 0], ['Room 2', 'ENDED', 0]);
  await ada.screenshot({ path: join(OUT, 'breakout-closed.png') });
});
