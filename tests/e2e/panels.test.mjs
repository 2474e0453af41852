// Every panel of the official UI kit on Salon's page, opened and used, by hosts and by guests, wide and on a phone.
// Asserts what people read; `out/panels-*.png` are for eyes.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { eventually, eventuallyEqual } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';
import { Visitor } from './support/visitor.mjs';

let stage;
let people = [];
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(async () => {
  people = [];
  await stage.clear();
});
after(() => stage?.close());

const LIMIT = { timeout: 120_000 };
const WIDE = { viewport: { width: 1500, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

/** Somebody with a participant token on Salon's page, in front of the setup screen. */
async function visits(name, meeting, preset, screen = WIDE) {
  const { token } = await stage.api.addParticipant(meeting, { name, preset });
  const context = await stage.context(name, screen);
  const visitor = new Visitor(name, await context.newPage());
  people.push(visitor);
  await visitor.page.goto(`${stage.salon.origin}/#token=${token}`);
  await visitor.locator('rtk-setup-screen').waitFor();
  return visitor;
}

async function comesIn(name, meeting, preset, screen) {
  const visitor = await visits(name, meeting, preset, screen);
  await visitor.enters();
  await visitor.isIn();
  return visitor;
}

/** How the last poll stands, as somebody sees it. */
function eventuallyCounts(visitor, ...counts) {
  const seen = () => visitor.panel('rtk-poll').locator('.counter').allInnerTexts();
  return eventuallyEqual(`the votes ${visitor.name} sees`, seen, counts);
}

function everybodyIsContent() {
  for (const visitor of people) visitor.isContent(stage.salon.origin);
}

/** Somebody's entry in the participants panel. */
const entry = (visitor, name) => visitor.panel('rtk-participants').locator('rtk-participant').filter({ hasText: name });

/** Turns to a list of the participants panel: `Requests`, `Participants`, `Viewers`. */
const turnsTo = (visitor, list) => visitor.panel('rtk-participants').getByRole('button', { name: list }).first().click();

/** Chooses from the menu of somebody's entry in the participants panel. */
async function choosesFor(host, name, what) {
  const menu = entry(host, name).locator('rtk-menu-list');
  // It stays open until something else is clicked.
  if (!(await menu.isVisible())) await entry(host, name).locator('.menu rtk-button').click();
  await menu.getByText(what, { exact: true }).click();
}

test('a guest waits, the host lets them in from the participants panel, finds, mutes, pins and removes them', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Panels' });
  const ada = await comesIn('Ada', meeting, 'group_call_host');
  const bob = await visits('Bob', meeting, 'group_call_guest');
  await bob.enters();
  await bob.reads('You are in the waiting room');
  await bob.screenshot('waiting-guest');

  await ada.opens('Participants', 'rtk-participants');
  await turnsTo(ada, 'Requests');
  await ada.reads('Waiting (1)', 'rtk-participants');
  await ada.screenshot('participants-waiting');
  await ada.panel('rtk-participants-waiting-list').locator('.accept').click();
  await bob.isIn();
  await ada.readsNoMore('Waiting (1)', 'rtk-participants');
  await turnsTo(ada, 'Participants');
  await entry(ada, 'Bob').waitFor();
  const cleo = await comesIn('Cleo', meeting, 'group_call_participant');
  await entry(ada, 'Cleo').waitFor();
  await ada.screenshot('participants-host');

  await ada.panel('rtk-participants').locator('input').fill('cle');
  await entry(ada, 'Bob').waitFor({ state: 'detached' });
  assert.equal(await entry(ada, 'Cleo').count(), 1);
  await ada.panel('rtk-participants').locator('input').fill('');
  await entry(ada, 'Bob').waitFor();

  await choosesFor(ada, 'Bob', 'Mute');
  await bob.locator('rtk-mic-toggle').getByRole('button', { name: 'Mic Off' }).waitFor();
  await choosesFor(ada, 'Bob', 'Pin');
  await cleo.locator('rtk-participant-tile').filter({ hasText: 'Bob' }).locator('.pinned-icon').first().waitFor();
  await ada.screenshot('participants-pinned-host');
  await cleo.screenshot('participants-pinned-member');
  await choosesFor(ada, 'Bob', 'Unpin');

  await bob.opens('Participants', 'rtk-participants');
  await entry(bob, 'Ada').waitFor();
  await bob.screenshot('participants-guest');
  assert.equal(await entry(bob, 'Ada').locator('.menu').count(), 0, 'a guest has no power over others');

  await choosesFor(ada, 'Bob', 'Kick');
  await bob.page.getByRole('heading', { name: 'You were removed' }).waitFor();
  await bob.screenshot('removed');
  await entry(ada, 'Bob').waitFor({ state: 'detached' });
  everybodyIsContent();
});

test('people write to each other, and see it whether the panel is open or not', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Panels' });
  const ada = await comesIn('Ada', meeting, 'group_call_host');
  const bob = await comesIn('Bob', meeting, 'group_call_participant');
  await ada.opens('Chat', 'rtk-chat');
  await ada.screenshot('chat-empty');
  const box = ada.panel('rtk-chat').locator('textarea');
  await box.fill('Hello Bob, look: **bold**');
  await box.press('Enter');
  await ada.reads('Hello Bob', 'rtk-chat');
  await bob.opens('Chat', 'rtk-chat');
  await bob.reads('Hello Bob', 'rtk-chat');
  await bob.panel('rtk-chat').locator('textarea').fill('Hello Ada');
  await bob.panel('rtk-chat').locator('textarea').press('Enter');
  await ada.reads('Hello Ada', 'rtk-chat');
  await ada.panel('rtk-chat').locator('rtk-emoji-picker-button').click();
  await ada.panel('rtk-emoji-picker').waitFor();
  await ada.screenshot('chat-emoji');
  await ada.panel('rtk-emoji-picker').getByText('😃').first().click();
  await ada.screenshot('chat-host');
  await bob.screenshot('chat-member');
  everybodyIsContent();
});

