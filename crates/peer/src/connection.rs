//! One client's connection: str0m does ICE and DTLS, and packets of media go past it with the keys of its handshake.
//! Invariant: str0m knows of no stream here, so it never sends RTCP, whose nonces would be used twice.
//! Next: `media.rs`, the thread it lives on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mio::net::UdpSocket;
use salon_srtp::{End, RtcpOpener, RtpOpener, Sealer, Slot};
use socket2::{Domain, Protocol, Socket, Type};
use str0m::config::{CryptoProvider, DtlsCert, Fingerprint};
use str0m::net::{Protocol as Way, Receive};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc};

use crate::sdp::{Credentials, Remote};

/// Kernel buffer of a client's socket, in bytes: some tenths of a second of several videos.
const SOCKET_BUFFER: usize = 1 << 20;

/// Longer than any run: when a connection that has ended has something to do.
const NEVER: Duration = Duration::from_secs(24 * 3_600);

/// What all clients of this process share.
pub struct Identity {
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
}

impl Identity {
    /// # Errors
    /// If the crypto library makes no certificate.
    pub fn new() -> anyhow::Result<Self> {
        let crypto = salon_srtp::crypto();
        // One for all: making one costs a millisecond.
        let certificate = crypto.dtls_provider.generate_certificate().context("cannot make a certificate")?;
        Ok(Self { crypto: Arc::new(crypto), certificate })
    }
}

/// A connection whose offer can be written, before the server's answer.
pub struct Prepared {
    rtc: Rtc,
    keys: Slot,
    pub credentials: Credentials,
}

impl Prepared {
    pub fn new(identity: &Identity) -> Self {
        let config = Rtc::builder()
            .set_crypto_provider(identity.crypto.clone())
            .set_dtls_cert(identity.certificate.clone())
            .set_rtp_mode(true);
        let (mut rtc, keys) = salon_srtp::overhear(|| config.build(Instant::now()));
        let direct = rtc.direct_api();
        let IceCreds { ufrag, pass } = direct.local_ice_credentials();
        let fingerprint = direct.local_dtls_fingerprint().to_string();
        Self { rtc, keys, credentials: Credentials { ufrag, password: pass, fingerprint } }
    }

    /// Opens a socket to the server's first candidate of the wanted kind; the connection is made by the media thread.
    ///
    /// # Errors
    /// If the server has no candidate, or none that can be reached from here.
    pub fn connect(mut self, remote: &Remote) -> anyhow::Result<Connection> {
        let Some(server) = remote.candidates.iter().find(|address| address.is_ipv4()).or(remote.candidates.first()).copied()
        else {
            bail!("the server's description has no candidate");
        };
        let socket = Socket::new(Domain::for_address(server), Type::DGRAM, Some(Protocol::UDP))?;
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        socket.set_nonblocking(true)?;
        let _ = salon_udp::note_arrivals(&socket);
        socket.connect(&server.into()).with_context(|| format!("cannot send to {server}"))?;
        let socket = UdpSocket::from_std(socket.into());
        let local = socket.local_addr()?;
        self.rtc.add_local_candidate(Candidate::host(local, "udp")?);
        self.rtc.add_remote_candidate(Candidate::host(server, "udp")?);
        let mut direct = self.rtc.direct_api();
        direct.set_ice_controlling(true);
        let Credentials { ufrag, password, fingerprint } = remote.credentials.clone();
        direct.set_remote_ice_credentials(IceCreds { ufrag, pass: password });
        let fingerprint: Fingerprint = fingerprint.parse().ok().context("the server's fingerprint is odd")?;
        direct.set_remote_fingerprint(fingerprint);
        let Self { rtc, keys, .. } = self;
        let now = Instant::now();
        Ok(Connection { rtc, keys, socket, local, server, session: None, started: false, ended: false, deadline: now })
    }
}

/// A connection on its media thread.
pub struct Connection {
    rtc: Rtc,
    keys: Slot,
    socket: UdpSocket,
    local: SocketAddr,
    server: SocketAddr,
    /// The keys, once the handshake is done.
    session: Option<Session>,
    started: bool,
    ended: bool,
    deadline: Instant,
}

/// What seals and opens, as the DTLS client has it.
struct Session {
    sealer: Sealer,
    packets: RtpOpener,
    reports: RtcpOpener,
}

