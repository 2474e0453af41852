//! ICE, DTLS and incoming RTP of a transport around str0m's `Rtc`; the only file that changes an `Rtc`. What a subscriber
//! gets does not pass through it but through `egress.rs`.
//! Owns the `Rtc`, and where the client is.
//! Invariant: each change to the `Rtc` is drained to its timeout before the call returns, or by the next `catch_up`.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use salon_srtp::Slot;
use str0m::bwe::Bitrate;
use str0m::config::Fingerprint;
use str0m::format::{Codec as CodecName, FormatParams};
use str0m::media::{Frequency, KeyframeRequestKind, MediaKind, Mid, Pt, Rid};
use str0m::net::{DatagramSend, Receive, Transmit};
use str0m::rtp::{Extension, RtpPacket};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc};

use super::path::Path;
use super::reports::Reports;
use crate::engine::address::{Address, Datagram};
use crate::engine::demux;
use crate::engine::identity::Identity;
use crate::engine::lines::Lines;
use crate::engine::payload::dependency::Carrier;
use crate::engine::stun;
use crate::engine::words::Word;
use crate::limits::{OVERDUE_ROUNDS, STATS_EVERY};
use crate::sdp::{BadSdp, Credentials, Format, Kind, extensions};
use crate::{CloseReason, Error};

/// Something that came out of a transport.
#[derive(Debug)]
pub(crate) enum Happened {
    Send(Address, DatagramSend),
    Connected,
    Packet(Box<RtpPacket>, Mid, Option<Rid>),
    NacksOut(u64),
    Closed(CloseReason),
}

pub(crate) struct Connection {
    rtc: Rtc,
    dtls_started: bool,
    keys: Slot,
    pub path: Path,
    /// The client's half of ICE and DTLS.
    credentials: Credentials,
    /// The names of client and server, as checks of ours have them.
    names: String,
    connected: bool,
    /// When it wants to be woken.
    deadline: Option<Instant>,
    /// The m-lines that packets are taken on.
    declared: HashSet<Mid>,
    /// Each layer's NACK counts as last reported, to count only what is new.
    nacks: HashMap<(Mid, Option<Rid>), u64>,
    /// There and back, as str0m measures it.
    rtt: Option<Duration>,
    /// Where numbers of reports go on from one process to the next.
    reports: Option<Reports>,
    /// Streams of which another process had packets up to this number, and this one none yet.
    before: FxHashMap<u32, u64>,
}

/// A stream that another process got packets of.
#[derive(Debug)]
pub(crate) struct Before {
    pub ssrc: u32,
    pub rtx: Option<u32>,
    pub mid: Mid,
    pub rid: Option<Rid>,
    /// The highest number that came.
    pub highest: u64,
    /// Whether its client sends lost packets again.
    pub resent: bool,
}

/// Our half of what ICE and DTLS need.
pub(crate) struct Ours {
    pub ufrag: String,
    pub password: String,
    pub fingerprint: String,
}

impl Connection {
    /// For the client that wrote these credentials, under these of ours. With `acknowledge` it is told when each of its
    /// packets arrived.
    pub(crate) fn open(
        now: Instant,
        identity: &Identity,
        ours: IceCreds,
        credentials: &Credentials,
        lines: &Lines,
        acknowledge: bool,
    ) -> Result<Self, Error> {
        Self::make(now, identity, ours, None, credentials, lines, acknowledge)
    }

    /// Goes on with a connection that another process had under this name, with these keys. Its client notices nothing.
    pub(crate) fn resume(
        now: Instant,
        identity: &Identity,
        (name, keys): (&str, &Slot),
        credentials: &Credentials,
        lines: &Lines,
        acknowledge: bool,
        happened: &mut Vec<Happened>,
    ) -> Result<Self, Error> {
        let ours = identity.farewell.credentials_of(name);
        let mut connection = Self::make(now, identity, ours, Some(keys), credentials, lines, acknowledge)?;
        connection.dtls_started = true;
        let started = connection.rtc.handle_input(Input::Timeout(now)).and_then(|()| {
            connection.drain(now, happened);
            connection.rtc.direct_api().start_dtls(false)
        });
        started.map_err(|_| Error::Refused("the keys of an earlier run are of no use".into()))?;
        connection.drain(now, happened);
        Ok(connection)
    }

    /// As when the client had chosen the path from there; str0m knows no other way to hear where it is.
    pub(crate) fn choose_path(&mut self, now: Instant, from: Address, to: SocketAddr, happened: &mut Vec<Happened>) {
        self.path.trust(now, from);
        let ours = self.rtc.direct_api().local_ice_credentials();
        let check = stun::nomination([0; 12], &format!("{}:{}", ours.ufrag, self.credentials.ufrag), &ours.pass);
        let mut answers = Vec::new();
        if let Ok(receive) = Receive::new(from.protocol(), from.socket(), to, &check)
            && self.rtc.handle_input(Input::Receive(now, receive)).is_ok()
        {
            self.drain(now, &mut answers);
        }
        // Nobody asked.
        answers.retain(|happened| !matches!(happened, Happened::Send(_, bytes) if demux::is_stun(bytes)));
        happened.append(&mut answers);
    }

