//! The sending side of a transport that subscribes: RTP headers, sealing, resending, sender reports.
//! str0m does ICE and DTLS there and declares no streams, so each key stream has one writer: this. The cost of a packet
//! does not depend on how many streams its subscriber has.
//! Invariant: an (SSRC, index) pair names one plaintext for ever: a retransmission has an SSRC and numbers of its own.
//! Next: `egress/srtp.rs` seals, `egress/feedback.rs` reads what subscribers say, `egress/keys.rs` has the keys.

pub(crate) mod feedback;
pub(crate) mod keys;
pub(crate) mod srtp;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use self::keys::Slot;
use self::srtp::{End, Opener, Sealer};
use super::consumer::{Numbers, Packet};
use super::vp8::Ids;
use crate::limits::{REPORT_EVERY, RESEND_CREDIT, RESEND_PACKETS, RUN_BYTES, RUN_DATAGRAMS};

/// Where RTP and Unix time meet NTP, which starts in 1900 (RFC 3550 section 4).
const NTP_BEFORE_UNIX: u64 = 2_208_988_800;

/// Some datagrams to one address, for the driver to send at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagrams<'a> {
    pub to: SocketAddr,
    pub bytes: &'a [u8],
    /// All are this long but the last, which may be shorter.
    pub each: usize,
}

impl<'a> Datagrams<'a> {
    /// One by one.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.chunks(self.each.max(1))
    }
}

/// Takes datagrams away.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(Datagrams<'_>);

/// Datagrams to one address, gathered until one does not fit the others' length. Kept for its memory.
#[derive(Debug, Default)]
pub(crate) struct Run {
    bytes: Vec<u8>,
    to: Option<SocketAddr>,
    each: usize,
    count: usize,
    ended: bool,
}

impl Run {
    /// Adds a datagram that `write` appends to the buffer it is given.
    pub(crate) fn add(&mut self, to: SocketAddr, sink: Sink<'_>, write: impl FnOnce(&mut Vec<u8>, usize)) {
        if self.to != Some(to) {
            self.send(sink);
            self.to = Some(to);
        }
        let start = self.bytes.len();
        write(&mut self.bytes, start);
        let length = self.bytes.len() - start;
        let full = self.ended || self.count == RUN_DATAGRAMS || self.bytes.len() > RUN_BYTES || length > self.each;
        if self.count > 0 && full {
            sink(Datagrams { to, bytes: &self.bytes[..start], each: self.each });
            self.bytes.drain(..start);
            self.count = 0;
        }
        if self.count == 0 {
            self.each = length;
        }
        self.count += 1;
        self.ended = length < self.each;
    }

    /// Sends what is left.
    pub(crate) fn send(&mut self, sink: Sink<'_>) {
        if let Some(to) = self.to.take()
            && self.count > 0
        {
            sink(Datagrams { to, bytes: &self.bytes, each: self.each });
        }
        self.bytes.clear();
        self.count = 0;
        self.ended = false;
    }
}

/// The header extensions a subscriber understands, by its ids (RFC 8285 section 4.2).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExtensionIds {
    pub level: Option<u8>,
    pub orientation: Option<u8>,
}

/// A transport's keys and what it may still ask for.
#[derive(Debug)]
pub(crate) struct Egress {
    sealer: Sealer,
    opener: Opener,
    extensions: ExtensionIds,
    /// Packets that may be sent again: one is earned with each packet sent.
    resend_credit: usize,
    /// An incoming report is opened in here.
    scratch: Vec<u8>,
}

impl Egress {
    /// None before the handshake is done. We are always its server.
    pub(crate) fn new(slot: &Slot, extensions: ExtensionIds) -> Option<Self> {
        let (keys, profile) = slot.keys()?;
        Some(Self {
            sealer: Sealer::new(keys, *profile, End::DtlsServer)?,
            opener: Opener::new(keys, *profile, End::DtlsClient)?,
            extensions,
            resend_credit: RESEND_CREDIT,
            scratch: Vec::new(),
        })
    }

    /// Opens a report of the subscriber. None if it is not genuine.
    pub(crate) fn open(&mut self, datagram: &[u8]) -> Option<&[u8]> {
        self.scratch.clear();
        self.scratch.extend_from_slice(datagram);
        self.opener.open_rtcp(&mut self.scratch).then_some(&self.scratch[..])
    }