impl Session {
    fn new(keys: &Slot) -> Option<Self> {
        let (keys, profile) = keys.keys()?;
        Some(Self {
            sealer: Sealer::new(keys, *profile, End::DtlsClient)?,
            packets: RtpOpener::new(keys, *profile, End::DtlsServer)?,
            reports: RtcpOpener::new(keys, *profile, End::DtlsServer)?,
        })
    }
}

/// What a datagram is, by its first bytes (RFC 7983, RFC 5761).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Datagram {
    Rtp,
    Rtcp,
    Other,
}

pub(crate) fn kind(datagram: &[u8]) -> Datagram {
    match datagram {
        [128..=191, 192..=223, ..] => Datagram::Rtcp,
        [128..=191, ..] => Datagram::Rtp,
        _ => Datagram::Other,
    }
}

impl Connection {
    pub(crate) fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Packets can be sent and opened.
    pub fn is_ready(&self) -> bool {
        self.session.is_some() && !self.ended
    }

    /// Gone for good, or never made.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Not to be used.
    pub(crate) fn give_up(&mut self) {
        self.ended = true;
    }

    /// When ICE or DTLS has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Seals and sends an RTP packet whose header ends at `header`; `index` is its sequence number with roll-overs, which
    /// names this packet and no other.
    pub fn send_rtp(&self, packet: &mut Vec<u8>, header: usize, ssrc: u32, index: u64) {
        let Some(session) = &self.session else { return };
        session.sealer.seal_rtp(packet, 0, header, ssrc, index);
        self.send(packet);
    }

    /// Seals and sends a compound RTCP packet.
    pub fn send_rtcp(&mut self, packet: &mut Vec<u8>, ssrc: u32) {
        let Some(session) = &mut self.session else { return };
        session.sealer.seal_rtcp(packet, ssrc);
        self.send(packet);
    }

    /// Opens an RTP packet; its payload. None if it was not sealed with the keys of this connection.
    pub fn open_rtp<'a>(&self, packet: &'a mut [u8], header: usize, ssrc: u32, index: u64) -> Option<&'a mut [u8]> {
        self.session.as_ref()?.packets.open(packet, header, ssrc, index)
    }

    /// Opens a compound RTCP packet, once.
    pub(crate) fn open_rtcp<'a>(&mut self, packet: &'a mut [u8]) -> Option<&'a [u8]> {
        self.session.as_mut()?.reports.open(packet)
    }

    /// A datagram that may be lost, as all of UDP.
    fn send(&self, datagram: &[u8]) {
        let _ = self.socket.send(datagram);
    }

    /// Takes a datagram of ICE or DTLS. True if the connection is ready since.
    pub(crate) fn handle(&mut self, now: Instant, datagram: &[u8]) -> bool {
        if self.ended {
            return false;
        }
        // dimpl's clock stands still while nothing comes; an answer that comes late would stall the handshake for seconds.
        let _ = self.rtc.handle_input(Input::Timeout(now));
        if let Ok(receive) = Receive::new(Way::Udp, self.server, self.local, datagram) {
            let _ = self.rtc.handle_input(Input::Receive(now, receive));
        }
        self.drain(now)
    }

    /// Time has come. True if the connection is ready since.
    pub(crate) fn catch_up(&mut self, now: Instant) -> bool {
        let _ = self.rtc.handle_input(Input::Timeout(now));
        self.drain(now)
    }

    fn drain(&mut self, now: Instant) -> bool {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    // Never at once again: a deadline that has passed would spin the thread.
                    self.deadline = at.max(now + Duration::from_millis(1));
                    break;
                }
                Ok(Output::Transmit(transmit)) => self.send(&transmit.contents),
                Ok(Output::Event(Event::IceConnectionStateChange(state))) => {
                    if state.is_connected() && !self.started {
                        self.started = true;
                        let _ = self.rtc.direct_api().start_dtls(true);
                        let _ = self.rtc.handle_input(Input::Timeout(now));
                    }
                    self.ended |= state.is_disconnected();
                }
                Ok(Output::Event(Event::Closed)) | Err(_) => {
                    self.ended = true;
                    break;
                }
                Ok(Output::Event(_)) => {}
            }
        }
        if self.ended {
            self.deadline = now + NEVER;
        }
        if self.session.is_some() {
            return false;
        }
        if self.keys.keys().is_none() {
            return false;
        }
        self.session = Session::new(&self.keys);
        // The handshake chose a profile that has no use here.
        self.ended |= self.session.is_none();
        self.session.is_some()
    }
}