    /// Packets of these streams may say no more than their numbers: what they are was told to another process.
    pub(crate) fn expect(&mut self, streams: impl IntoIterator<Item = Before>) {
        for Before { ssrc, rtx, mid, rid, highest, resent } in streams {
            if self.declared.contains(&mid) {
                let mut direct = self.rtc.direct_api();
                direct.expect_stream_rx(ssrc.into(), rtx.map(Into::into), mid, rid).suppress_nack(!resent);
                self.before.insert(ssrc, highest);
            }
        }
    }

    /// From now on reports have numbers that go on in another process, after the one in `last`.
    pub(crate) fn number_reports(&mut self, last: Word) {
        self.reports = Reports::new(&self.keys, last);
    }

    /// The retransmissions of a stream that comes in, as far as they are known.
    pub(crate) fn rtx_of(&mut self, ssrc: u32) -> Option<u32> {
        self.rtc.direct_api().stream_rx(&ssrc.into()).and_then(|stream| stream.rtx()).map(|rtx| *rtx)
    }

    fn make(
        now: Instant,
        identity: &Identity,
        ours: IceCreds,
        known: Option<&Slot>,
        credentials: &Credentials,
        lines: &Lines,
        acknowledge: bool,
    ) -> Result<Self, Error> {
        let fingerprint: Fingerprint = credentials.fingerprint.parse().map_err(|_| BadSdp::new("odd fingerprint"))?;
        let mut config = Rtc::builder()
            .set_crypto_provider(identity.crypto.clone())
            .set_dtls_cert(identity.cert.clone())
            .set_ice_lite(true)
            .set_local_ice_credentials(ours)
            .set_rtp_mode(true)
            .set_stats_interval(Some(STATS_EVERY))
            .clear_codecs()
            .clear_extension_map();
        for (id, uri) in lines.extensions() {
            if let Some(extension) = extension(uri) {
                config = config.set_extension(id, extension);
            }
        }
        let codecs = config.codec_config();
        for codec in lines.codecs() {
            let (name, clock, channels) = described(codec.format);
            codecs.add_config(codec.pt.into(), codec.rtx.map(Pt::from), name, clock, channels, FormatParams::default());
        }
        let (mut rtc, keys) = match known {
            None => salon_srtp::overhear(|| config.build(now)),
            Some(keys) => (salon_srtp::repeat(keys, || config.build(now)), keys.clone()),
        };
        for address in &identity.candidates {
            if let Ok(candidate) = Candidate::host(address.socket(), address.protocol()) {
                rtc.add_local_candidate(candidate);
            }
        }
        let mut direct = rtc.direct_api();
        let names = format!("{}:{}", credentials.ufrag, direct.local_ice_credentials().ufrag);
        direct.set_ice_controlling(false);
        direct.set_remote_ice_credentials(IceCreds { ufrag: credentials.ufrag.clone(), pass: credentials.password.clone() });
        direct.set_remote_fingerprint(fingerprint);
        if acknowledge {
            direct.enable_twcc_feedback();
        }
        Ok(Self {
            rtc,
            dtls_started: false,
            keys,
            path: Path::default(),
            credentials: credentials.clone(),
            names,
            connected: false,
            deadline: None,
            declared: HashSet::new(),
            nacks: HashMap::new(),
            rtt: None,
            reports: None,
            before: FxHashMap::default(),
        })
    }

    pub(crate) fn ours(&mut self) -> Ours {
        let direct = self.rtc.direct_api();
        let IceCreds { ufrag, pass } = direct.local_ice_credentials();
        Ours { ufrag, password: pass, fingerprint: direct.local_dtls_fingerprint().to_string() }
    }