test('a poll is made, voted on and counted in its panel', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Panels' });
  const ada = await comesIn('Ada', meeting, 'group_call_host');
  const bob = await comesIn('Bob', meeting, 'group_call_participant');
  const panel = await ada.opens('Polls', 'rtk-polls');
  if (!(await panel.locator('rtk-poll-form').isVisible())) await panel.getByText('Create Poll', { exact: false }).first().click();
  await ada.screenshot('polls-empty');
  await panel.locator('rtk-poll-form textarea').fill('Tea or coffee?');
  await panel.locator('rtk-poll-form .option input').nth(0).fill('Tea');
  await panel.locator('rtk-poll-form .option input').nth(1).fill('Coffee');
  await ada.screenshot('polls-form');
  await panel.locator('rtk-poll-form rtk-button[kind=wide]').click();
  await ada.reads('Tea or coffee?', 'rtk-poll');
  const bobs = await bob.opens('Polls', 'rtk-polls');
  await bob.reads('Tea or coffee?', 'rtk-poll');
  await bob.screenshot('polls-before-vote');
  await bobs.getByText('Coffee', { exact: true }).click();
  await eventuallyCounts(bob, '0', '1');
  // The kit hides how a vote stands from those who have not voted, unless one unticks that.
  await eventuallyCounts(ada, '0', '0');
  await panel.getByText('Tea', { exact: true }).click();
  await eventuallyCounts(ada, '1', '1');
  await eventuallyCounts(bob, '1', '1');
  await ada.screenshot('polls-host');
  await bob.screenshot('polls-member');
  everybodyIsContent();
});

