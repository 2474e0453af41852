// Real browsers with fake cameras. Chromium runs once per person, because its fake devices belong to the process.
// Firefox is driven over WebDriver BiDi; its microphone is a fake of its own, its camera the page draws (`page/drawn.js`).

import { existsSync } from 'node:fs';

import { chromium } from 'playwright-core';

import { fakeDevices } from './fake-devices.mjs';

const CHROMIUM = process.env.SALON_CHROMIUM ?? '/usr/bin/chromium';
const FIREFOX = [process.env.SALON_FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox'];

/** By person: browsers that stay open for the test files after this one in the same process. `null` if none do. */
let kept = null;

/** From now on a person's ordinary browser outlives a test file, until `closeKept`. */
export function keepBrowsers() {
  kept = new Map();
}

export async function closeKept() {
  const browsers = await Promise.allSettled(kept?.values() ?? []);
  kept = null;
  await Promise.allSettled(browsers.map(({ value }) => value?.close()));
}

/** A person's ordinary Chromium, if browsers are kept: the one that is open already, or a new one. */
export async function keptChromium(name, person) {
  if (!kept) return null;
  const open = await kept.get(name)?.catch(() => null);
  if (!open?.isConnected()) kept.set(name, openChromium(person));
  return kept.get(name);
}

/** A Chromium whose camera and microphone are `person`'s; `withoutUdp`, as behind a firewall that lets none through. */
export async function openChromium({ withoutUdp = false, ...person }) {
  const { camera, microphone } = fakeDevices(person);
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [
      '--headless=new',
      '--no-sandbox',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-video-capture=${camera}`,
      `--use-file-for-fake-audio-capture=${microphone}`,
      '--autoplay-policy=no-user-gesture-required',
      '--disable-quic',
      ...(withoutUdp ? ['--webrtc-ip-handling-policy=disable_non_proxied_udp'] : []),
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      '--disable-renderer-backgrounding',
      '--disable-background-timer-throttling',
      '--disable-backgrounding-occluded-windows',
    ],
  });
}

/** Where Firefox is, or `null`. */
export function firefox() {
  return FIREFOX.find((path) => path && existsSync(path)) ?? null;
}

export async function openFirefox({ tone }) {
  if (!firefox()) throw new Error('Firefox is not installed');
  const { default: puppeteer } = await import('puppeteer-core');
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: firefox(),
    headless: true,
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.navigator.audio.fake_frequency': tone,
      'media.autoplay.default': 0,
      'media.autoplay.blocking_policy': 0,
      'datareporting.policy.dataSubmissionEnabled': false,
      'app.update.enabled': false,
    },
  });
}
