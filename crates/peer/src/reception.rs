//! What a browser knows of the packets it gets, and tells the server of them: which are missing, when they came.
//! Invariant: feedback names only packets that came or were skipped; lists are bounded by what fits between two reports.
//! Next: `rtcp.rs`, how feedback is written.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::rtcp::{self, Arrival, Block, Heard};
use crate::rtp::{self, Codec, Header, Unroller};

/// Browsers report arrival times about this often, and we everything else with them.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// A lost packet is asked for this many times.
const TRIES: u8 = 4;
/// Gaps remembered per stream; a longer one is a pause.
const MOST_MISSING: u64 = 500;
/// Between two wishes for a first key frame.
const KEY_FRAME_WISH_EVERY: Duration = Duration::from_secs(1);

/// All streams of one connection.
pub struct Reception {
    ssrc: u32,
    streams: Vec<Stream>,
    arrivals: Vec<Arrival>,
    transport_numbers: Unroller,
    untold: Option<u64>,
    feedback_count: u8,
    report_at: Instant,
    /// A picture is waited for: pictures are asked to begin anew until it is not.
    pub key_frame_wanted: bool,
    wish_at: Instant,
    /// The streams whose pictures are to begin anew.
    wishes: Vec<u32>,
    packet: Vec<u8>,
}

struct Stream {
    ssrc: u32,
    payload_type: u8,
    numbers: Unroller,
    highest: u64,
    /// Packets not yet here, and how often they were asked for.
    missing: BTreeMap<u64, u8>,
    lost: u32,
    expected_since: u32,
    lost_since: u32,
    transit: Option<i64>,
    jitter: f64,
    sender_report: Option<(u32, Instant)>,
}

/// How a packet stands to those of its stream that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The newest, this far ahead of the one that was: 1 if none was skipped.
    Newest(u64),
    /// It was missing.
    Late,
    Copy,
    /// On a stream of retransmissions: another packet is inside.
    Resent,
}

impl Reception {
    /// `seed` tells one client's feedback from another's.
    pub fn new(now: Instant, seed: u32) -> Self {
        // Spread, so that not all report in the same millisecond.
        let report_at = now + REPORT_EVERY + Duration::from_micros(u64::from(seed % 97) * 1_013);
        Self {
            ssrc: 0x2000_0000 + seed,
            streams: Vec::new(),
            arrivals: Vec::new(),
            transport_numbers: Unroller::default(),
            untold: None,
            feedback_count: 0,
            report_at,
            key_frame_wanted: true,
            wish_at: now + KEY_FRAME_WISH_EVERY,
            wishes: Vec::new(),
            packet: Vec::new(),
        }
    }

    /// When a report is due.
    pub fn due(&self) -> Instant {
        self.report_at
    }

    /// Notes a packet that was felt to arrive at these wall-clock nanoseconds; its number with roll-overs, and its order.
    pub fn note(&mut self, header: &Header, felt: u64) -> (u64, Order) {
        if let Some(sequence) = header.transport_sequence {
            self.arrivals.push((self.transport_numbers.unroll(sequence), felt / 1_000));
        }
        let at = match self.streams.iter().position(|stream| stream.ssrc == header.ssrc) {
            Some(at) => at,
            None => {
                self.streams.push(Stream::new(header));
                self.streams.len() - 1
            }
        };
        let stream = &mut self.streams[at];
        let index = stream.numbers.unroll(header.sequence);
        let order = if rtp::is_repair(header.payload_type) { Order::Resent } else { stream.note(header, index, felt) };
        (index, order)
    }

    /// A packet with this number has come as a retransmission. False if none of that number was missing.
    pub fn recover(&mut self, original: u16) -> bool {
        self.streams.iter_mut().filter(|stream| Codec::of(stream.payload_type).is_some()).any(|stream| {
            let found = stream.missing.keys().copied().find(|number| *number as u16 == original);
            found.is_some_and(|number| stream.missing.remove(&number).is_some())
        })
    }

