//! The sending side of a transport that subscribes: RTP headers, sealing, resending, sender reports.
//! str0m does ICE and DTLS there and declares no streams, so each key stream has one writer: this. The cost of a packet
//! does not depend on how many streams its subscriber has.
//! Invariant: an (SSRC, index) pair names one plaintext for ever: a retransmission has an SSRC and numbers of its own.
//! Next: the crate `srtp` seals and has the keys, `egress/feedback.rs` reads what subscribers say.

pub(crate) mod feedback;
mod header;
pub(crate) mod outbox;

use std::time::{Duration, Instant};

use salon_srtp::{End, RtcpOpener, Sealer, Slot};

use self::header::{Header, extension};
use super::congestion::{Congestion, PADDING};
use super::ntp::NTP_BEFORE_UNIX;
use super::packet::{Numbers, Packet};
use super::payload::ids::Ids;
use super::words::{LineWords, StreamWords, Word};
use crate::limits::{REPORT_EVERY, RESEND_CREDIT, RESEND_PACKETS};
use crate::sdp::Kind;

/// The header extensions a subscriber understands on one kind of stream, by its ids (RFC 8285 section 4.2).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExtensionIds {
    pub level: Option<u8>,
    pub orientation: Option<u8>,
    /// Transport-wide numbers, which the subscriber reports the arrival of.
    pub transport_cc: Option<u8>,
    pub dependency: Option<u8>,
}

/// What a packet is longer than its payload, about: header, extensions, tag.
const OVERHEAD: usize = 12 + 8 + 16;

/// A transport's keys and what it may still ask for.
#[derive(Debug)]
pub(crate) struct Egress {
    sealer: Sealer,
    opener: RtcpOpener,
    audio: ExtensionIds,
    video: ExtensionIds,
    pub congestion: Congestion,
    /// Packets that may be sent again: one is earned with each packet sent.
    resend_credit: usize,
    words: LineWords,
}

impl Egress {
    /// None before the handshake is done. We are always its server. Numbers go on after those in `words`.
    pub(crate) fn new(now: Instant, slot: &Slot, audio: ExtensionIds, video: ExtensionIds, words: LineWords) -> Option<Self> {
        let (keys, profile) = slot.keys()?;
        let mut sealer = Sealer::new(keys, *profile, End::DtlsServer)?;
        sealer.go_on_after(words.reports.get() as u32);
        Some(Self {
            sealer,
            opener: RtcpOpener::new(keys, *profile, End::DtlsClient)?,
            audio,
            video,
            congestion: Congestion::new(now, words.arrivals.get()),
            resend_credit: RESEND_CREDIT,
            words,
        })
    }

    /// Opens a report of the subscriber in place. False if it is not genuine.
    pub(crate) fn open(&mut self, report: &mut Vec<u8>) -> bool {
        let opened = self.opener.open(report).map(<[u8]>::len);
        report.truncate(opened.unwrap_or(report.len()));
        opened.is_some()
    }

