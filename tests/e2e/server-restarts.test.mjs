// The server dies in the middle of a call and is started again: within the SDK's own patience everybody is back in the
// same session, and neither counts nor minutes are lost.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Stage } from './support/stage.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(() => stage?.close());

/** Clients try again after 3 s and then ever less often, up to 10 s apart. */
const EVERYBODY_IS_BACK = { within: 30_000 };

async function everybodySeesAndHearsEverybody(people) {
  await Promise.all(
    people.map((person) => person.eventuallySeesAndHears(...people.filter((other) => other !== person))),
  );
}

test('kill -9 in the middle of a call, twice, loses neither people nor minutes', { timeout: 150_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const watch = stage.watches(meeting);
  const people = await Promise.all(['Ada', 'Bob', 'Cleo'].map((name) => stage.invites(name, meeting)));
  // The server counts from some moment between these.
  const joined = [];
  for (const person of people) {
    const from = performance.now();
    await person.joins();
    joined.push([from, performance.now()]);
  }
  await everybodySeesAndHearsEverybody(people);
  const before = await watch.now();

  for (let round = 0; round < 2; round++) {
    await stage.salon.kill();
    await stage.salon.startAgain();
    const back = await watch.now();
    assert.equal(back.id, before.id, 'the session goes on');
    assert.equal(back.max_concurrent_participants, 3);

    const session = await watch.eventuallyCounts(3, EVERYBODY_IS_BACK);
    assert.equal(session.id, before.id);
    assert.equal(session.started_at, before.started_at);
    assert.equal(session.max_concurrent_participants, 3);
    const asked = performance.now();
    const { minutes_consumed: minutes } = await watch.now();
    const answered = performance.now();
    const least = joined.reduce((sum, [, to]) => sum + (asked - to), 0) / 1_000;
    const most = joined.reduce((sum, [from]) => sum + (answered - from), 0) / 1_000;
    const told = minutes * 60;
    assert.ok(told >= least - 0.1 && told <= most + 0.1, `${told} s were told, the clock says ${least} to ${most} s`);

    for (const person of people) {
      await person.eventuallyIs('joined');
      await person.eventuallyMeets(...people.filter((other) => other !== person));
    }
    await everybodySeesAndHearsEverybody(people);
    await watch.growsFor(3);
  }
  for (const person of people) assert.equal(await person.asks((meeting) => meeting.self.id), person.id);
  await watch.stop();
});

test('a restart by the administrator is such a pause too', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const watch = stage.watches(meeting);
  const people = await stage.gathers(meeting, 'Ada', 'Bob');
  await everybodySeesAndHearsEverybody(people);
  const { id } = await watch.now();
  await stage.salon.stop();
  await stage.salon.startAgain();
  const session = await watch.eventuallyCounts(2, EVERYBODY_IS_BACK);
  assert.equal(session.id, id);
  await everybodySeesAndHearsEverybody(people);
  await watch.stop();
});