    pub(crate) fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    /// The SRTP keys, once the handshake is done.
    pub(crate) fn keys(&self) -> &Slot {
        &self.keys
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    pub(crate) fn came_up(&mut self) {
        self.connected = true;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Reports of a subscriber told it; str0m sees none of them.
    pub(crate) fn measured(&mut self, rtt: Duration) {
        self.rtt = Some(rtt);
    }

    // ---- packets and time ----

    /// Whether a STUN datagram is for this transport and its password is right.
    pub(crate) fn accepts(&self, now: Instant, from: Address, to: SocketAddr, datagram: &[u8]) -> bool {
        Receive::new(from.protocol(), from.socket(), to, datagram)
            .is_ok_and(|receive| self.rtc.accepts(&Input::Receive(now, receive)))
    }

    /// Something came from an address of its client. The question whether it wants what we send there, if it is time to ask.
    #[inline]
    pub(crate) fn came(&mut self, now: Instant, from: Address, bytes: usize) -> Option<Vec<u8>> {
        let transaction = self.path.consent.came(now, from, bytes, stun::check_length(&self.names))?;
        Some(stun::check(transaction, &self.names, &self.credentials.password))
    }

    /// An answer to a check came from there. None if it is to none of ours; else whether it is news that it agrees.
    pub(crate) fn answered(&mut self, now: Instant, from: Address, datagram: &[u8]) -> Option<bool> {
        let transaction = stun::answers(datagram).filter(|_| stun::agrees(&stun::key(&self.credentials.password), datagram))?;
        self.path.consent.answered(now, from, transaction)
    }

    /// Takes a datagram. False if it could not be understood; the connection lives on.
    pub(crate) fn receive(&mut self, datagram: Datagram<'_>, happened: &mut Vec<Happened>) -> bool {
        let Datagram { now, came, from, to, bytes } = datagram;
        let Ok(receive) = Receive::new(from.protocol(), from.socket(), to, bytes) else { return false };
        if !self.dtls_started && demux::is_dtls(bytes) {
            // Only now: dimpl's clock stands still from start_dtls until the first packet, and one that comes
            // over a second later would make the handshake stall for 6 to 7 s. The SDK may connect ICE early.
            self.dtls_started = true;
            let started = self.rtc.handle_input(Input::Timeout(now)).and_then(|()| {
                self.drain(now, happened);
                self.rtc.direct_api().start_dtls(false)
            });
            if started.is_err() {
                happened.push(Happened::Closed(CloseReason::DtlsFailed));
                return false;
            }
            self.drain(now, happened);
        }
        if !self.before.is_empty() {
            self.guess_rollover(bytes);
        }
        let understood = self.rtc.handle_input(Input::Receive(came, receive)).is_ok();
        self.drain(now, happened);
        if happened.iter().any(|happened| matches!(happened, Happened::Packet(..))) {
            self.path.proven(now, from);
        }
        understood
    }

    /// How often the 16 bits of a number have run over is not in the packet (RFC 3711 section 3.3.1). Guessed from what
    /// another process got, again for each packet until one was genuine: anybody can send one that is not.
    fn guess_rollover(&mut self, datagram: &[u8]) {
        let Some(ssrc) = demux::ssrc(datagram) else { return };
        let Some(highest) = self.before.get(&ssrc) else { return };
        let number = u16::from_be_bytes([datagram[2], datagram[3]]);
        let ahead = i64::from(number.wrapping_sub(*highest as u16) as i16);
        let rollover = highest.saturating_add_signed(ahead) >> 16;
        if let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc.into()) {
            stream.reset_roc(rollover);
        }
    }

    /// Time has come, or something was written: brings the `Rtc` up to `now`.
    pub(crate) fn catch_up(&mut self, now: Instant, happened: &mut Vec<Happened>) {
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            happened.push(Happened::Closed(CloseReason::Failed));
        }
        self.drain(now, happened);
    }

    /// Everything the `Rtc` has to say, and the next deadline.
    fn drain(&mut self, now: Instant, happened: &mut Vec<Happened>) {
        // A timeout that has passed is honoured at once: waiting for the next tick would hold back packets.
        for _ in 0..OVERDUE_ROUNDS {
            let timeout = loop {
                match self.rtc.poll_output() {
                    Ok(Output::Timeout(at)) => break at,
                    Ok(Output::Transmit(transmit)) => happened.extend(self.addressed(now, transmit)),
                    Ok(Output::Event(event)) => self.take(event, happened),
                    Err(_) => {
                        happened.push(Happened::Closed(if self.connected {
                            CloseReason::Failed
                        } else {
                            CloseReason::DtlsFailed
                        }));
                        self.rtc.disconnect();
                        self.deadline = None;
                        return;
                    }
                }
            };
            if !self.rtc.is_alive() {
                happened.push(Happened::Closed(CloseReason::Failed));
                self.deadline = None;
                return;
            }
            self.deadline = Some(timeout);
            if timeout > now || self.rtc.handle_input(Input::Timeout(now)).is_err() {
                return;
            }
        }
    }

    /// Answers to checks go back where those came from, all else where the client is. The `Rtc` itself stays with the
    /// path of the highest priority until 15 s after the client has left it. Where nobody has agreed to get anything, little
    /// goes: a handshake, which is tried again.
    fn addressed(&mut self, now: Instant, transmit: Transmit) -> Option<Happened> {
        let named = Address::new(transmit.proto, transmit.destination);
        if demux::is_stun(&transmit.contents) {
            return Some(Happened::Send(named, transmit.contents));
        }
        let to = self.path.client().unwrap_or(named);
        let contents = match &mut self.reports {
            Some(reports) if demux::is_rtp_or_rtcp(&transmit.contents) => reports.reseal(&transmit.contents)?.into(),
            _ => transmit.contents,
        };
        self.path.consent.take(now, to, contents.len()).then(|| Happened::Send(to, contents))
    }