    /// Appends a packet, sealed, to the buffer.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        buffer: &mut Vec<u8>,
        start: usize,
        stream: &mut Stream,
        packet: &Packet,
        numbers: &Numbers,
    ) {
        let header = Header {
            marker: numbers.marker,
            pt: stream.pt,
            ssrc: stream.ssrc,
            number: numbers.index as u16,
            timestamp: numbers.timestamp,
        };
        let payload = if numbers.empty { 0 } else { packet.payload.len() };
        let length = self.write_header(now, buffer, &header, stream.kind, payload, (packet, numbers.ids));
        if !numbers.empty {
            buffer.extend_from_slice(&packet.payload);
            if let Some(descriptor) = &packet.descriptor {
                descriptor.write(&mut buffer[start + length..], numbers.ids);
            }
        }
        self.sealer.seal_rtp(buffer, start, length, stream.ssrc, numbers.index);
        self.resend_credit = RESEND_CREDIT.min(self.resend_credit + 1);
        stream.sent(packet, numbers);
    }

    /// A packet once more (RFC 4588 section 4), if the subscriber has credit for it.
    pub(crate) fn rewrite(&mut self, now: Instant, stream: &mut Stream, sent: Sent, packet: &Packet) -> Option<Vec<u8>> {
        let rtx = stream.rtx.as_mut()?;
        self.resend_credit = self.resend_credit.checked_sub(1)?;
        let (header, index) = rtx.next_header(sent.marker, sent.timestamp);
        let mut buffer = Vec::with_capacity(packet.payload.len() + OVERHEAD + 2);
        let length = self.write_header(now, &mut buffer, &header, stream.kind, packet.payload.len() + 2, (packet, sent.ids()));
        buffer.extend_from_slice(&sent.number.to_be_bytes());
        buffer.extend_from_slice(&packet.payload);
        if let Some(descriptor) = &packet.descriptor {
            descriptor.write(&mut buffer[length + 2..], sent.ids());
        }
        self.sealer.seal_rtp(&mut buffer, 0, length, header.ssrc, index);
        Some(buffer)
    }

    /// Padding to find out whether the line carries `wanted` bit/s, if that is worth knowing now; it goes where
    /// retransmissions go, as receivers expect. Nothing before the stream has begun.
    pub(crate) fn probe(&mut self, now: Instant, stream: &mut Stream, wanted: u64) -> Vec<Vec<u8>> {
        let (Some((_, timestamp)), Some(id)) = (stream.last, self.video.transport_cc) else { return Vec::new() };
        let Some(rtx) = &mut stream.rtx else { return Vec::new() };
        let numbers = self.congestion.probe(now, wanted, OVERHEAD);
        self.words.arrivals.set(self.congestion.next());
        let mut packets = Vec::with_capacity(numbers.len());
        for number in numbers {
            let (header, index) = rtx.next_header(false, timestamp);
            let mut buffer = Vec::with_capacity(PADDING + OVERHEAD);
            let length = header.write(&mut buffer, true, &extension(id, number));
            // The last byte of padding says how much there is (RFC 3550 section 5.1).
            buffer.resize(length + PADDING - 1, 0);
            buffer.push(PADDING as u8);
            self.sealer.seal_rtp(&mut buffer, 0, length, header.ssrc, index);
            packets.push(buffer);
        }
        packets
    }

    /// A sender report (RFC 3550 section 6.4.1) with the stream's CNAME. `wall` is the time since 1970.
    pub(crate) fn report(&mut self, stream: &mut Stream, now: Instant, wall: Duration) -> Vec<u8> {
        self.words.reports.set(u64::from(self.sealer.rtcp_index()) + 1);
        stream.note_clock(now, wall);
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

    /// Appends the header of a packet that leaves now with `payload` bytes; returns the header's length.
    fn write_header(
        &mut self,
        now: Instant,
        buffer: &mut Vec<u8>,
        header: &Header,
        kind: Kind,
        payload: usize,
        (packet, ids): (&Packet, Ids),
    ) -> usize {
        let extensions = match kind {
            Kind::Audio => self.audio,
            Kind::Video => self.video,
        };
        // One-byte elements: id and length less one, then the value.
        let mut elements = [0; 8];
        let mut used = 0;
        if let Some(id) = extensions.transport_cc {
            let number = self.congestion.sent(now, payload + OVERHEAD).to_be_bytes();
            self.words.arrivals.set(self.congestion.next());
            elements[..3].copy_from_slice(&[id << 4 | 1, number[0], number[1]]);
            used = 3;
        }
        let level = extensions.level.zip(packet.level);
        let orientation = extensions.orientation.zip(packet.orientation);
        for (id, value) in level.into_iter().chain(orientation) {
            elements[used..used + 2].copy_from_slice(&[id << 4, value]);
            used += 2;
        }
        if let Some(frame) = packet.descriptor.as_ref().and_then(|d| d.frame.as_deref())
            && let Some(id) = extensions.dependency
            && payload > 0
        {
            return header.write_described(buffer, &elements[..used], id, frame, ids);
        }
        header.write(buffer, false, &elements[..used.next_multiple_of(4)])
    }
}

/// A stream as its subscriber sees it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub ssrc: u32,
    pub rtx: Option<Rtx>,
    kind: Kind,
    pt: u8,
    /// The CNAME: at most 64 bytes.
    name: String,
    pub words: StreamWords,
    /// What was sent under which number; made when the first packet that may be resent is sent.
    history: Vec<Option<Sent>>,

    // For sender reports.
    packets: u32,
    bytes: u32,
    /// A moment, and what the stream's clock showed then.
    last: Option<(Instant, u32)>,
    reported_at: Option<Instant>,
}

/// The retransmissions of a stream, which are a stream of their own.
#[derive(Debug)]
pub(crate) struct Rtx {
    ssrc: u32,
    pt: u8,
    next: u64,
    word: Word,
}

impl Rtx {
    /// Goes on after the number in `word`.
    pub(crate) fn new(ssrc: u32, pt: u8, word: Word) -> Self {
        Self { ssrc, pt, next: word.get() + 1, word }
    }