test('plugins, settings with their pages, and the rest of the menu open and close', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Panels' });
  const ada = await comesIn('Ada', meeting, 'group_call_host');
  const bob = await comesIn('Bob', meeting, 'group_call_participant');
  await ada.opens('Plugins', 'rtk-plugins');
  await ada.screenshot('plugins');
  await ada.panel('rtk-sidebar').locator('.close').first().click();
  await ada.panel('rtk-plugins').waitFor({ state: 'detached' });

  await ada.controls('Settings');
  const settings = ada.locator('rtk-settings');
  await settings.waitFor();
  await settings.getByRole('button', { name: 'Audio' }).click();
  await ada.screenshot('settings-audio');
  await settings.getByText('Test', { exact: true }).first().click();
  const microphones = settings.locator('rtk-microphone-selector select');
  await microphones.selectOption({ label: 'Fake Audio Input 1' });
  await eventuallyEqual('the microphone in use', () => ada.inUse('audio'), 'Fake Audio Input 1');
  await settings.getByRole('button', { name: 'Video' }).click();
  await settings.locator('rtk-settings-video video').waitFor();
  await ada.screenshot('settings-video');
  await ada.locator('rtk-dialog #dismiss-btn').click();
  await settings.waitFor({ state: 'detached' });

  await ada.locator('rtk-more-toggle').getByRole('button', { name: 'More' }).click();
  await ada.screenshot('menu-host');
  await ada.locator('rtk-more-toggle').getByRole('button', { name: 'More' }).click();
  await bob.locator('rtk-more-toggle').getByRole('button', { name: 'More' }).click();
  await bob.screenshot('menu-member');
  await bob.locator('rtk-more-toggle').getByRole('button', { name: 'More' }).click();

  await ada.controls('Troubleshooting');
  await ada.locator('rtk-debugger').waitFor();
  await ada.screenshot('troubleshooting');
  await ada.locator('rtk-dialog #dismiss-btn').click();
  await ada.locator('rtk-debugger').waitFor({ state: 'detached' });

  // Everybody sees that it is recorded, and when no more.
  const recorded = (person) => person.locator('rtk-recording-indicator').getByText('REC').first();
  await ada.controls('Record');
  for (const person of [ada, bob]) await recorded(person).waitFor({ timeout: 30_000 });
  await ada.screenshot('record');
  await ada.controls('Stop Recording');
  for (const person of [ada, bob]) await recorded(person).waitFor({ state: 'hidden', timeout: 40_000 });
  // Who may record is told where it is; nobody else is.
  const file = ada.page.getByRole('status', { name: 'Recordings' });
  await file.getByText('The recording is ready').waitFor({ timeout: 30_000 });
  await ada.screenshot('recorded');
  const response = await fetch(await file.getByRole('link', { name: 'Download' }).getAttribute('href'));
  assert.equal(response.headers.get('content-type'), 'video/mp4');
  await response.body.cancel();
  await file.getByRole('button', { name: 'OK' }).click();
  await file.getByText('The recording is ready').waitFor({ state: 'detached' });
  assert.equal(await bob.page.getByText('The recording is ready').count(), 0);

  await ada.controls('Mute all');
  await ada.screenshot('mute-all');
  await ada.locator('rtk-mute-all-confirmation rtk-button[variant=danger]').click();
  await bob.locator('rtk-mic-toggle').getByRole('button', { name: 'Mic Off' }).waitFor();
  everybodyIsContent();
});

test('somebody in the audience of a webinar asks for the stage and is let on from the participants panel', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Panels' });
  const ada = await comesIn('Ada', meeting, 'webinar_presenter');
  const bob = await comesIn('Bob', meeting, 'webinar_viewer');
  await bob.screenshot('webinar-viewer');
  await bob.locator('rtk-stage-toggle').getByRole('button').click();
  await ada.opens('Participants', 'rtk-participants');
  await turnsTo(ada, 'Requests');
  await ada.reads('Bob', 'rtk-participants-stage-queue');
  await ada.screenshot('webinar-requests');
  await ada.panel('rtk-participants-stage-queue').locator('.accept').click();
  await bob.locator('rtk-join-stage').getByText('Join', { exact: false }).last().waitFor();
  await bob.screenshot('webinar-join-stage');
  await bob.locator('rtk-join-stage rtk-button').last().click();
  await bob.locator('rtk-join-stage').waitFor({ state: 'detached' });
  await ada.locator('rtk-participant-tile').filter({ hasText: 'Bob' }).first().waitFor();
  await ada.screenshot('webinar-both');
  everybodyIsContent();
});

test('a phone shows every panel in full', LIMIT, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Panels' });
  const ada = await comesIn('Ada', meeting, 'group_call_host');
  const bob = await comesIn('Bob', meeting, 'group_call_participant', PHONE);
  await eventually('the phone shows Ada', async () => {
    assert.equal(await bob.locator('rtk-participant-tile').filter({ hasText: 'Ada' }).count(), 1);
  });
  await bob.screenshot('phone-call');
  for (const [name, element] of [['Chat', 'rtk-chat'], ['Polls', 'rtk-polls'], ['Participants', 'rtk-participants'], ['Plugins', 'rtk-plugins']]) {
    const panel = await bob.opens(name, element);
    await bob.screenshot(`phone-${name.toLowerCase()}`);
    const { x, width } = await panel.boundingBox();
    assert.ok(x >= 0 && x + width <= PHONE.viewport.width, `${name} is cut off: ${x} + ${width}`);
    await bob.panel('rtk-sidebar').locator('.close').first().click();
  }
  await bob.controls('Settings');
  await bob.locator('rtk-settings').waitFor();
  await bob.screenshot('phone-settings');
  everybodyIsContent();
});
