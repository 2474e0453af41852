//! Publishers are told to stop the layers that nobody wants. The web SDK has no message for that, but browsers send no more
//! than a receiver says it takes (REMB, draft-alvestrand-rmcat-remb-03), and give up the largest layers first.
//! Invariant: a limit is taken back in the very call in which somebody wants more; only a camera that is alone on its
//! connection is held, because the limit is for the whole connection and another picture must not suffer.
//! Pure choice here, and the few lines in which the engine acts on it.

use std::time::Instant;

use super::Engine;
use super::key::{Key, ProducerKey};
use super::layers::{Candidate, Rank, choose};
use super::producer::Producer;
use crate::limits::{HOLD_AFTER, REMB_BITS_PER_SECOND};
use crate::sdp::Kind;

/// What takes a limit back: more than any client sends.
const LIFTED: u64 = 100_000_000;

/// Cameras up to this many pixels are not worth it.
const PIXELS: u32 = 200_000;

/// What a connection carries beside pictures: headers, reports, what is sent again.
const BESIDE: u64 = 60_000;

/// What Chromium spends on a layer by its pixels: at least, usually, at most, in bit/s (libwebrtc, video/config/simulcast.cc).
const SPENDS: [(u32, [u64; 3]); 6] = [
    (320 * 180, [30_000, 150_000, 200_000]),
    (480 * 270, [150_000, 350_000, 450_000]),
    (640 * 360, [150_000, 500_000, 700_000]),
    (960 * 540, [350_000, 1_200_000, 1_200_000]),
    (1280 * 720, [600_000, 2_500_000, 2_500_000]),
    (1920 * 1080, [800_000, 4_000_000, 5_000_000]),
];

/// Between two sizes what is between their rates.
fn spends(pixels: u32) -> [u64; 3] {
    let above = SPENDS.iter().position(|(size, _)| pixels <= *size);
    match above {
        Some(0) => SPENDS[0].1,
        None => SPENDS[SPENDS.len() - 1].1,
        Some(above) => {
            let ((small, less), (large, more)) = (SPENDS[above - 1], SPENDS[above]);
            let share = u64::from(pixels - small) * 1_000 / u64::from(large - small);
            std::array::from_fn(|n| less[n] + (more[n] - less[n]) * share / 1_000)
        }
    }
}

/// The most that a browser may send for its layers so that it gives up those above the largest that is wanted. `layers` from
/// the smallest on, in pixels; `wanted` is the place of the largest that anybody wants. None if there is nothing to give up.
fn ceiling(layers: &[u32], wanted: usize) -> Option<u64> {
    let next = layers.get(wanted + 1)?;
    let usual = |layers: &[u32]| layers.iter().map(|pixels| spends(*pixels)[1]).sum::<u64>();
    let enough = usual(&layers[..wanted]) + spends(layers[wanted])[2];
    // With this much the next layer would come on; a tenth less keeps it off.
    let too_much = (usual(&layers[..=wanted]) + spends(*next)[0]) * 9 / 10;
    Some(enough.min(too_much))
}

impl Producer {
    /// What its publisher may send at most without anybody losing a layer they want. None for no limit.
    fn enough(&self, wanted: &[Option<str0m::media::Rid>]) -> Option<u64> {
        let mut layers: Vec<(Rank, Candidate, u32)> = Vec::new();
        for (index, (candidate, known)) in self.candidates().into_iter().zip(self.known_layers()).enumerate() {
            let (width, height) = self.size_of(index)?;
            if known.beyond.is_none() {
                // One that is held back already would come if it were wanted.
                let candidate = Candidate { alive: true, ..candidate };
                layers.push((candidate.rank, candidate, u32::from(width) * u32::from(height)));
            }
        }
        layers.sort_by_key(|(rank, ..)| std::cmp::Reverse(*rank));
        if layers.last().is_none_or(|(.., pixels)| *pixels <= PIXELS) {
            return None;
        }
        let candidates: Vec<Candidate> = layers.iter().map(|(_, candidate, _)| *candidate).collect();
        let largest = wanted.iter().filter_map(|rid| choose(&candidates, *rid)).max().unwrap_or(0);
        let pixels: Vec<u32> = layers.iter().map(|(.., pixels)| *pixels).collect();
        ceiling(&pixels, largest)
    }
}