    /// Appends a packet, sealed, to the buffer.
    pub(crate) fn write(&mut self, buffer: &mut Vec<u8>, start: usize, stream: &mut Stream, packet: &Packet, numbers: &Numbers) {
        let header = self.write_header(buffer, start, packet, stream.pt, stream.ssrc, numbers.index as u16, numbers.timestamp);
        buffer.extend_from_slice(&packet.payload);
        if let Some(descriptor) = &packet.descriptor {
            descriptor.write(&mut buffer[start + header..], numbers.ids);
        }
        self.sealer.seal_rtp(buffer, start, header, stream.ssrc, numbers.index);
        self.resend_credit = RESEND_CREDIT.min(self.resend_credit + 1);
        stream.sent(packet, numbers);
    }

    /// A packet once more (RFC 4588 section 4), if the subscriber has credit for it.
    pub(crate) fn rewrite(&mut self, stream: &mut Stream, sent: Sent, packet: &Packet) -> Option<Vec<u8>> {
        let rtx = stream.rtx.as_mut()?;
        self.resend_credit = self.resend_credit.checked_sub(1)?;
        let (ssrc, pt, index) = (rtx.ssrc, rtx.pt, rtx.next);
        rtx.next += 1;
        let mut buffer = Vec::with_capacity(packet.payload.len() + 64);
        let header = self.write_header(&mut buffer, 0, packet, pt, ssrc, index as u16, sent.timestamp);
        buffer.extend_from_slice(&sent.number.to_be_bytes());
        buffer.extend_from_slice(&packet.payload);
        if let Some(descriptor) = &packet.descriptor {
            descriptor.write(&mut buffer[header + 2..], sent.ids);
        }
        self.sealer.seal_rtp(&mut buffer, 0, header, ssrc, index);
        Some(buffer)
    }

    /// A sender report (RFC 3550 section 6.4.1) with the stream's CNAME. `wall` is the time since 1970.
    pub(crate) fn report(&mut self, stream: &mut Stream, now: Instant, wall: Duration) -> Vec<u8> {
        let ntp_seconds = (wall.as_secs() + NTP_BEFORE_UNIX) as u32;
        let ntp_fraction = ((u64::from(wall.subsec_nanos()) << 32) / 1_000_000_000) as u32;
        let mut buffer = vec![0x80, 200, 0, 6];
        for word in [stream.ssrc, ntp_seconds, ntp_fraction, stream.timestamp_at(now), stream.packets, stream.bytes] {
            buffer.extend(word.to_be_bytes());
        }
        // The item, the zero that ends the list, and zeros up to the next word.
        let padded = (2 + stream.name.len() + 1).next_multiple_of(4);
        let start = buffer.len();
        buffer.extend([0x81, 202, 0, (1 + padded / 4) as u8]);
        buffer.extend(stream.ssrc.to_be_bytes());
        buffer.extend([1, stream.name.len() as u8]);
        buffer.extend(stream.name.as_bytes());
        buffer.resize(start + 8 + padded, 0);
        self.sealer.seal_rtcp(&mut buffer, stream.ssrc);
        stream.reported_at = Some(now);
        buffer
    }

    /// Appends an RTP header (RFC 3550 section 5.1); returns its length.
    #[expect(clippy::too_many_arguments, reason = "the fields of a header")]
    fn write_header(
        &self,
        buffer: &mut Vec<u8>,
        start: usize,
        packet: &Packet,
        pt: u8,
        ssrc: u32,
        number: u16,
        timestamp: u32,
    ) -> usize {
        let level = self.extensions.level.zip(packet.level);
        let orientation = self.extensions.orientation.zip(packet.orientation);
        let extension = level.or(orientation);
        let first = 0x80 | u8::from(extension.is_some()) << 4;
        buffer.extend_from_slice(&[first, u8::from(packet.marker) << 7 | pt]);
        buffer.extend_from_slice(&number.to_be_bytes());
        buffer.extend_from_slice(&timestamp.to_be_bytes());
        buffer.extend_from_slice(&ssrc.to_be_bytes());
        if let Some((id, value)) = extension {
            // One word of one-byte elements: id, length less one, value, padding.
            buffer.extend_from_slice(&[0xbe, 0xde, 0, 1, id << 4, value, 0, 0]);
        }
        buffer.len() - start
    }
}

