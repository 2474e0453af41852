//! One peer's connection: ICE, DTLS and incoming RTP around str0m's `Rtc`; the only file that changes an `Rtc`. What a
//! subscriber gets does not pass through it but through `egress.rs`.
//! Owns the `Rtc`, the m-lines, and the maps from mid to producer or consumer.
//! Invariant: each change to the `Rtc` is drained to its timeout before the call returns.
//! Next: `forwarding.rs` decides who receives what came in here.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use salon_srtp::Slot;
use str0m::bwe::Bitrate;
use str0m::config::{CryptoProvider, DtlsCert, Fingerprint};
use str0m::format::{Codec as CodecName, FormatParams};
use str0m::media::{Frequency, KeyframeRequestKind, MediaKind, Mid, Pt, Rid};
use str0m::net::{DatagramSend, Receive, Transmit};
use str0m::rtp::{Extension, RtpPacket};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc};

use super::address::Address;
use super::consumer::Consumer;
use super::egress::{Egress, ExtensionIds};
use super::farewell::Farewell;
use super::intake::Intake;
use super::key::ProducerKey;
use super::lines::{self, Change, Lines, Sending};
use super::payload::dependency::Carrier;
use super::trap;
use crate::limits::{OVERDUE_ROUNDS, PATH_QUIET_FOR, STATS_EVERY};
use crate::sdp::write::{Session, Source};
use crate::sdp::{self, BadSdp, Codec, Format, Kind, Remote};
use crate::{CloseReason, Error, Role, RoomId, TransportId};

/// What all transports of an engine share.
#[derive(Debug)]
pub(crate) struct Identity {
    /// One certificate for all: the fingerprint is in each SDP, and making one costs a millisecond.
    pub cert: DtlsCert,
    pub crypto: Arc<CryptoProvider>,
    /// Where clients reach us, most preferred first.
    pub candidates: Vec<Address>,
    pub farewell: Farewell,
    /// One moment in both clocks: ours, and the time since 1970.
    pub began: (Instant, Duration),
}

impl Identity {
    /// The time since 1970, on a clock that is never set back.
    pub(crate) fn wall(&self, now: Instant) -> Duration {
        self.began.1 + now.saturating_duration_since(self.began.0)
    }
}

/// Where a client is reached.
#[derive(Clone, Copy, Debug)]
struct Path {
    client: Address,
    /// Something came from there that cannot come from anyone else.
    proven: bool,
    heard_at: Instant,
}

/// Something that came out of a transport.
#[derive(Debug)]
pub(crate) enum Happened {
    Send(Address, DatagramSend),
    Connected,
    Packet(Box<RtpPacket>, Mid, Option<Rid>),
    NacksOut(u64),
    Closed(CloseReason),
}

pub(crate) struct Transport {
    pub id: TransportId,
    pub room: RoomId,
    pub role: Role,
    pub ufrag: String,
    rtc: Rtc,
    dtls_started: bool,
    /// Each layer's NACK counts as last reported, to count only what is new.
    nacks: HashMap<(Mid, Option<Rid>), u64>,
    keys: Slot,
    /// The sending side of a connection that subscribes, from when it is connected.
    pub egress: Option<Egress>,
    path: Option<Path>,

    // Negotiation.
    session: u64,
    version: u64,
    lines: Lines,
    remote_ufrag: String,
    /// The client reports when packets arrived, on all streams together.
    transport_cc: bool,
    /// It does not, so it needs to be told a bitrate.
    remb_only: bool,
    declared: HashSet<Mid>,
    /// All that were ever sent on here, with their lines; those of retransmissions have none.
    pub ssrcs: FxHashMap<u32, Option<Mid>>,

    // Media.
    pub incoming: HashMap<Mid, ProducerKey>,
    pub consumers: FxHashMap<Mid, Consumer>,
    pub consumer_of: HashMap<ProducerKey, Mid>,

    // Written by the engine.
    pub intake: Intake,
    pub connected: bool,
    pub opened_at: Instant,
    pub heard_at: Instant,
    pub deadline: Option<Instant>,
    pub allocated_at: Option<Instant>,
    /// What it took to fulfil all wishes then, in bit/s; the most there is, if they have changed since.
    pub wanted: u64,
    /// There and back, smoothed.
    pub rtt: Option<Duration>,
    /// The most the client was told to send, in bit/s, as nobody takes more.
    pub held_to: Option<u64>,
    /// It sent more than anybody wanted when last looked at.
    pub holdable: bool,
    pub touched: bool,
}

