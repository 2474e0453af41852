//! Where a client is reached.
//! Invariants: a path that was proven is left for one that is only checked when it has gone quiet; media goes only where
//! somebody has agreed to get it.

use std::time::Instant;

use super::consent::Consent;
use crate::engine::address::Address;
use crate::limits::PATH_QUIET_FOR;

#[derive(Debug, Default)]
pub(crate) struct Path {
    /// Nowhere, until a genuine check came.
    place: Option<Place>,
    pub consent: Consent,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    client: Address,
    /// Something came from there that cannot come from anyone else.
    proven: bool,
    heard_at: Instant,
}

impl Path {
    /// Where the client says that it is.
    pub(crate) fn client(&self) -> Option<Address> {
        self.place.map(|place| place.client)
    }

    /// The same if whoever is there wants what we send.
    pub(crate) fn agreed(&self, now: Instant) -> Option<Address> {
        self.client().filter(|client| self.consent.agrees(now, *client))
    }

    /// Another process had media from there, and its client's agreement to send some.
    pub(crate) fn trust(&mut self, now: Instant, client: Address) {
        self.place = Some(Place { client, proven: true, heard_at: now });
        self.consent.trust(now, client);
    }

    /// A genuine connectivity check came from there; with `nominated` the client wants its media there. A check can be
    /// caught and sent again from elsewhere, so a path that was proven is left for it only when it has gone quiet.
    pub(crate) fn checked(&mut self, now: Instant, from: Address, nominated: bool) {
        match &mut self.place {
            Some(place) if place.client == from => place.heard_at = now,
            Some(place) if place.proven && now.saturating_duration_since(place.heard_at) < PATH_QUIET_FOR => {}
            Some(_) if !nominated => {}
            place => *place = Some(Place { client: from, proven: false, heard_at: now }),
        }
    }

    /// A genuine packet or report came from there, which cannot be sent twice.
    pub(crate) fn proven(&mut self, now: Instant, from: Address) {
        self.place = Some(Place { client: from, proven: true, heard_at: now });
    }

    /// Nobody is reached there any more. What it checks next is the client's new place.
    pub(crate) fn leave(&mut self, address: Address) {
        self.place = self.place.filter(|place| place.client != address);
    }
}
