//! The last packets of one stream of video, for those who missed them: to send again what is lost, and for newcomers to
//! begin with. Payloads are shared with whatever else holds them.
//! Invariant: at most `RESEND_PACKETS`, each in the place of the one that came so many numbers before.
//! Next: `producer.rs` has one for each stream, `replaying.rs` gives newcomers what came since the last key frame.

use std::time::Instant;

use super::packet::Packet;
use crate::limits::{REPAIR_WITHIN, REPLAY_AGE, REPLAY_BYTES, REPLAY_PACKETS, RESEND_AGE, RESEND_PACKETS};

#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// By the lower part of their number; made when the first is kept.
    packets: Vec<Option<Packet>>,
    newest: u64,
    /// The first packet of the last key frame.
    key_frame: Option<KeyFrame>,
}

#[derive(Clone, Copy, Debug)]
struct KeyFrame {
    at: Instant,
    index: u64,
    timestamp: u32,
}

/// What there is from a key frame on: enough for a decoder to show what it would show had it been there all along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    /// Extended sequence numbers as they came.
    pub first: u64,
    pub newest: u64,
    /// Of payload.
    pub bytes: usize,
}

impl Kept {
    pub(crate) fn keep(&mut self, packet: &Packet) {
        if self.packets.is_empty() {
            self.packets.resize(RESEND_PACKETS, None);
        }
        self.newest = self.newest.max(packet.index);
        if packet.starts_key_frame() {
            self.note_key_frame(packet);
        }
        self.packets[packet.index as usize % RESEND_PACKETS] = Some(packet.clone());
    }

    /// Several packets of a picture may look like its first, and they may come in any order.
    fn note_key_frame(&mut self, packet: &Packet) {
        match &mut self.key_frame {
            Some(known) if known.timestamp == packet.timestamp => known.index = known.index.min(packet.index),
            Some(known) if packet.index < known.index => {}
            known => *known = Some(KeyFrame { at: packet.at, index: packet.index, timestamp: packet.timestamp }),
        }
    }

    /// Nobody can begin with what came until now.
    pub(crate) fn forget_key_frame(&mut self) {
        self.key_frame = None;
    }

    pub(crate) fn newest(&self) -> Option<&Packet> {
        self.get(self.newest)
    }

    pub(crate) fn get(&self, index: u64) -> Option<&Packet> {
        self.packets.get(index as usize % RESEND_PACKETS)?.as_ref().filter(|kept| kept.index == index)
    }

    /// What may be sent again, by the lower part of its number.
    pub(crate) fn to_resend(&self, now: Instant, index: u32) -> Option<&Packet> {
        let kept = self.packets.get(index as usize % RESEND_PACKETS)?.as_ref()?;
        let fresh = now.saturating_duration_since(kept.at) <= RESEND_AGE;
        (fresh && kept.index as u32 == index).then_some(kept)
    }

    /// What a newcomer can begin with: the last key frame and all that followed, if that is young, not much, and whole but
    /// for what may still come.
    pub(crate) fn since_key_frame(&self, now: Instant) -> Option<Since> {
        let first = self.key_frame.filter(|key_frame| now.saturating_duration_since(key_frame.at) <= REPLAY_AGE)?.index;
        if self.newest - first >= REPLAY_PACKETS {
            return None;
        }
        let (mut bytes, mut missing) = (0, false);
        for index in first..=self.newest {
            let Some(packet) = self.get(index) else {
                missing = true;
                continue;
            };
            if std::mem::take(&mut missing) && now.saturating_duration_since(packet.at) > REPAIR_WITHIN {
                return None;
            }
            bytes += packet.payload.len();
        }
        (bytes <= REPLAY_BYTES).then_some(Since { first, newest: self.newest, bytes })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::engine::payload::descriptor::Descriptor;

    fn packet(at: Instant, index: u64, key: bool, bytes: usize) -> Packet {
        Packet {
            at,
            moment: at,
            layer: 0,
            stream: 0,
            scalable: false,
            ssrc: 1,
            index,
            timestamp: index as u32 * 3_000,
            marker: true,
            payload: Arc::from(vec![0; bytes]),
            level: None,
            orientation: None,
            report: None,
            descriptor: Some(Descriptor { starts_key_frame: key, ..Descriptor::default() }),
        }
    }

    /// Packets by their numbers, 10 ms apart, `k` before a number for a key frame. Looked at `later` ms after the last.
    fn check(packets: &str, bytes: usize, later: u64, expected: Option<(u64, u64)>) {
        let start = Instant::now();
        let mut kept = Kept::default();
        let mut at = start;
        for word in packets.split_whitespace() {
            at += Duration::from_millis(10);
            kept.keep(&packet(at, word.trim_start_matches('k').parse().unwrap(), word.starts_with('k'), bytes));
        }
        let since = kept.since_key_frame(at + Duration::from_millis(later)).map(|since| (since.first, since.newest));
        assert_eq!(since, expected, "{packets}");
    }

    #[test]
    fn a_newcomer_can_begin_with_the_last_key_frame() {
        check("1 2 3", 10, 0, None);
        check("1 k2 3 4", 10, 0, Some((2, 4)));
        check("1 k2 3 k4", 10, 0, Some((4, 4)));
        check("k4 6 k2 5", 10, 0, Some((4, 6)));
    }

    #[test]
    fn what_is_old_or_much_is_nothing_to_begin_with() {
        check("k1 2", 10, 1_400, Some((1, 2)));
        check("k1 2", 10, 1_500, None);
        let many = |n: u64| (2..=n).fold("k1".to_owned(), |all, n| format!("{all} {n}"));
        check(&many(100), REPLAY_BYTES / 100, 0, Some((1, 100)));
        check(&many(101), REPLAY_BYTES / 100, 0, None);
        // Young, as it comes fast: 10 ms apart they would be old.
        let mut kept = Kept::default();
        let now = Instant::now();
        (1..=REPLAY_PACKETS).for_each(|n| kept.keep(&packet(now, n, n == 1, 10)));
        assert!(kept.since_key_frame(now).is_some());
        kept.keep(&packet(now, REPLAY_PACKETS + 1, false, 10));
        assert_eq!(kept.since_key_frame(now), None);
    }

    #[test]
    fn what_is_missing_may_still_come_for_a_while() {
        check("k1 2 4 5", 10, 0, Some((1, 5)));
        check("k1 2 4 5", 10, 230, Some((1, 5)));
        check("k1 2 4 5", 10, 300, None);
        check("k1 2 4 5 3", 10, 300, Some((1, 5)));
    }

    #[test]
    fn after_a_pause_nobody_begins_with_what_came_before() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        kept.keep(&packet(now, 1, true, 10));
        kept.forget_key_frame();
        kept.keep(&packet(now, 2, false, 10));
        assert_eq!(kept.since_key_frame(now), None);
    }
}