impl Transport {
    /// A transport for the client that wrote `offer`, and the answer for it.
    pub(crate) fn open(
        now: Instant,
        session: u64,
        identity: &Identity,
        id: TransportId,
        room: RoomId,
        role: Role,
        offer: &Remote,
    ) -> Result<(Self, String), Error> {
        trap::spring("open");
        let lines = Lines::open(offer)?;
        let credentials = &offer.credentials;
        let fingerprint: Fingerprint = credentials.fingerprint.parse().map_err(|_| BadSdp::new("odd fingerprint"))?;

        let mut config = Rtc::builder()
            .set_crypto_provider(identity.crypto.clone())
            .set_dtls_cert(identity.cert.clone())
            .set_ice_lite(true)
            .set_local_ice_credentials(identity.farewell.credentials())
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
        let (mut rtc, keys) = salon_srtp::overhear(|| config.build(now));
        for address in &identity.candidates {
            if let Ok(candidate) = Candidate::host(address.socket(), address.protocol()) {
                rtc.add_local_candidate(candidate);
            }
        }
        let mut direct = rtc.direct_api();
        direct.set_ice_controlling(false);
        direct.set_remote_ice_credentials(IceCreds { ufrag: credentials.ufrag.clone(), pass: credentials.password.clone() });
        direct.set_remote_fingerprint(fingerprint);
        let transport_cc = offers(offer, "transport-cc") && lines.extensions().any(|(_, uri)| uri == lines::TRANSPORT_CC);
        if transport_cc && role == Role::Send {
            direct.enable_twcc_feedback();
        }
        let ufrag = direct.local_ice_credentials().ufrag;

        let mut transport = Self {
            id,
            room,
            role,
            ufrag,
            rtc,
            dtls_started: false,
            nacks: HashMap::new(),
            keys,
            egress: None,
            path: None,
            session,
            version: 0,
            lines,
            remote_ufrag: credentials.ufrag.clone(),
            transport_cc,
            remb_only: !transport_cc && offers(offer, "goog-remb"),
            declared: HashSet::new(),
            ssrcs: FxHashMap::default(),
            incoming: HashMap::new(),
            consumers: FxHashMap::default(),
            consumer_of: HashMap::new(),
            intake: Intake::default(),
            connected: false,
            opened_at: now,
            heard_at: now,
            deadline: None,
            allocated_at: None,
            wanted: 0,
            rtt: None,
            held_to: None,
            holdable: false,
            touched: false,
        };
        transport.declare_incoming();
        let answer = transport.write_answer(identity);
        Ok((transport, answer))
    }

    // ---- packets and time ----

    /// Whether a STUN datagram is for this transport and its password is right.
    pub(crate) fn accepts(&self, now: Instant, from: Address, to: SocketAddr, datagram: &[u8]) -> bool {
        trap::spring("check");
        Receive::new(from.protocol(), from.socket(), to, datagram)
            .is_ok_and(|receive| self.rtc.accepts(&Input::Receive(now, receive)))
    }