/// A stream as its subscriber sees it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub ssrc: u32,
    pub rtx: Option<Rtx>,
    pt: u8,
    clock_rate: u32,
    /// The CNAME: at most 64 bytes.
    name: String,
    /// What was sent under which number; made when the first packet that may be resent is sent.
    history: Vec<Option<Sent>>,

    // For sender reports.
    packets: u32,
    bytes: u32,
    last: Option<(Instant, u32)>,
    reported_at: Option<Instant>,
}

/// The retransmissions of a stream, which are a stream of their own.
#[derive(Debug)]
pub(crate) struct Rtx {
    pub ssrc: u32,
    pub pt: u8,
    next: u64,
}

impl Rtx {
    pub(crate) fn new(ssrc: u32, pt: u8) -> Self {
        Self { ssrc, pt, next: 1 }
    }
}

/// How a packet went out: enough to send it again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    number: u16,
    timestamp: u32,
    ids: Ids,
    /// Which packet of the producer it was.
    pub layer: u8,
    pub incoming: u32,
}

impl Stream {
    pub(crate) fn new(ssrc: u32, pt: u8, rtx: Option<Rtx>, clock_rate: u32, name: String) -> Self {
        Self { ssrc, rtx, pt, clock_rate, name, history: Vec::new(), packets: 0, bytes: 0, last: None, reported_at: None }
    }

    /// The packet with this number, if it went out not long ago.
    pub(crate) fn find(&self, number: u16) -> Option<Sent> {
        let slot = usize::from(number) % RESEND_PACKETS;
        self.history.get(slot).copied().flatten().filter(|sent| sent.number == number)
    }

    pub(crate) fn is_report_due(&self, now: Instant) -> bool {
        self.reported_at.is_none_or(|at| now.saturating_duration_since(at) >= REPORT_EVERY)
    }

    fn sent(&mut self, packet: &Packet, numbers: &Numbers) {
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(packet.payload.len() as u32);
        self.last = Some((packet.at, numbers.timestamp));
        if self.rtx.is_none() {
            return;
        }
        if self.history.is_empty() {
            self.history.resize(RESEND_PACKETS, None);
        }
        let number = numbers.index as u16;
        self.history[usize::from(number) % RESEND_PACKETS] = Some(Sent {
            number,
            timestamp: numbers.timestamp,
            ids: numbers.ids,
            layer: packet.layer as u8,
            incoming: packet.index as u32,
        });
    }

    /// What the stream's clock shows: reports must name one moment in both clocks.
    fn timestamp_at(&self, now: Instant) -> u32 {
        let Some((at, timestamp)) = self.last else { return 0 };
        let ticks = now.saturating_duration_since(at).as_micros() * u128::from(self.clock_rate) / 1_000_000;
        timestamp.wrapping_add(ticks as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_of_one_length_leave_together_and_a_shorter_one_ends_them() {
        let here: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let there: SocketAddr = "192.0.2.1:2".parse().unwrap();
        let mut sent: Vec<(SocketAddr, Vec<usize>)> = vec![];
        let mut sink = |datagrams: Datagrams<'_>| {
            sent.push((datagrams.to, datagrams.iter().map(<[u8]>::len).collect()));
        };
        let mut run = Run::default();
        for (to, length) in [(here, 9), (here, 9), (here, 4), (here, 4), (here, 9), (there, 9), (there, 10), (there, 2)] {
            run.add(to, &mut sink, |buffer, start| buffer.resize(start + length, 0));
        }
        run.send(&mut sink);
        run.send(&mut sink);
        assert_eq!(sent, [(here, vec![9, 9, 4]), (here, vec![4]), (here, vec![9]), (there, vec![9]), (there, vec![10, 2]),]);
    }

    #[test]
    fn a_run_is_never_longer_than_a_send_call_takes() {
        let to: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let mut longest = 0;
        let mut most = 0;
        let mut total = 0;
        let mut run = Run::default();
        let mut sink = |datagrams: Datagrams<'_>| {
            longest = longest.max(datagrams.bytes.len());
            most = most.max(datagrams.iter().count());
            total += datagrams.iter().count();
        };
        for length in [1_200, 100] {
            for _ in 0..500 {
                run.add(to, &mut sink, |buffer, start| buffer.resize(start + length, 0));
            }
        }
        run.send(&mut sink);
        assert_eq!((total, most), (1_000, RUN_DATAGRAMS));
        assert!(longest <= RUN_BYTES);
    }
}
