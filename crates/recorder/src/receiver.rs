//! The robot's receiving end on its media thread: opens packets, repairs losses, hands everything on in one queue.
//! Invariant: never waits for who reads the queue; what does not fit is lost like on the way, and counted.
//! Next: `robot.rs`, which says which streams there are.

use std::collections::HashMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use salon_peer::playing::NTP_BEFORE_UNIX;
use salon_peer::reception::{Order, Reception};
use salon_peer::rtcp::{self, Heard};
use salon_peer::rtp;
use salon_peer::wall_clock;
use salon_peer::{Arrived, Connection, Role};

use crate::news::{Key, News, Packet};
use crate::wishes::Wishes;

/// Reading all that waits takes no longer than this, in microseconds, or only a little.
const READ_FOR: i64 = 10_000;

/// A server's clock that is told to be less than this ahead or behind, in microseconds, is taken for ours: reports need time
/// to come.
const SAME_CLOCK: i64 = 50_000;

/// What the robot and its media thread both know of the streams of a connection.
#[derive(Debug, Default)]
pub struct Streams {
    /// The stream that each stream of retransmissions repairs.
    pub repairs: HashMap<u32, u32>,
    /// Those that come; packets of others are nobody's.
    pub known: HashMap<u32, ()>,
    /// Those that ended since the media thread last looked.
    pub ended: Vec<u32>,
}

/// Shared between two threads; held for moments only.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Streams>>);

impl Shared {
    pub fn with<T>(&self, what: impl FnOnce(&mut Streams) -> T) -> T {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Counts of a connection.
#[derive(Debug, Default)]
pub struct Tally {
    /// Packets that nobody took from the queue in time.
    pub dropped: u64,
    /// Packets that were not sealed with our keys.
    pub bad: u64,
}

pub struct Receiver {
    connection: u32,
    reception: Reception,
    streams: Shared,
    wishes: Wishes,
    queue: SyncSender<News>,
    skew: Skew,
}

/// How far the server's clock is from ours: all streams of a connection are moved by it together.
#[derive(Debug, Default)]
struct Skew {
    /// The least by which a report came later than its moment.
    least: Option<i64>,
}

impl Skew {
    /// The moment of a report, on our clock, that came now.
    fn of(&mut self, moment: i64, now: i64) -> i64 {
        let later = now - moment;
        // A clock that was set, or one that runs slow, is followed.
        let least = self.least.map_or(later, |least| if (later - least).abs() > 1_000_000 { later } else { least.min(later) });
        self.least = Some(least);
        moment + if (0..SAME_CLOCK).contains(&least) { 0 } else { least }
    }
}

impl Receiver {
    pub fn new(connection: u32, streams: Shared, wishes: Wishes, queue: SyncSender<News>) -> Self {
        let mut reception = Reception::new(Instant::now(), connection);
        reception.key_frame_wanted = false;
        Self { connection, reception, streams, wishes, queue, skew: Skew::default() }
    }

    fn key(&self, ssrc: u32) -> Key {
        Key { connection: self.connection, ssrc }
    }

    fn tell(&self, news: News, tally: &mut Tally) {
        tally.dropped += u64::from(self.queue.try_send(news).is_err());
    }
}

impl Role for Receiver {
    type Tally = Tally;

    fn due(&self) -> Option<Instant> {
        Some(self.reception.due())
    }

    fn act(&mut self, now: Instant, connection: &mut Connection, tally: &mut Tally) {
        self.streams.with(|streams| streams.ended.drain(..).for_each(|ssrc| self.reception.forget(ssrc)));
        self.wishes.take_key_frames(self.connection).into_iter().for_each(|ssrc| self.reception.want_key_frame(ssrc));
        // The thread has read all that waited before it acts, as long ago as its clock was read.
        let ago = now.elapsed().as_micros() as i64 + READ_FOR;
        self.tell(News::Read((wall_clock() / 1_000) as i64 - ago), tally);
        self.reception.report(now, connection);
    }

    fn take(&mut self, arrived: &Arrived, connection: &Connection, packet: &mut [u8], tally: &mut Tally) {
        let Some(header) = rtp::read(packet) else { return };
        let (known, repairs) =
            self.streams.with(|streams| (streams.known.contains_key(&header.ssrc), streams.repairs.get(&header.ssrc).copied()));
        if !known && repairs.is_none() {
            return;
        }
        let padded = packet[0] & 0x20 != 0;
        let (index, order) = self.reception.note(&header, arrived.felt);
        if order == Order::Copy {
            return;
        }
        let Some(payload) = connection.open_rtp(packet, header.length, header.ssrc, index) else {
            tally.bad += 1;
            return;
        };
        let padding = if padded { payload.last().map_or(0, |last| usize::from(*last)) } else { 0 };
        let Some(payload) = payload.len().checked_sub(padding).map(|length| &payload[..length]) else { return };
        let (ssrc, number, payload) = match repairs {
            None => (header.ssrc, index, payload),
            Some(ssrc) => {
                let Some((original, payload)) = payload.split_first_chunk::<2>() else { return };
                let Some(number) = self.reception.recover_of(ssrc, u16::from_be_bytes(*original)) else { return };
                (ssrc, number, payload)
            }
        };
        if payload.is_empty() {
            return;
        }
        let packet = Packet {
            number,
            timestamp: header.timestamp,
            marker: header.marker,
            arrived: (arrived.at / 1_000) as i64,
            turns: header.turns,
            payload: payload.to_vec(),
        };
        self.tell(News::Packet { key: self.key(ssrc), packet }, tally);
    }

    fn hear(&mut self, now: Instant, report: &[u8], tally: &mut Tally) {
        self.reception.hear(now, report);
        let mut heard = Vec::new();
        rtcp::read(report, |one| {
            if let Heard::SenderReport { ssrc, ntp, timestamp } = one {
                heard.push((ssrc, ntp, timestamp));
            }
        });
        for (ssrc, ntp, timestamp) in heard {
            let Some(seconds) = (ntp >> 32).checked_sub(NTP_BEFORE_UNIX) else { continue };
            let moment = (seconds * 1_000_000 + (((ntp & 0xffff_ffff) * 1_000_000) >> 32)) as i64;
            let moment = self.skew.of(moment, (wall_clock() / 1_000) as i64);
            self.tell(News::Report { key: self.key(ssrc), timestamp, moment }, tally);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_elsewhere_is_moved_to_ours_and_our_own_left_alone() {
        let mut skew = Skew::default();
        assert_eq!([skew.of(1_000, 1_900), skew.of(2_000, 40_000)], [1_000, 2_000]);
        let mut skew = Skew::default();
        assert_eq!(skew.of(90_000_000, 5_000_000), 5_000_000);
        assert_eq!(skew.of(91_000_000, 6_030_000), 6_000_000, "a report that was held up moves nothing");
        assert_eq!(skew.of(92_000_000, 92_000_500), 92_000_000, "it was set");
    }
}