    /// Takes a datagram. False if it could not be understood; the transport lives on.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        from: Address,
        to: SocketAddr,
        datagram: &[u8],
        happened: &mut Vec<Happened>,
    ) -> bool {
        trap::spring("datagram");
        let Ok(receive) = Receive::new(from.protocol(), from.socket(), to, datagram) else { return false };
        if !self.dtls_started && super::demux::is_dtls(datagram) {
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
        let understood = self.rtc.handle_input(Input::Receive(now, receive)).is_ok();
        self.drain(now, happened);
        if happened.iter().any(|happened| matches!(happened, Happened::Packet(..))) {
            self.proven(now, from);
        }
        understood
    }

    /// Time has come, or something was written: brings the `Rtc` up to `now`.
    pub(crate) fn catch_up(&mut self, now: Instant, happened: &mut Vec<Happened>) {
        trap::spring("timeout");
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
                    Ok(Output::Transmit(transmit)) => happened.push(self.addressed(transmit)),
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
    /// path of the highest priority until 15 s after the client has left it.
    fn addressed(&self, transmit: Transmit) -> Happened {
        let named = Address::new(transmit.proto, transmit.destination);
        let to = if super::demux::is_stun(&transmit.contents) { named } else { self.client().unwrap_or(named) };
        Happened::Send(to, transmit.contents)
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

    /// Where the client wants what we send.
    pub(crate) fn client(&self) -> Option<Address> {
        self.path.map(|path| path.client)
    }

    /// A genuine connectivity check came from there; with `nominated` the client wants its media there. A check can be
    /// caught and sent again from elsewhere, so a path that was proven is left for it only when it has gone quiet.
    pub(crate) fn checked(&mut self, now: Instant, from: Address, nominated: bool) {
        match &mut self.path {
            Some(path) if path.client == from => path.heard_at = now,
            Some(path) if path.proven && now.saturating_duration_since(path.heard_at) < PATH_QUIET_FOR => {}
            Some(_) if !nominated => {}
            path => *path = Some(Path { client: from, proven: false, heard_at: now }),
        }
    }

    /// A genuine packet or report came from there, which cannot be sent twice.
    pub(crate) fn proven(&mut self, now: Instant, from: Address) {
        self.path = Some(Path { client: from, proven: true, heard_at: now });
    }

    /// Nobody is reached there any more. What it checks next is the client's new place.
    pub(crate) fn leave(&mut self, address: Address) {
        self.path = self.path.filter(|path| path.client != address);
    }

    /// The handshake is done: from now on media can be sent. False if the keys are of no use.
    pub(crate) fn begin_egress(&mut self, now: Instant) -> bool {
        trap::spring("connected");
        if self.role == Role::Receive {
            let ids = |kind| {
                let id = |wanted| self.lines.extensions_of(kind).iter().find(|(_, uri)| *uri == wanted).map(|(id, _)| *id);
                ExtensionIds {
                    level: id(lines::AUDIO_LEVEL),
                    orientation: id(lines::ORIENTATION),
                    transport_cc: id(lines::TRANSPORT_CC).filter(|_| self.transport_cc),
                    dependency: id(lines::DEPENDENCY),
                }
            };
            self.egress = Egress::new(now, &self.keys, ids(Kind::Audio), ids(Kind::Video));
        }
        self.role == Role::Send || self.egress.is_some()
    }

    /// Asks the client for a key frame of one layer; it leaves with the next `catch_up`. False if nothing came in yet.
    pub(crate) fn request_key_frame(&mut self, mid: Mid, rid: Option<Rid>) -> bool {
        trap::spring("key frame");
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_rx_by_mid(mid, rid) else { return false };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        true
    }

    /// Grants a bitrate to a client that waits to be told one. Leaves with the next `catch_up`.
    pub(crate) fn grant_bitrate(&mut self, mid: Mid, rid: Option<Rid>, bits_per_second: u64) -> bool {
        trap::spring("housekeeping");
        let mut direct = self.rtc.direct_api();
        match direct.stream_rx_by_mid(mid, rid) {
            Some(stream) if self.remb_only => {
                stream.request_remb(Bitrate::from(bits_per_second));
                true
            }
            _ => false,
        }
    }

    /// Whether the client sends what it is told to, and measures nothing itself.
    pub(crate) fn is_remb_only(&self) -> bool {
        self.remb_only
    }

    /// Tells the client how much to send at most on this connection; leaves with the next `catch_up`. False if nothing
    /// came in on that stream yet.
    pub(crate) fn request_at_most(&mut self, mid: Mid, rid: Option<Rid>, bits_per_second: u64) -> bool {
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_rx_by_mid(mid, rid) else { return false };
        stream.request_remb(Bitrate::from(bits_per_second));
        true
    }

    /// Says goodbye, so that the client notices at once instead of after its timeouts.
    pub(crate) fn close(&mut self, now: Instant, happened: &mut Vec<Happened>) {
        trap::spring("close");
        if self.dtls_started && self.rtc.is_alive() && self.rtc.close().is_ok() {
            self.catch_up(now, happened);
        }
        self.rtc.disconnect();
        self.deadline = None;
    }

    // ---- negotiation ----

    /// Answers an offer; the changes are for the engine to carry on.
    pub(crate) fn answer(
        &mut self,
        identity: &Identity,
        offer: &Remote,
        stop: &HashSet<String>,
    ) -> Result<(String, Vec<Change>), Error> {
        self.same_peer(offer)?;
        let changes = self.lines.answer(offer, stop)?;
        self.apply(&changes);
        Ok((self.write_answer(identity), changes))
    }

    /// Takes an answer to our offer.
    pub(crate) fn accept(&mut self, answer: &Remote) -> Result<Vec<Change>, Error> {
        self.same_peer(answer)?;
        let changes = self.lines.accept(answer)?;
        self.apply(&changes);
        Ok(changes)
    }

    /// The codec of a line that the client sends on, if it is one that packets can be told by.
    pub(crate) fn receiving(&self, mid: &str, kind: Kind) -> Option<&Codec> {
        let codec = self.lines.receiving(mid).filter(|l| l.kind == Some(kind))?.codec.as_ref()?;
        self.lines.codecs().iter().find(|c| (c.pt, c.format) == (codec.pt, codec.format))
    }

    pub(crate) fn sending_lines(&self) -> usize {
        self.lines.sending()
    }

    /// Whether an offer of ours waits for its answer.
    pub(crate) fn is_offered(&self) -> bool {
        self.lines.is_offered()
    }

    /// Adds a line for a track to the next offer. None if the client cannot take it.
    pub(crate) fn add_line(&mut self, format: Format, stream: &str, track: &str) -> Option<Sending> {
        trap::spring("consume");
        let takes = || self.lines.codecs().iter().filter(|c| c.format.takes(format));
        let codec = takes().find(|c| c.format == format).or_else(|| takes().next())?.clone();
        let (pt, rtx_pt) = (codec.pt, codec.rtx.filter(|_| format.kind() == Kind::Video));
        let ssrc = self.new_ssrc();
        let rtx = rtx_pt.map(|pt| (self.new_ssrc(), pt));
        let name = token(track);
        let source = Source { ssrc, rtx: rtx.map(|(ssrc, _)| ssrc), stream: token(stream), track: name.clone() };
        let mid = Mid::from(self.lines.offer(&codec, source)?.as_str());
        self.ssrcs.insert(ssrc, Some(mid));
        Some(Sending { mid, pt, ssrc, rtx, name })
    }

    /// One that was never used on this connection: a second stream of that name would repeat what keys were used for.
    fn new_ssrc(&mut self) -> u32 {
        loop {
            let ssrc = *self.rtc.direct_api().new_ssrc();
            if ssrc != 0 && !self.ssrcs.contains_key(&ssrc) {
                self.ssrcs.insert(ssrc, None);
                return ssrc;
            }
        }
    }

    /// Takes packets on all lines the client may send on, also those without a producer: browsers probe for bandwidth
    /// with padding on the SDK's placeholders, and what is not acknowledged counts as lost and starves the video.
    fn declare_incoming(&mut self) {
        if self.role != Role::Send {
            return;
        }
        for (mid, kind) in self.lines.all_receiving() {
            let mid = Mid::from(mid);
            if self.declared.insert(mid) {
                self.rtc.direct_api().declare_media(mid, media_kind(kind));
            }
        }
    }

    fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::SendingBegins { mid } => {
                    if let Some(consumer) = self.consumers.get_mut(&Mid::from(mid.as_str())) {
                        consumer.negotiated = true;
                    }
                }
                Change::ReceivingEnds { mid } => self.remove_media(Mid::from(mid.as_str())),
                // The `Rtc` does not know what is sent.
                Change::SendingEnds { .. } => {}
            }
        }
        self.declare_incoming();
    }

    /// Forgets the streams that come in on a mid. Its m-line stays as it is.
    fn remove_media(&mut self, mid: Mid) {
        if self.declared.remove(&mid) {
            self.rtc.direct_api().remove_media(mid);
        }
        self.nacks.retain(|(of, _), _| *of != mid);
    }

    /// The web SDK never restarts ICE; a description with other credentials is of another peer connection.
    fn same_peer(&self, remote: &Remote) -> Result<(), Error> {
        match remote.credentials.ufrag == self.remote_ufrag {
            true => Ok(()),
            false => Err(Error::Refused("ICE restart is not supported, open a new transport".into())),
        }
    }

    fn write_answer(&mut self, identity: &Identity) -> String {
        self.write_description(identity, false)
    }

    /// Our offer: all settled lines and those that wait.
    pub(crate) fn write_offer(&mut self, identity: &Identity) -> String {
        self.write_description(identity, true)
    }

    fn write_description(&mut self, identity: &Identity, offer: bool) -> String {
        self.version += 1;
        let direct = self.rtc.direct_api();
        let credentials = direct.local_ice_credentials();
        let fingerprint = direct.local_dtls_fingerprint().to_string();
        let session = Session {
            id: self.session,
            version: self.version,
            ufrag: &credentials.ufrag,
            password: &credentials.pass,
            fingerprint: &fingerprint,
            candidates: &identity.candidates,
            setup: if offer { "actpass" } else { "passive" },
        };
        let lines = if offer { self.lines.offering() } else { self.lines.answered() };
        sdp::write(&session, &lines)
    }
}

fn offers(offer: &Remote, feedback: &str) -> bool {
    offer.lines.iter().flat_map(|l| &l.codecs).any(|c| c.feedback.iter().any(|f| f == feedback))
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
        lines::MID => Extension::RtpMid,
        lines::RID => Extension::RtpStreamId,
        lines::REPAIRED_RID => Extension::RepairedRtpStreamId,
        lines::SEND_TIME => Extension::AbsoluteSendTime,
        lines::TRANSPORT_CC => Extension::TransportSequenceNumber,
        lines::AUDIO_LEVEL => Extension::AudioLevel,
        lines::ORIENTATION => Extension::VideoOrientation,
        lines::DEPENDENCY => Extension::with_serializer(lines::DEPENDENCY, Carrier),
        _ => return None,
    })
}

/// What may stand in an msid: letters, digits and a few marks (RFC 8830 section 2), at most 64 of them.
fn token(text: &str) -> String {
    let kept: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.+{}".contains(*c)).take(64).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}
