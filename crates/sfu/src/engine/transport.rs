//! One peer's connection and what goes over it, either way.
//! Invariant: what the two sides have agreed on and what the connection does change together.
//! Next: `transport/connection.rs` is ICE, DTLS and RTP, `transport/negotiation.rs` the descriptions; `forwarding.rs` decides
//! who receives what came in here.

mod connection;
mod consent;
pub(crate) mod negotiation;
mod path;
pub(crate) mod publishing;
mod reports;
mod resume;
mod subscribing;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::media::{Mid, Rid};

use self::connection::Connection;
use self::negotiation::Negotiation;
use self::publishing::Publishing;
use self::subscribing::Subscribing;
use super::address::{Address, Datagram};
use super::egress::Egress;
use super::farewell::Mark;
use super::identity::Identity;
use super::intake::Intake;
use super::lines::{Change, Sending};
use super::trap;
use super::words::LineWords;
use crate::limits::{CONNECT_WITHIN, SILENT_FOR};
use crate::sdp::{Codec, Format, Kind, Remote};
use crate::{CloseReason, Error, Role, RoomId, TransportId};

pub(crate) use self::connection::Happened;

pub(crate) struct Transport {
    id: TransportId,
    room: RoomId,
    role: Role,
    /// What checks are addressed to.
    name: String,
    connection: Connection,
    negotiation: Negotiation,
    opened_at: Instant,
    heard_at: Instant,
    pub publishing: Publishing,
    pub subscribing: Subscribing,
    pub intake: Intake,

    // For another process.
    /// Whom it counts against, and what the server wants to know of it then.
    pub guest: (String, String),
    line_words: LineWords,
    words: Vec<u32>,
    /// Where its client was when that was saved.
    saved_at: Option<Address>,
}

impl Transport {
    /// A transport for the client that wrote `offer`, and the answer for it.
    pub(crate) fn open(
        now: Instant,
        session: u64,
        identity: &Identity,
        id: TransportId,
        room: RoomId,
        mark: Mark,
        offer: &Remote,
    ) -> Result<(Self, String), Error> {
        trap::spring("open");
        let role = mark.role;
        let mut negotiation = Negotiation::open(session, role, offer)?;
        let acknowledge = negotiation.acknowledges();
        let ours = identity.farewell.credentials(mark);
        let mut connection = Connection::open(now, identity, ours, &offer.credentials, negotiation.lines(), acknowledge)?;
        negotiation.taken().for_each(|(mid, kind)| connection.declare(mid, kind));
        let ours = connection.ours();
        let answer = negotiation.write_answer(&ours, &identity.candidates);
        let transport = Self {
            id,
            room,
            role,
            name: ours.ufrag,
            connection,
            negotiation,
            opened_at: now,
            heard_at: now,
            publishing: Publishing::default(),
            subscribing: Subscribing::default(),
            intake: Intake::default(),
            guest: Default::default(),
            line_words: LineWords::default(),
            words: Vec::new(),
            saved_at: None,
        };
        Ok((transport, answer))
    }

    pub(crate) fn id(&self) -> &TransportId {
        &self.id
    }

    pub(crate) fn room(&self) -> &RoomId {
        &self.room
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// What its client addresses its checks to.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_connected()
    }

