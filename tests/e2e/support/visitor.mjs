// Somebody in front of Salon's own page: what they click in the kit, and everything their browser said and asked for.
// Selectors reach through the kit's shadow roots by themselves.

import assert from 'node:assert/strict';
import { join } from 'node:path';

import { eventually } from './eventually.mjs';
import { OUT } from './places.mjs';

export class Visitor {
  /** Every host the browser talked to. */
  hosts = new Set();
  /** What went wrong in the page, as a developer would read it. */
  complaints = [];

  constructor(name, page) {
    Object.assign(this, { name, page });
    const visit = (address) => {
      const { protocol, host } = new URL(address);
      if (/^(http|ws)s?:$/.test(protocol)) this.hosts.add(host);
    };
    page.on('request', (request) => visit(request.url()));
    page.on('websocket', (socket) => visit(socket.url()));
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      // The live panel asks about a meeting in which nobody is yet: the API says so with 404, and the browser notes it.
      if (message.location().url.endsWith('/active-session')) return;
      this.complaints.push(`${message.text()} ${message.location().url}`);
    });
  }

  locator(...args) {
    return this.page.locator(...args);
  }

  /** Through the kit's setup screen; who has to wait stays in the waiting room. */
  async enters() {
    await this.locator('rtk-setup-screen').getByRole('button', { name: 'Join' }).click();
  }

  async isIn() {
    await this.locator('rtk-controlbar').first().waitFor();
  }

  /** Clicks something of the control bar, wherever the kit has put it at this size. */
  async controls(name) {
    const button = this.locator('rtk-controlbar').getByRole('button', { name, exact: true }).first();
    // The menu may be about to close: whoever finds it closed opens it.
    await eventually(`${name} is there`, async () => {
      if (await button.isVisible()) return;
      await this.locator('rtk-more-toggle').getByRole('button', { name: 'More' }).click();
      await button.waitFor({ timeout: 2_000 });
    });
    await button.click();
  }

  /** Opens a panel of the sidebar; answers with it. */
  async opens(name, element) {
    await this.controls(name);
    const panel = this.panel(element);
    await panel.waitFor();
    return panel;
  }

  /** A panel that is open. At some sizes the kit draws it twice, of which people see one. */
  panel(element) {
    return this.locator(element).filter({ visible: true }).last();
  }

  async reads(text, within = 'rtk-meeting') {
    await this.panel(within).getByText(text).first().waitFor({ timeout: 15_000 });
  }

  async readsNoMore(text, within = 'rtk-meeting') {
    await eventually(`${this.name} reads no more ${text}`, async () => {
      assert.equal(await this.locator(within).getByText(text).count(), 0);
    });
  }

  /** The device the SDK says it uses; `audio` or `video`. */
  inUse(kind) {
    return this.page.evaluate(
      (of) => document.querySelector('rtk-meeting').meeting.self.getCurrentDevices()[of]?.label,
      kind,
    );
  }

  /** A picture of the page as it is, for people to look at. */
  async screenshot(what) {
    await this.page.screenshot({ path: join(OUT, `panels-${what}.png`), animations: 'disabled' });
  }

  /** Nothing was asked of other hosts, and nothing went wrong unseen. */
  isContent(origin) {
    assert.deepEqual([...this.hosts], [new URL(origin).host], `${this.name}'s browser went elsewhere`);
    assert.deepEqual(this.complaints, [], `${this.name}'s browser complained`);
  }
}