    /// The same for the packet of one stream; its number with roll-overs, None if it was not missing.
    pub fn recover_of(&mut self, ssrc: u32, original: u16) -> Option<u64> {
        let stream = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc)?;
        let number = stream.missing.keys().copied().find(|number| *number as u16 == original)?;
        stream.missing.remove(&number);
        Some(number)
    }

    /// The server sends no more on this stream.
    pub fn forget(&mut self, ssrc: u32) {
        self.streams.retain(|stream| stream.ssrc != ssrc);
    }

    /// Asks that the pictures of a stream begin anew, with the next report.
    pub fn want_key_frame(&mut self, ssrc: u32) {
        if !self.wishes.contains(&ssrc) {
            self.wishes.push(ssrc);
        }
    }

    /// Hears the server's RTCP, already in the clear.
    pub fn hear(&mut self, now: Instant, report: &[u8]) {
        rtcp::read(report, |heard| {
            if let Heard::SenderReport { ssrc, ntp, .. } = heard
                && let Some(stream) = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc)
            {
                stream.sender_report = Some(((ntp >> 16) as u32, now));
            }
        });
    }

    /// Sends the report that is due.
    pub fn report(&mut self, now: Instant, connection: &mut Connection) {
        if self.report_at > now {
            return;
        }
        self.report_at = (self.report_at + REPORT_EVERY).max(now);
        let mut out = std::mem::take(&mut self.packet);
        out.clear();
        let live = self.streams.iter_mut().filter(|stream| !rtp::is_repair(stream.payload_type));
        let blocks: Vec<Block> = live.take(rtcp::MAX_BLOCKS).map(|stream| stream.block(now)).collect();
        rtcp::write_report(&mut out, self.ssrc, &blocks);
        for stream in self.streams.iter_mut().filter(|stream| Codec::of(stream.payload_type).is_some()) {
            let wanted: Vec<u16> = stream.ask_again();
            if !wanted.is_empty() {
                rtcp::write_nack(&mut out, self.ssrc, stream.ssrc, &wanted);
            }
        }
        if self.key_frame_wanted && now >= self.wish_at {
            self.wish_at = now + KEY_FRAME_WISH_EVERY;
            for stream in self.streams.iter().filter(|stream| Codec::of(stream.payload_type).is_some()) {
                rtcp::write_pli(&mut out, self.ssrc, stream.ssrc);
            }
        }
        for ssrc in self.wishes.drain(..) {
            rtcp::write_pli(&mut out, self.ssrc, ssrc);
        }
        if !self.arrivals.is_empty() {
            self.arrivals.sort_unstable();
            self.arrivals.dedup_by_key(|(number, _)| *number);
            // What was told as lost and came after all stays told: the server has counted it.
            let first = self.untold.unwrap_or(self.arrivals[0].0);
            self.arrivals.retain(|(number, _)| *number >= first);
            if let Some((last, _)) = self.arrivals.last().copied() {
                let media = self.streams.first().map_or(0, |stream| stream.ssrc);
                let first = first.max(last.saturating_sub(1_000));
                self.arrivals.retain(|(number, _)| *number >= first);
                rtcp::write_arrivals(&mut out, self.ssrc, media, self.feedback_count, first, &self.arrivals);
                self.feedback_count = self.feedback_count.wrapping_add(1);
                self.untold = Some(last + 1);
            }
            self.arrivals.clear();
        }
        connection.send_rtcp(&mut out, self.ssrc);
        self.packet = out;
    }
}

impl Stream {
    fn new(header: &Header) -> Self {
        Self {
            ssrc: header.ssrc,
            payload_type: header.payload_type,
            numbers: Unroller::default(),
            highest: u64::from(header.sequence).wrapping_sub(1),
            missing: BTreeMap::new(),
            lost: 0,
            expected_since: 0,
            lost_since: 0,
            transit: None,
            jitter: 0.0,
            sender_report: None,
        }
    }