    /// When it wants to be woken.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.connection.deadline()
    }

    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.opened_at)
    }

    /// There and back, smoothed.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.connection.rtt()
    }

    pub(crate) fn measured(&mut self, rtt: Duration) {
        self.connection.measured(rtt);
    }

    /// Something came from its client.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// How long ago that was.
    pub(crate) fn quiet_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard_at)
    }

    /// Why it should end now, if it should.
    pub(crate) fn is_over(&self, now: Instant) -> Option<CloseReason> {
        match self.is_connected() {
            true => (self.quiet_for(now) > SILENT_FOR).then_some(CloseReason::Silent),
            false => (self.age(now) > CONNECT_WITHIN).then_some(CloseReason::NeverConnected),
        }
    }

    // ---- packets and time ----

    /// Whether a STUN datagram is for this transport and its password is right.
    pub(crate) fn accepts(&self, now: Instant, from: Address, to: SocketAddr, datagram: &[u8]) -> bool {
        trap::spring("check");
        self.connection.accepts(now, from, to, datagram)
    }

    /// Takes a datagram. False if it could not be understood; the transport lives on.
    pub(crate) fn receive(&mut self, datagram: Datagram<'_>, happened: &mut Vec<Happened>) -> bool {
        trap::spring("datagram");
        self.heard(datagram.now);
        self.connection.receive(datagram, happened)
    }

    /// Time has come, or something was written: brings it up to `now`.
    pub(crate) fn catch_up(&mut self, now: Instant, happened: &mut Vec<Happened>) {
        trap::spring("timeout");
        self.connection.catch_up(now, happened);
    }

    /// Where the client wants what we send, if whoever is there agrees.
    #[inline]
    pub(crate) fn client(&self, now: Instant) -> Option<Address> {
        self.connection.path.agreed(now)
    }

    /// Something came from an address of its client. The question whether it wants what we send there, if it is time to ask.
    pub(crate) fn came(&mut self, now: Instant, from: Address, bytes: usize) -> Option<Vec<u8>> {
        self.connection.came(now, from, bytes)
    }

    /// An answer to a check came from there. None if it is to none of ours; else whether it is news that it agrees.
    pub(crate) fn answered(&mut self, now: Instant, from: Address, datagram: &[u8]) -> Option<bool> {
        self.connection.answered(now, from, datagram)
    }

    /// A genuine connectivity check came from there; with `nominated` the client wants its media there.
    pub(crate) fn checked(&mut self, now: Instant, from: Address, nominated: bool) {
        self.connection.path.checked(now, from, nominated);
    }

    /// A genuine packet or report came from there, which cannot be sent twice.
    pub(crate) fn proven(&mut self, now: Instant, from: Address) {
        self.connection.path.proven(now, from);
    }

    /// Nobody is reached there any more.
    pub(crate) fn leave(&mut self, address: Address) {
        self.connection.path.leave(address);
    }

    /// The handshake is done: from now on media can be sent. False if the keys are of no use.
    pub(crate) fn begin_egress(&mut self, now: Instant) -> bool {
        trap::spring("connected");
        if self.role == Role::Send {
            self.connection.number_reports(self.line_words.reports);
            return true;
        }
        let ids = |kind| self.negotiation.extension_ids(kind);
        let egress = Egress::new(now, self.connection.keys(), ids(Kind::Audio), ids(Kind::Video), self.line_words);
        self.subscribing.begin(egress)
    }

    pub(crate) fn came_up(&mut self) {
        self.connection.came_up();
    }

    /// Asks the client for a key frame of one layer; it leaves with the next `catch_up`. False if nothing came in yet.
    pub(crate) fn request_key_frame(&mut self, mid: Mid, rid: Option<Rid>) -> bool {
        trap::spring("key frame");
        self.connection.request_key_frame(mid, rid)
    }

    /// Grants a bitrate to a client that waits to be told one. Leaves with the next `catch_up`.
    pub(crate) fn grant_bitrate(&mut self, mid: Mid, rid: Option<Rid>, bits_per_second: u64) -> bool {
        trap::spring("housekeeping");
        self.is_remb_only() && self.connection.request_at_most(mid, rid, bits_per_second)
    }

    /// Whether the client sends what it is told to, and measures nothing itself.
    pub(crate) fn is_remb_only(&self) -> bool {
        self.negotiation.is_remb_only()
    }

    /// Tells the client how much to send at most on this connection; leaves with the next `catch_up`. False if nothing
    /// came in on that stream yet.
    pub(crate) fn request_at_most(&mut self, mid: Mid, rid: Option<Rid>, bits_per_second: u64) -> bool {
        self.connection.request_at_most(mid, rid, bits_per_second)
    }

    /// Says goodbye, so that the client notices at once instead of after its timeouts.
    pub(crate) fn close(&mut self, now: Instant, happened: &mut Vec<Happened>) {
        trap::spring("close");
        self.connection.close(now, happened);
    }

    // ---- negotiation ----

    /// Answers an offer; the changes are for the engine to carry on.
    pub(crate) fn answer(
        &mut self,
        identity: &Identity,
        offer: &Remote,
        stop: &HashSet<String>,
    ) -> Result<(String, Vec<Change>), Error> {
        let changes = self.negotiation.answer(offer, stop)?;
        self.apply(&changes);
        Ok((self.negotiation.write_answer(&self.connection.ours(), &identity.candidates), changes))
    }

    /// Takes an answer to our offer.
    pub(crate) fn accept(&mut self, answer: &Remote) -> Result<Vec<Change>, Error> {
        let changes = self.negotiation.accept(answer)?;
        self.apply(&changes);
        Ok(changes)
    }

    /// Our offer, if there is something to offer.
    pub(crate) fn write_offer(&mut self, identity: &Identity) -> Option<String> {
        let waits = self.negotiation.lines().is_offered();
        waits.then(|| self.negotiation.write_offer(&self.connection.ours(), &identity.candidates))
    }

    /// The codec of a line that the client sends on, if it is one that packets can be told by.
    pub(crate) fn receiving(&self, mid: &str, kind: Kind) -> Option<&Codec> {
        self.negotiation.receiving(mid, kind)
    }

    pub(crate) fn sending_lines(&self) -> usize {
        self.negotiation.lines().sending()
    }

    /// Adds a line for a track to the next offer. None if the client cannot take it.
    pub(crate) fn add_line(&mut self, format: Format, stream: &str, track: &str) -> Option<Sending> {
        trap::spring("consume");
        let codec = self.negotiation.codec_for(format)?;
        let (subscribing, connection) = (&mut self.subscribing, &mut self.connection);
        let ssrc = || subscribing.new_ssrc(|| connection.random_ssrc());
        let line = self.negotiation.add_line(&codec, stream, track, ssrc)?;
        self.subscribing.name_line(line.ssrc, line.mid);
        Some(line)
    }

    fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::SendingBegins { mid } => {
                    if let Some(consumer) = self.subscribing.consumer_mut(Mid::from(mid.as_str())) {
                        consumer.negotiated = true;
                    }
                }
                Change::ReceivingEnds { mid } => {
                    self.connection.remove_media(Mid::from(mid.as_str()));
                    self.publishing.forget_streams(Mid::from(mid.as_str()));
                }
                // The connection does not know what is sent.
                Change::SendingEnds { .. } => {}
            }
        }
        self.negotiation.taken().for_each(|(mid, kind)| self.connection.declare(mid, kind));
    }
}
