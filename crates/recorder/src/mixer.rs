//! The sound of everybody at a moment: a sum, never louder than can be written. Pure; two channels of 48 kHz.
//! Positions are samples since 1970, so that every voice is laid where it was made.
//! Invariant: a voice holds a few seconds at most, whatever its times are.
//! Next: `composite.rs`, which decodes into it and takes out tick by tick.

use std::collections::{BTreeMap, VecDeque};

use crate::news::Key;

/// Samples of a second.
pub const RATE: i64 = 48_000;

/// Sound this close to the end of what is there follows it without a gap, in samples: 20 ms.
const SAME: i64 = 960;

/// Sound that follows is stretched or shortened until it is no further than this from where it belongs, in samples: 1 ms.
const NEAR: i64 = 48;

/// Of so many samples it is by one: a thousandth is heard by nobody, and more than clocks of computers differ.
const BENT: usize = 960;

/// Sound further ahead than this is of another time: what was there is dropped. In samples.
const AHEAD: i64 = 5 * RATE;

/// Sound that begins after silence rises over so many samples: no click.
const RISE: usize = 240;

/// The loudest sample that is written.
const CEILING: f32 = 0.98;

/// A voice counts as speaking above this (root of the mean square).
const SPEAKS: f32 = 0.01;

#[derive(Debug, Default)]
pub struct Mixer {
    voices: BTreeMap<Key, Voice>,
    /// What the sum is multiplied by.
    gain: f32,
}

#[derive(Debug, Default)]
struct Voice {
    /// Where the first sample in the buffer belongs.
    start: i64,
    /// Left and right in turn.
    buffer: VecDeque<f32>,
    /// Its loudness, as of late.
    level: f32,
    has_ended: bool,
}

impl Voice {
    fn end(&self) -> i64 {
        self.start + self.buffer.len() as i64 / 2
    }
}

/// Lays sound longer or shorter by a sample of each `BENT`: from one to the next it is passed over in a straight line.
fn bend(samples: &[f32], longer: bool, to: &mut VecDeque<f32>) {
    let count = samples.len() / 2;
    let by = count / BENT;
    let length = if longer { count + by } else { count - by };
    for n in 0..length {
        // Where in what there is the nth lies, from its first to its last.
        let at = n * (count - 1);
        let (first, part) = (at / (length - 1).max(1), (at % (length - 1).max(1)) as f32 / (length - 1).max(1) as f32);
        for channel in 0..2 {
            let one = samples[2 * first + channel];
            let next = samples.get(2 * first + 2 + channel).copied().unwrap_or(one);
            to.push_back(one + (next - one) * part);
        }
    }
}

impl Mixer {
    pub fn new() -> Self {
        Self { voices: BTreeMap::new(), gain: 1.0 }
    }

    /// Where a voice goes on without a gap; None if nothing of it is there.
    pub fn end_of(&self, key: Key) -> Option<i64> {
        self.voices.get(&key).filter(|voice| !voice.buffer.is_empty()).map(Voice::end)
    }