    fn note(&mut self, header: &Header, index: u64, felt: u64) -> Order {
        let clock = if header.payload_type == rtp::OPUS { 48 } else { 90 };
        let transit = (felt / 1_000) as i64 * clock / 1_000 - i64::from(header.timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let change = ((transit - before) as i32).unsigned_abs();
            self.jitter += (f64::from(change) - self.jitter) / 16.0;
        }
        let ahead = index.wrapping_sub(self.highest) as i64;
        if ahead > 0 {
            let skipped = ahead as u64 - 1;
            self.expected_since += ahead as u32;
            self.lost += skipped as u32;
            self.lost_since += skipped as u32;
            let first = index - skipped.min(MOST_MISSING);
            self.missing.extend((first..index).map(|number| (number, 0)));
            self.highest = index;
            while self.missing.first_key_value().is_some_and(|(number, _)| number + MOST_MISSING < index) {
                self.missing.pop_first();
            }
            Order::Newest(ahead as u64)
        } else if self.missing.remove(&index).is_some() {
            self.lost = self.lost.saturating_sub(1);
            self.lost_since = self.lost_since.saturating_sub(1);
            Order::Late
        } else {
            Order::Copy
        }
    }

    fn block(&mut self, now: Instant) -> Block {
        let expected = std::mem::take(&mut self.expected_since).max(1);
        let lost = std::mem::take(&mut self.lost_since);
        let (last_report, since_last_report) = match self.sender_report {
            Some((ntp, at)) => (ntp, (now.saturating_duration_since(at).as_secs_f64() * 65_536.0) as u32),
            None => (0, 0),
        };
        Block {
            ssrc: self.ssrc,
            fraction_lost: (u64::from(lost) * 256 / u64::from(expected)).min(255) as u8,
            lost: self.lost,
            highest: self.highest as u32,
            jitter: self.jitter as u32,
            last_report,
            since_last_report,
        }
    }

    /// Packets to ask for, this time.
    fn ask_again(&mut self) -> Vec<u16> {
        let wanted = self.missing.iter_mut().filter(|(_, tries)| **tries < TRIES);
        wanted
            .take(100)
            .map(|(number, tries)| {
                *tries += 1;
                *number as u16
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16) -> Header {
        Header {
            marker: false,
            payload_type: rtp::VP8,
            sequence,
            timestamp: 0,
            ssrc: 1,
            length: 12,
            transport_sequence: None,
            turns: None,
        }
    }

    #[test]
    fn losses_late_packets_and_copies_are_told_apart() {
        let mut stream = Stream::new(&header(65_530));
        let orders = [65_530, 65_531, 65_534, 65_533, 65_533, 65_535, 0, 2].map(|sequence| {
            let index = stream.numbers.unroll(sequence);
            stream.note(&header(sequence), index, 0)
        });
        let newest = Order::Newest;
        assert_eq!(orders, [newest(1), newest(1), newest(3), Order::Late, Order::Copy, newest(1), newest(1), newest(2)]);
        assert_eq!(stream.ask_again(), [65_532, 1]);
        assert_eq!(stream.block(Instant::now()).lost, 2);
        for _ in 1..TRIES {
            assert_eq!(stream.ask_again().len(), 2);
        }
        assert_eq!(stream.ask_again(), Vec::<u16>::new(), "it gives up");
    }

    #[test]
    fn a_retransmission_is_no_longer_missing() {
        let mut reception = Reception::new(Instant::now(), 0);
        for sequence in [7, 9] {
            reception.note(&header(sequence), 0);
        }
        let again = Header { payload_type: rtp::Codec::Vp8.repair(), ssrc: 2, ..header(1) };
        assert_eq!(reception.note(&again, 0), (1, Order::Resent));
        assert!(reception.recover(8) && !reception.recover(8));
        reception.note(&header(11), 0);
        assert_eq!(
            [reception.recover_of(2, 10), reception.recover_of(1, 10), reception.recover_of(1, 10)],
            [None, Some(10), None]
        );
        assert_eq!(reception.streams[0].ask_again(), Vec::<u16>::new());
    }
}