impl Engine {
    /// What a connection that publishes may send at most.
    fn enough_of(&self, key: Key) -> Option<u64> {
        let transport = self.transports.get(key)?;
        let producers = || transport.publishing.producers().filter_map(|key| self.producers.get(key));
        let mut pictures = producers().filter(|p| p.kind == Kind::Video);
        let camera = pictures.next().filter(|p| !p.screen_share && !p.paused)?;
        // What people want on other threads is not known here.
        if pictures.next().is_some() || !camera.mirrors.is_empty() {
            return None;
        }
        let wanted = camera.consumers.iter().filter_map(|(to, mid)| {
            let consumer = self.transports.get(*to)?.subscribing.consumer(*mid)?;
            Some(consumer.wanted)
        });
        let wanted: Vec<_> = wanted.collect();
        let sound: u64 = producers().filter(|p| p.kind == Kind::Audio).map(Producer::rate).sum();
        Some(camera.enough(&wanted)? + sound + BESIDE)
    }

    /// Looks at all connections that publish; runs seldom. What nobody has wanted since the last time is held back.
    pub(super) fn hold_back(&mut self, now: Instant) {
        let keys: Vec<Key> =
            self.producers.iter().filter(|(_, p)| p.kind == Kind::Video).filter_map(|(_, p)| Some(p.line()?.0)).collect();
        for key in keys {
            let enough = self.enough_of(key);
            let Some(transport) = self.transports.get_mut(key) else { continue };
            let settled = transport.age(now) >= HOLD_AFTER;
            let lately = transport.publishing.set_holdable(enough.is_some());
            if transport.publishing.held_to().is_some() && enough.is_none() {
                self.lift_limit(key);
                continue;
            }
            let Some(enough) = enough.filter(|_| settled && lately) else { continue };
            // Said again each time: a report may be lost.
            if self.limit(key, enough)
                && let Some(transport) = self.transports.get_mut(key)
            {
                transport.publishing.hold_to(Some(enough));
            }
        }
    }

    /// Somebody may want more of a producer, or it is not alone any more: takes the limit back if it is in the way.
    pub(super) fn lift(&mut self, producer: ProducerKey) {
        let Some((key, _)) = self.producers.get(producer).and_then(Producer::line) else { return };
        let Some(held_to) = self.transports.get(key).and_then(|t| t.publishing.held_to()) else { return };
        if self.enough_of(key).is_some_and(|enough| enough <= held_to + BESIDE) {
            return;
        }
        self.lift_limit(key);
    }

    fn lift_limit(&mut self, key: Key) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.publishing.set_holdable(false);
        let lifted = if transport.is_remb_only() { REMB_BITS_PER_SECOND } else { LIFTED };
        // Without a stream to say it on it holds until there is one.
        if self.limit(key, lifted)
            && let Some(transport) = self.transports.get_mut(key)
        {
            transport.publishing.hold_to(None);
        }
    }

    /// Tells a publisher how much to send at most. False if nothing has come from it yet.
    fn limit(&mut self, key: Key, bits_per_second: u64) -> bool {
        let Some(transport) = self.transports.get_mut(key) else { return false };
        let producers = transport.publishing.producers().filter_map(|key| self.producers.get(key));
        let streams = producers.filter_map(|p| Some((p, p.line()?.1)));
        let streams: Vec<_> = streams.flat_map(|(p, mid)| p.rids().into_iter().map(move |rid| (mid, rid))).collect();
        // It is for the whole connection, so one stream of it may carry the word.
        let told = streams.into_iter().any(|(mid, rid)| transport.request_at_most(mid, rid, bits_per_second));
        if told {
            self.transports.touch(key);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: [u32; 3] = [320 * 180, 640 * 360, 1280 * 720];

    #[test]
    fn what_is_wanted_has_enough_and_what_is_not_wanted_has_too_little_to_come_on() {
        assert_eq!(ceiling(&HD, 2), None, "all are wanted");
        assert_eq!(ceiling(&HD, 1), Some(850_000), "all of the half-size layer, and less than 1250 kbit/s");
        assert_eq!(ceiling(&HD, 0), Some(200_000));
        let vga = [320 * 240, 640 * 480];
        let enough = ceiling(&vga, 0).expect("a limit");
        assert!((250_000..370_000).contains(&enough), "{enough}");
        assert_eq!(ceiling(&[640 * 480], 0), None);
    }

    #[test]
    fn rates_between_two_sizes_are_between_their_rates() {
        assert_eq!(spends(1), [30_000, 150_000, 200_000]);
        assert_eq!(spends(640 * 360), [150_000, 500_000, 700_000]);
        assert_eq!(spends(4_000_000), [800_000, 4_000_000, 5_000_000]);
        let middle = spends(640 * 480);
        assert!(middle[1] > 500_000 && middle[1] < 1_200_000, "{middle:?}");
    }
}