    /// Samples that wait, of all voices and both channels.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.voices.values().map(|voice| voice.buffer.len()).sum()
    }

    /// Lays sound of a voice at a position.
    pub fn lay(&mut self, key: Key, at: i64, samples: &[f32]) {
        // What a decoder makes beyond full scale is no sound: everybody would be turned down for it.
        let samples: Vec<f32> = samples.iter().map(|sample| sample.clamp(-1.0, 1.0)).collect();
        let samples = &samples[..];
        let voice = self.voices.entry(key).or_default();
        let gap = at - voice.end();
        if voice.buffer.is_empty() || gap > AHEAD || -gap > AHEAD {
            voice.buffer.clear();
            voice.start = at;
        } else if gap > SAME {
            voice.buffer.extend(std::iter::repeat_n(0.0, 2 * gap as usize));
        } else if gap < -SAME {
            // That time has been heard already.
            return;
        } else {
            return match gap {
                _ if gap.abs() <= NEAR => voice.buffer.extend(samples),
                _ => bend(samples, gap > 0, &mut voice.buffer),
            };
        }
        let rising = samples.iter().enumerate().map(|(n, sample)| sample * ((n / 2 + 1) as f32 / RISE as f32).min(1.0));
        voice.buffer.extend(rising);
        // Nobody takes out of a voice that is this far ahead.
        let most = 4 * AHEAD as usize;
        while voice.buffer.len() > most {
            voice.buffer.drain(..2);
            voice.start += 1;
        }
    }

    /// Nothing more comes of a voice: it is forgotten once all of it is taken.
    pub fn end(&mut self, key: Key) {
        if let Some(voice) = self.voices.get_mut(&key) {
            voice.has_ended = true;
        }
    }

    /// The sum of `count` samples from a position on; what was before it is gone.
    pub fn take(&mut self, from: i64, count: usize) -> Vec<f32> {
        let mut sum = vec![0.0; 2 * count];
        self.voices.retain(|_, voice| !voice.has_ended || !voice.buffer.is_empty());
        for voice in self.voices.values_mut() {
            let late = usize::try_from(from - voice.start).unwrap_or(0).min(voice.buffer.len() / 2);
            voice.buffer.drain(..2 * late);
            voice.start += late as i64;
            let begins = usize::try_from(voice.start - from).unwrap_or(0);
            let mut energy = 0.0;
            if begins < count && !voice.buffer.is_empty() {
                let length = (count - begins).min(voice.buffer.len() / 2);
                for (into, sample) in sum[2 * begins..].iter_mut().zip(voice.buffer.drain(..2 * length)) {
                    energy += sample * sample;
                    *into += sample;
                }
                voice.start += length as i64;
            }
            let level = (energy / (2 * count).max(1) as f32).sqrt();
            voice.level = level.max(voice.level * 0.9);
        }
        let loudest = sum.iter().fold(0.0f32, |loudest, sample| loudest.max(sample.abs()));
        let wanted = if loudest * self.gain > CEILING { CEILING / loudest } else { (self.gain * 1.02).min(1.0) };
        let (before, mut change) = (self.gain, (wanted - self.gain) / count.max(1) as f32);
        // Down at once, so that nothing is cut; up little by little.
        if change < 0.0 {
            (self.gain, change) = (wanted, 0.0);
        }
        for (n, pair) in sum.chunks_exact_mut(2).enumerate() {
            let gain = if change > 0.0 { before + change * n as f32 } else { self.gain };
            pair.iter_mut().for_each(|sample| *sample = (*sample * gain).clamp(-1.0, 1.0));
        }
        self.gain = wanted;
        sum
    }

    /// The voices that are heard now, the loudest first.
    pub fn speaking(&self) -> Vec<Key> {
        let mut speaking: Vec<(&Key, f32)> =
            self.voices.iter().map(|(key, voice)| (key, voice.level)).filter(|(_, level)| *level > SPEAKS).collect();
        speaking.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        speaking.into_iter().map(|(key, _)| *key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 80_000_000_000_000;

    fn key(ssrc: u32) -> Key {
        Key { connection: 1, ssrc }
    }

    fn left(mixer: &mut Mixer, from: i64, count: usize) -> Vec<f32> {
        mixer.take(from, count).into_iter().step_by(2).collect()
    }

    #[test]
    fn voices_are_summed_where_they_were_made() {
        let mut mixer = Mixer::new();
        mixer.lay(key(1), AT, &[0.2; 2_000]);
        mixer.lay(key(2), AT + 500, &[0.3; 2_000]);
        let sum = left(&mut mixer, AT, 2_000);
        let close = |at: usize, wanted: f32| assert!((sum[at] - wanted).abs() < 1e-6, "{} at {at}", sum[at]);
        close(400, 0.2);
        close(900, 0.5);
        close(1_200, 0.3);
        close(1_600, 0.0);
        assert_eq!(mixer.speaking(), [key(2), key(1)]);
        assert_eq!(mixer.end_of(key(1)), None);
    }

    #[test]
    fn small_steps_are_no_gaps_and_silence_ends_without_a_click() {
        let mut mixer = Mixer::new();
        mixer.lay(key(1), AT, &[0.5; 1_920]);
        mixer.lay(key(1), AT + 960 + 700, &[0.5; 1_920]);
        // By a sample longer: it comes nearer, little by little.
        assert_eq!(mixer.end_of(key(1)), Some(AT + 1_921));
        mixer.lay(key(1), AT + 1_920 + 2_000, &[0.5; 1_920]);
        mixer.lay(key(1), AT, &[0.9; 1_920]);
        let sum = left(&mut mixer, AT, 6_000);
        assert_eq!((sum[960], sum[1_920], sum[1_921], sum[3_919]), (0.5, 0.5, 0.0, 0.0));
        assert!(sum[3_920] < 0.01 && (sum[3_920 + RISE] - 0.5).abs() < 1e-6);
        assert_eq!(sum[4_880], 0.0);
    }

    #[test]
    fn many_loud_voices_are_turned_down_and_not_cut() {
        let mut mixer = Mixer::new();
        for ssrc in 0..8 {
            mixer.lay(key(ssrc), AT, &[0.5; 9_600]);
        }
        let sum = left(&mut mixer, AT, 2_400);
        assert!(sum.iter().all(|sample| *sample <= CEILING + 1e-6) && (sum[1_000] - CEILING).abs() < 1e-4);
        let before: f32 = left(&mut mixer, AT + 4_800, 100)[50];
        assert_eq!(before, 0.0);
        mixer.lay(key(1), AT + 10_000, &[0.5; 9_600]);
        let later = left(&mut mixer, AT + 10_000, 4_800);
        assert!(later[4_000] < 0.5 && later[4_000] > 0.1, "up again little by little: {}", later[4_000]);
    }

    /// What a decoder makes beyond full scale hushed everybody for two seconds.
    #[test]
    fn what_is_louder_than_any_sound_turns_nobody_down() {
        let mut mixer = Mixer::new();
        mixer.lay(key(1), AT, &[8.0; 1_000]);
        (0..100).for_each(|n| mixer.lay(key(2), AT + n * 960, &[0.5; 1_920]));
        let sum: Vec<f32> = (0..30).flat_map(|tick| left(&mut mixer, AT + tick * 1_600, 1_600)).collect();
        assert!(sum[40_000] > 0.45, "a second later it is {}", sum[40_000]);
    }

    #[test]
    fn times_of_all_kinds_are_taken_and_little_is_kept() {
        let mut mixer = Mixer::new();
        for at in [AT, i64::MAX / 4, 0, AT + 4 * RATE, AT + 9 * RATE, AT - RATE] {
            mixer.lay(key(1), at, &[0.1; 1_920]);
            assert!(mixer.voices[&key(1)].buffer.len() <= 4 * AHEAD as usize);
        }
        mixer.take(AT + 100 * RATE, 1_600);
        mixer.end(key(1));
        mixer.take(AT + 101 * RATE, 1_600);
        assert!(mixer.voices.is_empty());
    }
}
