//! Somebody who watches: counts all packets, opens some, and tells the server what a browser would tell.
//! Next: `salon_peer::reception`, what that is.

use std::time::Instant;

use salon_peer::reception::{Order, Reception};
use salon_peer::rtp::{self, Header};
use salon_peer::{Arrived, Connection, Role};
use tokio::sync::oneshot;

use crate::stamp::read_stamp;
use crate::totals::Totals;

pub struct Subscriber {
    reception: Reception,
    /// One packet in this many is opened.
    open_every: u64,
    /// Who waits for the first picture.
    waiting: Option<oneshot::Sender<Instant>>,
    /// When the first picture began to come.
    began: Option<u64>,
    /// The key frame that is coming in: its stream and time.
    key_frame: Option<(u32, u32)>,
}

impl Subscriber {
    /// `waiting` hears the moment at which the first key frame was complete and opened.
    pub fn new(seed: u32, open_every: u64, waiting: oneshot::Sender<Instant>) -> Self {
        let reception = Reception::new(Instant::now(), seed);
        Self { reception, open_every: open_every.max(1), waiting: Some(waiting), began: None, key_frame: None }
    }

    fn take_again(&mut self, connection: &Connection, packet: &mut [u8], (header, index): (&Header, u64), totals: &mut Totals) {
        totals.resent += 1;
        let Some(payload) = connection.open_rtp(packet, header.length, header.ssrc, index) else {
            totals.bad += 1;
            return;
        };
        totals.good += 1;
        let original = payload.first_chunk().copied().map(u16::from_be_bytes);
        totals.recovered += u64::from(original.is_some_and(|original| self.reception.recover(original)));
    }
}

impl Role for Subscriber {
    type Tally = Totals;

    fn due(&self) -> Option<Instant> {
        Some(self.reception.due())
    }

    fn act(&mut self, now: Instant, connection: &mut Connection, _: &mut Totals) {
        self.reception.report(now, connection);
    }

    fn take(&mut self, arrived: &Arrived, connection: &Connection, packet: &mut [u8], totals: &mut Totals) {
        let Some(header) = rtp::read(packet) else {
            totals.bad += 1;
            return;
        };
        totals.bytes += packet.len() as u64;
        let (index, order) = self.reception.note(&header, arrived.felt);
        match order {
            Order::Newest(ahead) => {
                totals.expected += ahead;
                totals.came += 1;
            }
            Order::Late => {
                totals.came += 1;
                totals.reordered += 1;
            }
            Order::Copy => totals.duplicates += 1,
            Order::Resent => return self.take_again(connection, packet, (&header, index), totals),
        }
        let video = header.payload_type == rtp::VP8;
        *(if video { &mut totals.video } else { &mut totals.audio }) += 1;
        let wanted = video && self.waiting.is_some();
        if !wanted && !index.is_multiple_of(self.open_every) {
            return;
        }
        let Some(payload) = connection.open_rtp(packet, header.length, header.ssrc, index) else {
            totals.bad += 1;
            return;
        };
        totals.good += 1;
        let Some(stamp) = read_stamp(payload, video) else { return };
        // Newcomers are given pictures of before they came, which took as long as they like.
        let past = video && stamp.sent_at < *self.began.get_or_insert(arrived.at);
        if !past {
            let latency = if video { &mut totals.video_latency } else { &mut totals.audio_latency };
            latency.record(arrived.at.saturating_sub(stamp.sent_at));
        }
        if wanted {
            let picture = Some((header.ssrc, header.timestamp));
            if stamp.begins_key_frame {
                self.key_frame = picture;
            }
            if header.marker
                && self.key_frame == picture
                && let Some(waiting) = self.waiting.take()
            {
                self.reception.key_frame_wanted = false;
                let _ = waiting.send(arrived.now);
            }
        }
    }

    fn hear(&mut self, now: Instant, report: &[u8], _: &mut Totals) {
        self.reception.hear(now, report);
    }
}