    pub(crate) fn line(&self) -> (u32, u8) {
        (self.ssrc, self.pt)
    }

    /// The header and index of the next packet.
    fn next_header(&mut self, marker: bool, timestamp: u32) -> (Header, u64) {
        let index = self.next;
        self.next += 1;
        self.word.set(index);
        (Header { marker, pt: self.pt, ssrc: self.ssrc, number: index as u16, timestamp }, index)
    }
}

/// How a packet went out: enough to send it again. Each subscriber keeps hundreds, so the fields lie flat: 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    number: u16,
    timestamp: u32,
    picture: u16,
    tl0: u8,
    marker: bool,
    /// How often it was asked for.
    asked: u8,
    /// Which packet of the producer it was.
    pub stream: u8,
    pub incoming: u32,
}

impl Sent {
    fn ids(&self) -> Ids {
        Ids { picture: self.picture, tl0: self.tl0 }
    }
}

impl Stream {
    pub(crate) fn new(kind: Kind, ssrc: u32, pt: u8, rtx: Option<Rtx>, name: String, words: StreamWords) -> Self {
        let (history, packets, bytes, last, reported_at) = (Vec::new(), 0, 0, None, None);
        Self { ssrc, rtx, kind, pt, name, words, history, packets, bytes, last, reported_at }
    }

    pub(crate) fn pt(&self) -> u8 {
        self.pt
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What the stream's clock shows now, for another process.
    fn note_clock(&self, now: Instant, wall: Duration) {
        if self.last.is_some() {
            self.words.clock.set(u64::from(wall.as_millis() as u32) << 32 | u64::from(self.timestamp_at(now)));
        }
    }

    /// When that was noted by another process, and what the clock showed then.
    pub(crate) fn noted_clock(&self, now: Instant, wall: Duration) -> Option<(Instant, u32)> {
        let noted = Some(self.words.clock.get()).filter(|noted| *noted != 0)?;
        let ago = (wall.as_millis() as u32).wrapping_sub((noted >> 32) as u32);
        Some((now.checked_sub(Duration::from_millis(ago.into()))?, noted as u32))
    }

    /// How the packet with this number went out, if that is not long ago.
    pub(crate) fn sent_as(&mut self, number: u16) -> Option<&mut Sent> {
        let slot = usize::from(number) % RESEND_PACKETS;
        self.history.get_mut(slot)?.as_mut().filter(|sent| sent.number == number)
    }

    /// What went out cannot be sent again.
    pub(crate) fn forget_history(&mut self) {
        self.history.fill(None);
    }

    /// The same for a packet that is asked for, and how often it was by now.
    pub(crate) fn find(&mut self, number: u16) -> Option<(Sent, u8)> {
        let sent = self.sent_as(number)?;
        sent.asked = sent.asked.saturating_add(1);
        Some((*sent, sent.asked))
    }

    /// Whether receivers take padding on it by now.
    pub(crate) fn may_probe(&self) -> bool {
        self.rtx.is_some() && self.last.is_some()
    }

    /// Packets and bytes of payload, each modulo 2^32.
    pub(crate) fn sent_so_far(&self) -> (u32, u32) {
        (self.packets, self.bytes)
    }

    pub(crate) fn is_report_due(&self, now: Instant) -> bool {
        self.reported_at.is_none_or(|at| now.saturating_duration_since(at) >= REPORT_EVERY)
    }

    fn sent(&mut self, packet: &Packet, numbers: &Numbers) {
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(packet.payload.len() as u32);
        self.last = Some((packet.moment, numbers.timestamp));
        if self.rtx.is_none() || numbers.empty {
            return;
        }
        if self.history.is_empty() {
            self.history.resize(RESEND_PACKETS, None);
        }
        let number = numbers.index as u16;
        self.history[usize::from(number) % RESEND_PACKETS] = Some(Sent {
            number,
            timestamp: numbers.timestamp,
            picture: numbers.ids.picture,
            tl0: numbers.ids.tl0,
            marker: numbers.marker,
            asked: 0,
            stream: packet.stream as u8,
            incoming: packet.index as u32,
        });
    }

    /// What the stream's clock shows: reports must name one moment in both clocks.
    fn timestamp_at(&self, now: Instant) -> u32 {
        let Some((at, timestamp)) = self.last else { return 0 };
        let ticks = now.saturating_duration_since(at).as_micros() * u128::from(self.kind.clock_rate()) / 1_000_000;
        timestamp.wrapping_add(ticks as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_packet_is_short() {
        assert_eq!(size_of::<Option<Sent>>(), 16);
    }
}
