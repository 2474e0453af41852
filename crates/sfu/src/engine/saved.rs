//! What a connection is, as another process needs it to go on with it: what was agreed on, and where its numbers lie.
//! Written whole whenever it changes, which is at negotiations, not with packets; what changes with those is in `words.rs`.
//! Invariant: a run reads only what a run of the same `VERSION` wrote.
//! Next: `resuming.rs` writes and reads it.

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::transport::negotiation::Negotiation;
use crate::sdp::{Credentials, Format, Kind};
use crate::{Cap, Role};

/// Of the form of what is below, and of what words mean.
pub(crate) const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    pub transport: String,
    pub room: String,
    /// Whom it counts against, and what the server wants to know when it is gone on with.
    pub owner: String,
    pub note: String,
    pub role: Role,
    /// What checks are addressed to; the password follows from it.
    pub name: String,
    pub credentials: Credentials,
    pub keys: Vec<u8>,
    /// Where its client agreed to get media.
    pub client: Option<Address>,
    pub negotiation: Negotiation,
    pub words: [u32; 2],
    /// All names of streams that were ever given out on it, with their lines.
    pub ssrcs: Vec<(u32, Option<String>)>,
    pub producers: Vec<SavedProducer>,
    pub consumers: Vec<SavedConsumer>,
    pub streams: Vec<SavedStream>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedProducer {
    pub mid: String,
    pub producer: String,
    pub format: Format,
    pub screen_share: bool,
    pub cap: Cap,
    pub paused: bool,
    pub stream: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedConsumer {
    pub mid: String,
    pub producer: String,
    pub kind: Kind,
    pub negotiated: bool,
    pub wanted: Option<String>,
    pub pt: u8,
    pub ssrc: u32,
    pub rtx: Option<(u32, u8)>,
    pub name: String,
    pub words: [u32; 4],
}

/// A stream that came in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedStream {
    pub ssrc: u32,
    pub rtx: Option<u32>,
    pub mid: String,
    pub rid: Option<String>,
    /// The highest number that came.
    pub word: u32,
}

impl Saved {
    /// Its client's connection over TCP has gone, and with it where media is to be sent: a check of the client's will say.
    pub(crate) fn lose_tcp(&mut self) {
        self.client = self.client.filter(|client| matches!(client, Address::Udp(_)));
    }

    /// All words that it names.
    pub(crate) fn all_words(&self) -> impl Iterator<Item = u32> + '_ {
        let consumers = self.consumers.iter().flat_map(|consumer| consumer.words);
        self.words.into_iter().chain(consumers).chain(self.streams.iter().map(|stream| stream.word))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sdp;

    /// A connection that a browser opened.
    pub(crate) fn sample() -> Saved {
        let offer = sdp::parse(include_str!("../sdp/samples/chromium-send.sdp")).expect("good SDP");
        Saved {
            transport: "t".into(),
            room: "r".into(),
            owner: "o".into(),
            note: String::new(),
            role: Role::Send,
            name: "Aname".into(),
            credentials: offer.credentials.clone(),
            keys: vec![0, 7, 1, 2, 3, 4],
            client: Some(Address::Udp(([192, 0, 2, 1], 5_000).into())),
            negotiation: Negotiation::open(1, Role::Send, &offer).expect("an answer"),
            words: [0, 1],
            ssrcs: Vec::new(),
            producers: Vec::new(),
            consumers: Vec::new(),
            streams: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_another_form_is_not() {
        let written = serde_json::to_string(&sample()).expect("written");
        let read: Saved = serde_json::from_str(&written).expect("read");
        assert_eq!(serde_json::to_string(&read).expect("written"), written);
        let more = written.replacen('{', "{\"more\":1,", 1);
        assert!(serde_json::from_str::<Saved>(&more).is_err());
    }
}