    fn take(&mut self, event: Event, happened: &mut Vec<Happened>) {
        match event {
            Event::Connected => happened.push(Happened::Connected),
            Event::IceConnectionStateChange(state) if state.is_disconnected() => {
                happened.push(Happened::Closed(CloseReason::Disconnected));
            }
            Event::Closed => happened.push(Happened::Closed(CloseReason::ClosedByClient)),
            Event::RtpPacket(packet) => {
                let ssrc = packet.header.ssrc;
                // The stream knows its mid and rid; packets carry them only at first.
                let stream = self.rtc.direct_api().stream_rx(&ssrc).map(|s| (s.mid(), s.rid()));
                if !self.before.is_empty() {
                    self.before.remove(&*ssrc);
                }
                if let Some((mid, rid)) = stream {
                    happened.push(Happened::Packet(Box::new(packet), mid, rid));
                }
            }
            Event::MediaIngressStats(stats) => {
                self.rtt = stats.rtt.or(self.rtt);
                let before = self.nacks.insert((stats.mid, stats.rid), stats.nacks).unwrap_or(0);
                happened.push(Happened::NacksOut(stats.nacks.saturating_sub(before)));
            }
            _ => {}
        }
    }

    /// Says goodbye, so that the client notices at once instead of after its timeouts.
    pub(crate) fn close(&mut self, now: Instant, happened: &mut Vec<Happened>) {
        if self.dtls_started && self.rtc.is_alive() && self.rtc.close().is_ok() {
            self.catch_up(now, happened);
        }
        self.rtc.disconnect();
        self.deadline = None;
    }

    // ---- what leaves with the next `catch_up` ----

    /// Asks the client for a key frame of one layer. False if nothing came in yet.
    pub(crate) fn request_key_frame(&mut self, mid: Mid, rid: Option<Rid>) -> bool {
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_rx_by_mid(mid, rid) else { return false };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        true
    }

    /// Tells the client how much to send at most on this connection. False if nothing came in on that stream yet.
    pub(crate) fn request_at_most(&mut self, mid: Mid, rid: Option<Rid>, bits_per_second: u64) -> bool {
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_rx_by_mid(mid, rid) else { return false };
        stream.request_remb(Bitrate::from(bits_per_second));
        true
    }

    // ---- m-lines ----

    /// Takes packets on a line.
    pub(crate) fn declare(&mut self, mid: Mid, kind: Kind) {
        if self.declared.insert(mid) {
            self.rtc.direct_api().declare_media(mid, media_kind(kind));
        }
    }

    /// Forgets the streams that come in on a mid. Its m-line stays as it is.
    pub(crate) fn remove_media(&mut self, mid: Mid) {
        if self.declared.remove(&mid) {
            self.rtc.direct_api().remove_media(mid);
        }
        self.nacks.retain(|(of, _), _| *of != mid);
    }

    pub(crate) fn random_ssrc(&mut self) -> u32 {
        *self.rtc.direct_api().new_ssrc()
    }
}

/// How str0m calls it: name, clock rate, channels. It only tells payload types by them; what is in the payloads is ours.
fn described(format: Format) -> (CodecName, Frequency, Option<u8>) {
    let name = match format {
        Format::Opus => return (CodecName::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2)),
        Format::Vp8 => CodecName::Vp8,
        Format::Vp9 => CodecName::Vp9,
        Format::H264(_) => CodecName::H264,
        Format::Av1 => CodecName::Av1,
    };
    (name, Frequency::NINETY_KHZ, None)
}

fn media_kind(kind: Kind) -> MediaKind {
    match kind {
        Kind::Audio => MediaKind::Audio,
        Kind::Video => MediaKind::Video,
    }
}

fn extension(uri: &str) -> Option<Extension> {
    Some(match uri {
        extensions::MID => Extension::RtpMid,
        extensions::RID => Extension::RtpStreamId,
        extensions::REPAIRED_RID => Extension::RepairedRtpStreamId,
        extensions::SEND_TIME => Extension::AbsoluteSendTime,
        extensions::TRANSPORT_CC => Extension::TransportSequenceNumber,
        extensions::AUDIO_LEVEL => Extension::AudioLevel,
        extensions::ORIENTATION => Extension::VideoOrientation,
        extensions::DEPENDENCY => Extension::with_serializer(extensions::DEPENDENCY, Carrier),
        _ => return None,
    })
}
