//! Connections of people that are on other nodes: which are where.
//! Next: `owners/wherever.rs` asks for them, `spread.rs` has the ways to other nodes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use salon_sfu::{Error, LineQuality, TransportId};

use crate::spread::{Answer, Link, Refusal, Spread};

/// Which connections are where.
pub(crate) struct Away {
    pub spread: Arc<Spread>,
    at: Mutex<HashMap<TransportId, Link>>,
}

impl Away {
    pub(crate) fn new(spread: Arc<Spread>) -> Self {
        Self { spread, at: Mutex::default() }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<TransportId, Link>> {
        self.at.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A way to a node that may have somebody's media.
    pub(crate) async fn place(&self, address: &str) -> Option<Link> {
        if self.spread.is_fit(address) { self.spread.reach(address).await } else { None }
    }

    /// Nobody else's media go to this node for a while.
    pub(crate) fn is_unfit(&self, link: &Link) {
        self.spread.is_unfit(link.address());
    }

    pub(crate) fn begin(&self, transport: &TransportId, link: &Link) {
        self.all().insert(transport.clone(), link.clone());
    }

    pub(crate) fn end(&self, transport: &TransportId) -> Option<Link> {
        self.all().remove(transport)
    }

    /// The way to the node that has this one.
    pub(crate) fn of(&self, transport: &TransportId) -> Option<Link> {
        self.all().get(transport).cloned()
    }

    /// The nodes that have any of these.
    pub(crate) fn links<'a>(&self, transports: impl Iterator<Item = &'a TransportId>) -> Vec<Link> {
        let at = self.all();
        let mut links: Vec<Link> = Vec::new();
        for link in transports.filter_map(|transport| at.get(transport)) {
            if !links.iter().any(|known| known.is(link)) {
                links.push(link.clone());
            }
        }
        links
    }

    /// Those at the node behind this.
    pub(crate) fn at(&self, link: &Link) -> Vec<TransportId> {
        self.all().iter().filter(|(_, at)| at.is(link)).map(|(transport, _)| transport.clone()).collect()
    }
}

impl Refusal {
    /// What a client is told of it.
    pub(crate) fn error(self) -> Error {
        match self {
            Self::Media(error) => error,
            Self::CutOff => Error::UnknownTransport,
        }
    }

    /// The description in an answer.
    pub(crate) fn sdp(answer: Answer) -> Result<String, Self> {
        match answer {
            Answer::Sdp(sdp) => Ok(sdp),
            _ => Err(Self::CutOff),
        }
    }
}

impl Answer {
    pub(crate) fn lines(self) -> Vec<LineQuality> {
        match self {
            Self::Quality(lines) => lines,
            _ => Vec::new(),
        }
    }
}
