// Whatever is open, and however large the window is: Join, mute and Leave can be reached.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { eventually } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';
import { Visitor } from './support/visitor.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(() => stage?.close());

/** Phones, tablets, small and large windows. */
const SIZES = [[360, 640], [390, 844], [768, 1024], [900, 700], [1024, 768], [1280, 800], [1366, 650], [1920, 1080]];
const PANELS = [['Chat', 'rtk-chat'], ['Polls', 'rtk-polls'], ['Participants', 'rtk-participants'], ['Plugins', 'rtk-plugins']];

async function visits(name, meeting) {
  const { token } = await stage.api.addParticipant(meeting, { name, preset: 'group_call_host' });
  const context = await stage.context(name, { viewport: { width: 1280, height: 800 } });
  const visitor = new Visitor(name, await context.newPage());
  await visitor.page.goto(`${stage.salon.origin}/#token=${token}`);
  await visitor.locator('rtk-setup-screen').waitFor();
  return visitor;
}

/** Whether a click in the middle of it would reach it. */
async function isUncovered(locator, what) {
  await eventually(what, () => locator.first().click({ trial: true, timeout: 5_000 }));
}

const resizes = ({ page }, [width, height]) => page.setViewportSize({ width, height });
const named = ([width, height]) => `${width} x ${height}`;

/** What covers mute or Leave at this size. */
async function canMuteAndLeave(visitor, where) {
  await isUncovered(visitor.locator('rtk-controlbar rtk-mic-toggle'), `mute is uncovered ${where}`);
  await isUncovered(visitor.locator('rtk-controlbar rtk-leave-button'), `Leave is uncovered ${where}`);
}

test('Join, mute and Leave are uncovered at every size, with and without each panel', { timeout: 400_000 }, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Sizes' });
  const ada = await visits('Ada', meeting);
  for (const size of SIZES) {
    await resizes(ada, size);
    await isUncovered(ada.locator('rtk-setup-screen').getByRole('button', { name: 'Join' }), `Join is uncovered at ${named(size)}`);
  }
  await ada.enters();
  await ada.isIn();
  assert.equal(await ada.page.getByRole('complementary').count(), 0, 'the live panel is closed until somebody opens it');
  const details = ada.page.getByRole('button', { name: 'Details' });
  for (const size of SIZES) {
    await resizes(ada, size);
    await canMuteAndLeave(ada, `at ${named(size)}`);
    await details.click();
    await ada.page.getByRole('complementary', { name: 'Right now' }).waitFor();
    await canMuteAndLeave(ada, `beside the live panel at ${named(size)}`);
    for (const [name, element] of PANELS) {
      await ada.opens(name, element);
      await canMuteAndLeave(ada, `with ${name} at ${named(size)}`);
      await ada.panel('rtk-sidebar').locator('.close').first().click();
      await ada.panel(element).waitFor({ state: 'detached' });
    }
    await resizes(ada, [size[0] - 1, size[1]]);
    await ada.page.getByRole('complementary').waitFor({ state: 'detached' });
  }
  ada.isContent(stage.salon.origin);
});
