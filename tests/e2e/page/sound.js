// Listens to a track: which tone is loudest, and how loud.

let context;

export class Sound {
  #analyser;
  #element;
  #bins;

  constructor(track) {
    context ??= new AudioContext();
    void context.resume();
    this.track = track;
    const stream = new MediaStream([track]);
    // Chromium hands the sound of a remote track on only while an element plays it.
    this.#element = new Audio();
    this.#element.srcObject = stream;
    this.#element.muted = true;
    void this.#element.play().catch(() => {});
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = 8_192;
    this.#analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(stream).connect(this.#analyser);
    this.#bins = new Float32Array(this.#analyser.frequencyBinCount);
  }

  /** The loudest tone, in hertz and decibels below full scale. */
  heard() {
    this.#analyser.getFloatFrequencyData(this.#bins);
    // What hums below 100 Hz is nobody's tone.
    const width = context.sampleRate / this.#analyser.fftSize;
    let loudest = Math.ceil(100 / width);
    for (let bin = loudest; bin < this.#bins.length; bin++) {
      if (this.#bins[bin] > this.#bins[loudest]) loudest = bin;
    }
    return { hz: Math.round(loudest * width), decibels: Math.max(Math.round(this.#bins[loudest]), -200) };
  }

  stop() {
    this.#element.srcObject = null;
    this.#analyser.disconnect();
  }
}

/** A microphone, or the sound of a screen, that beeps like the fake devices do. */
export function beeping(tone) {
  context ??= new AudioContext();
  void context.resume();
  const oscillator = new OscillatorNode(context, { frequency: tone });
  const volume = new GainNode(context, { gain: 0 });
  const out = new MediaStreamAudioDestinationNode(context);
  oscillator.connect(volume).connect(out);
  oscillator.start();
  // An hour of beeps, set once: nothing has to keep time meanwhile.
  for (let at = 0; at < 3_600; at += 0.4) {
    volume.gain.setValueAtTime(0.3, context.currentTime + at);
    volume.gain.setValueAtTime(0, context.currentTime + at + 0.3);
  }
  return out.stream.getAudioTracks()[0];
}
