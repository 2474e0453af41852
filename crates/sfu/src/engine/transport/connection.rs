//! ICE, DTLS and incoming RTP of a transport around str0m's `Rtc`; the only file that changes an `Rtc`. What a subscriber
//! gets does not pass through it but through `egress.rs`.
//! Owns the `Rtc`, and where the client is.
//! Invariant: each change to the `Rtc` is drained to its timeout before the call returns, or by the next `catch_up`.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use salon_srtp::Slot;
use str0m::bwe::Bitrate;
use str0m::config::Fingerprint;
use str0m::format::{Codec as CodecName, FormatParams};
use str0m::media::{Frequency, KeyframeRequestKind, MediaKind, Mid, Pt, Rid};
use str0m::net::{DatagramSend, Receive, Transmit};
use str0m::rtp::{Extension, RtpPacket};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc};

use super::path::Path;
use crate::engine::address::Address;
use crate::engine::demux;
use crate::engine::identity::Identity;
use crate::engine::lines::{self, Lines};
use crate::engine::payload::dependency::Carrier;
use crate::engine::stun;
use crate::limits::{OVERDUE_ROUNDS, STATS_EVERY};
use crate::sdp::{BadSdp, Credentials, Format, Kind};
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
    /// The names of client and server, as checks of ours have them, and the client's password.
    names: String,
    password: String,
    connected: bool,
    /// When it wants to be woken.
    deadline: Option<Instant>,
    /// The m-lines that packets are taken on.
    declared: HashSet<Mid>,
    /// Each layer's NACK counts as last reported, to count only what is new.
    nacks: HashMap<(Mid, Option<Rid>), u64>,
    /// There and back, as str0m measures it.
    rtt: Option<Duration>,
}

/// Our half of what ICE and DTLS need.
pub(crate) struct Ours {
    pub ufrag: String,
    pub password: String,
    pub fingerprint: String,
}

impl Connection {
    /// For the client that wrote these credentials. With `acknowledge` it is told when each of its packets arrived.
    pub(crate) fn open(
        now: Instant,
        identity: &Identity,
        credentials: &Credentials,
        lines: &Lines,
        acknowledge: bool,
    ) -> Result<Self, Error> {
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
            names,
            password: credentials.password.clone(),
            connected: false,
            deadline: None,
            declared: HashSet::new(),
            nacks: HashMap::new(),
            rtt: None,
        })
    }

    pub(crate) fn ours(&mut self) -> Ours {
        let direct = self.rtc.direct_api();
        let IceCreds { ufrag, pass } = direct.local_ice_credentials();
        Ours { ufrag, password: pass, fingerprint: direct.local_dtls_fingerprint().to_string() }
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
        Some(stun::check(transaction, &self.names, &self.password))
    }

    /// An answer to a check came from there. None if it is to none of ours; else whether it is news that it agrees.
    pub(crate) fn answered(&mut self, now: Instant, from: Address, datagram: &[u8]) -> Option<bool> {
        let transaction = stun::answers(datagram).filter(|_| stun::agrees(&stun::key(&self.password), datagram))?;
        self.path.consent.answered(now, from, transaction)
    }

    /// Takes a datagram. False if it could not be understood; the connection lives on.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        from: Address,
        to: SocketAddr,
        datagram: &[u8],
        happened: &mut Vec<Happened>,
    ) -> bool {
        let Ok(receive) = Receive::new(from.protocol(), from.socket(), to, datagram) else { return false };
        if !self.dtls_started && demux::is_dtls(datagram) {
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
            self.path.proven(now, from);
        }
        understood
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
        self.path.consent.take(now, to, transmit.contents.len()).then(|| Happened::Send(to, transmit.contents))
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
