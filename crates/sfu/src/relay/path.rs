//! One connection with another node: what is sealed for it and comes from it. Media go from the node that was asked to the one
//! that asks; the other way go questions for what is missing, and tries whether the path is there at all.
//! Invariant: a number is given to one packet, however often that is sent; each datagram has a counter of its own.
//! Next: `../relay.rs` has one for each, `repair.rs` and `sent.rs` for what is lost.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::keys::Sealed;
use super::parcel::Rest;
use super::repair::Arrivals;
use super::sent::Sent;
use crate::engine::moments::Moments;
use crate::limits::{RELAY_LAST_AFTER, RELAY_SILENT_FOR, RELAY_TRY_EVERY};

/// What a datagram is.
const TRY: u8 = 1;
const TRIED: u8 = 2;
const MISSING: u8 = 3;
const LAST: u8 = 4;
const MEDIA: u8 = 5;

#[derive(Debug)]
pub(super) struct Path {
    pub sealed: Sealed,
    /// Where the other side is; on the side that was asked, where something genuine came from last.
    pub to: Option<SocketAddr>,
    /// This side asked: it tries the path, and media come in.
    asked: bool,
    pub proven: bool,
    heard_at: Instant,
    try_at: Instant,
    rtt: Duration,
    pub arrivals: Arrivals,
    sent: Sent,
    /// When to tell which packet was the last.
    last_at: Option<Instant>,
    pub resent: u64,
    /// The other node's clock.
    pub moments: Moments,
}

/// What came of a datagram.
#[derive(Debug, PartialEq)]
pub(super) enum Came {
    Nothing,
    /// The path is there, for the first time.
    Proven,
    /// A packet; what is left of these bytes.
    Media(usize),
    /// These are to be sent.
    Send(Vec<Vec<u8>>),
}

impl Path {
    pub(super) fn new(now: Instant, sealed: Sealed, to: Option<SocketAddr>, asked: bool) -> Self {
        Self {
            sealed,
            to,
            asked,
            proven: false,
            heard_at: now,
            try_at: now,
            rtt: Duration::ZERO,
            arrivals: Arrivals::default(),
            sent: Sent::default(),
            last_at: None,
            resent: 0,
            moments: Moments::default(),
        }
    }

    /// A packet for the other side, sealed. `write` appends it.
    pub(super) fn media(&mut self, now: Instant, write: impl FnOnce(&mut Vec<u8>)) -> Option<Vec<u8>> {
        let mut plain = vec![MEDIA];
        plain.extend(self.sent.next().to_be_bytes());
        write(&mut plain);
        self.sent.keep(now, &plain);
        self.last_at = Some(now + RELAY_LAST_AFTER);
        self.sealed.seal(&plain)
    }

    /// Something genuine, opened; `micros` is our clock.
    pub(super) fn hear(&mut self, now: Instant, micros: u64, plain: &[u8]) -> Came {
        self.heard_at = now;
        let mut rest = Rest(plain);
        self.obey(now, micros, &mut rest).unwrap_or(Came::Nothing)
    }

    fn obey(&mut self, now: Instant, micros: u64, rest: &mut Rest<'_>) -> Option<Came> {
        let sealed = |path: &mut Self, plain: &[u8]| Came::Send(path.sealed.seal(plain).into_iter().collect());
        Some(match (rest.byte()?, self.asked) {
            (TRY, false) => {
                let mut plain = vec![TRIED];
                plain.extend(rest.long()?.to_be_bytes());
                plain.extend((self.sent.next() - 1).to_be_bytes());
                sealed(self, &plain)
            }
            (TRIED, true) => {
                self.rtt = Duration::from_micros(micros.saturating_sub(rest.long()?));
                let last = rest.long()?;
                self.arrivals.were_sent(now, last);
                if std::mem::replace(&mut self.proven, true) { Came::Nothing } else { Came::Proven }
            }
            (LAST, true) => {
                let last = rest.long()?;
                self.arrivals.were_sent(now, last);
                Came::Nothing
            }
            (MEDIA, true) => {
                let number = rest.long()?;
                if self.arrivals.came(now, number) { Came::Media(rest.0.len()) } else { Came::Nothing }
            }
            (MISSING, false) => {
                let mut again = Vec::new();
                while let Some(number) = rest.long() {
                    if let Some(plain) = self.sent.get(number) {
                        again.extend(self.sealed.seal(plain));
                    }
                }
                self.resent += again.len() as u64;
                Came::Send(again)
            }
            _ => Came::Nothing,
        })
    }

    /// What is due, sealed. None if the path is broken.
    pub(super) fn due(&mut self, now: Instant, micros: u64) -> Option<Vec<Vec<u8>>> {
        let mut plain = Vec::new();
        if self.asked {
            if now.saturating_duration_since(self.heard_at) >= RELAY_SILENT_FOR {
                return None;
            }
            if now >= self.try_at {
                self.try_at = now + RELAY_TRY_EVERY;
                plain.push([&[TRY][..], &micros.to_be_bytes()].concat());
            }
            let missing = self.arrivals.ask(now, self.rtt);
            if !missing.is_empty() {
                let numbers = missing.iter().flat_map(|number| number.to_be_bytes());
                plain.push(std::iter::once(MISSING).chain(numbers).collect());
            }
        } else if self.last_at.is_some_and(|at| now >= at) {
            self.last_at = None;
            plain.push([&[LAST][..], &(self.sent.next() - 1).to_be_bytes()].concat());
        }
        Some(plain.iter().filter_map(|plain| self.sealed.seal(plain)).collect())
    }

    /// When something is due.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match self.asked {
            true => Some(self.arrivals.next_ask().into_iter().fold(self.try_at, Instant::min)),
            false => self.last_at,
        }
    }
}
