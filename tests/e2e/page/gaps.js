// The longest time in which nothing new was seen or heard of somebody, as their client shows them.
// Invariant: what counts is the track that the client shows at that moment, whichever it is; a client that shows none
// shows nothing.

/** How often there is a look at which tracks are shown, and at what is heard, in milliseconds. */
const EVERY_MS = 15;

/** Below this (of full scale) there is nothing to hear. */
const AUDIBLE = 0.003;

let context;

export class Gaps {
  #participant;
  #pictures = new Map();
  #sounds = new Map();
  #began;
  #last = {};
  #longest = {};

  /** `participant` finds somebody as the client shows them now. */
  constructor(participant) {
    this.#participant = participant;
    this.begin();
    setInterval(() => this.#look(), EVERY_MS);
  }

  /** What was before does not count. */
  begin() {
    const now = performance.now();
    this.#began = now;
    this.#last = { picture: now, sound: now };
    this.#longest = { picture: 0, sound: 0 };
  }

  /** The longest times so far, and the whole time, in milliseconds. */
  longest() {
    const now = performance.now();
    const of = (what) => Math.round(Math.max(this.#longest[what], now - this.#last[what]));
    return { picture: of('picture'), sound: of('sound'), of: Math.round(now - this.#began) };
  }

  #note(of) {
    const now = performance.now();
    this.#longest[of] = Math.max(this.#longest[of], now - this.#last[of]);
    this.#last[of] = now;
  }

  #look() {
    const { videoTrack, audioTrack } = this.#participant() ?? {};
    if (videoTrack && !this.#pictures.has(videoTrack)) this.#watch(videoTrack);
    if (!audioTrack) return;
    if (!this.#sounds.has(audioTrack)) this.#listen(audioTrack);
    const { analyser, samples } = this.#sounds.get(audioTrack);
    analyser.getFloatTimeDomainData(samples);
    if (samples.some((sample) => Math.abs(sample) > AUDIBLE)) this.#note('sound');
  }

  #watch(track) {
    const video = Object.assign(document.createElement('video'), { muted: true, autoplay: true, playsInline: true });
    video.style.cssText = 'position: fixed; right: 0; bottom: 0; width: 16px; height: 12px';
    document.body.append(video);
    video.srcObject = new MediaStream([track]);
    void video.play().catch(() => {});
    const frame = () => {
      if (!video.isConnected) return;
      if (this.#participant()?.videoTrack === track) this.#note('picture');
      video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
    this.#pictures.set(track, { video });
  }

  #listen(track) {
    context ??= new AudioContext();
    void context.resume();
    const stream = new MediaStream([track]);
    // Chromium hands the sound of a remote track on only while an element plays it.
    const element = Object.assign(new Audio(), { srcObject: stream, muted: true });
    void element.play().catch(() => {});
    const analyser = context.createAnalyser();
    analyser.fftSize = 1_024;
    context.createMediaStreamSource(stream).connect(analyser);
    this.#sounds.set(track, { element, analyser, samples: new Float32Array(analyser.fftSize) });
  }
}
