//! A connection from one process to the next.
//! Invariant: what was saved names only words that are this connection's until that is gone.

use std::net::SocketAddr;
use std::time::Instant;

use salon_srtp::Slot;
use str0m::media::{Mid, Rid};

use super::connection::{Before, Connection, Happened};
use super::{Intake, Publishing, Subscribing, Transport};
use crate::engine::address::Address;
use crate::engine::identity::Identity;
use crate::engine::saved::{Saved, SavedConsumer, SavedProducer, SavedStream};
use crate::engine::words::{LineWords, StreamWords, Word, Words};
use crate::sdp::Kind;

impl Transport {
    /// As another process had it, but for its producers and consumers. The keys' client hears nothing of it.
    pub(crate) fn resume(
        now: Instant,
        identity: &Identity,
        words: &Words,
        saved: &Saved,
        happened: &mut Vec<Happened>,
    ) -> Option<Self> {
        let keys = Slot::from_bytes(&saved.keys)?;
        let negotiation = saved.negotiation.clone();
        let (name, acknowledge) = (saved.name.as_str(), negotiation.acknowledges());
        let lines = negotiation.lines();
        let mut connection =
            Connection::resume(now, identity, (name, &keys), &saved.credentials, lines, acknowledge, happened).ok()?;
        negotiation.taken().for_each(|(mid, kind)| connection.declare(mid, kind));
        let line_words = LineWords::again(words, saved.words);
        let (mut publishing, mut subscribing) = (Publishing::default(), Subscribing::default());
        for SavedStream { ssrc, rtx, mid, rid, word } in &saved.streams {
            let (mid, rid, word) = (Mid::from(mid.as_str()), rid.as_deref().map(Rid::from), words.again(*word));
            let highest = word.get();
            let resent = negotiation.taken().any(|(of, kind)| of == mid && kind == Kind::Video);
            connection.expect([Before { ssrc: *ssrc, rtx: *rtx, mid, rid, highest, resent }]);
            publishing.begin_stream(*ssrc, super::publishing::Incoming { mid, rid, rtx: *rtx, highest, word });
        }
        for (ssrc, mid) in &saved.ssrcs {
            subscribing.remember_ssrc(*ssrc, mid.as_deref().map(Mid::from));
        }
        Some(Self {
            id: saved.transport.as_str().into(),
            room: saved.room.as_str().into(),
            role: saved.role,
            name: saved.name.clone(),
            connection,
            negotiation,
            opened_at: now,
            heard_at: now,
            publishing,
            subscribing,
            intake: Intake::default(),
            guest: (saved.owner.clone(), saved.note.clone()),
            line_words,
            words: saved.all_words().collect(),
            saved_at: saved.client,
        })
    }

    /// It goes on where its client was.
    pub(crate) fn go_on_at(&mut self, now: Instant, from: Address, to: SocketAddr, happened: &mut Vec<Happened>) {
        self.connection.number_reports(self.line_words.reports);
        self.connection.choose_path(now, from, to, happened);
    }

    /// What another process needs to go on with it; the producers and consumers are by name. None of what cannot go on.
    pub(crate) fn save(&mut self, now: Instant, producers: Vec<SavedProducer>, consumers: Vec<SavedConsumer>) -> Option<Saved> {
        let (connection, publishing) = (&mut self.connection, &mut self.publishing);
        self.saved_at = connection.path.client();
        let mut streams = Vec::new();
        for (ssrc, stream) in publishing.streams_mut() {
            stream.rtx = connection.rtx_of(ssrc).or(stream.rtx);
            streams.push(SavedStream {
                ssrc,
                rtx: stream.rtx,
                mid: stream.mid.to_string(),
                rid: stream.rid.map(|rid| rid.to_string()),
                word: stream.word.place()?,
            });
        }
        let (owner, note) = self.guest.clone();
        Some(Saved {
            transport: self.id.to_string(),
            room: self.room.to_string(),
            owner,
            note,
            role: self.role,
            name: self.name.clone(),
            credentials: connection.credentials(),
            keys: connection.keys().to_bytes()?,
            client: connection.path.agreed(now),
            negotiation: self.negotiation.clone(),
            words: self.line_words.places()?,
            ssrcs: self.subscribing.ssrcs().map(|(ssrc, mid)| (ssrc, mid.map(|mid| mid.to_string()))).collect(),
            producers,
            consumers,
            streams,
        })
    }

    /// Whether its client is elsewhere than was saved.
    pub(crate) fn has_moved(&self) -> bool {
        self.connection.path.client() != self.saved_at
    }

    /// Whether retransmissions of a stream are known by now that were not.
    pub(crate) fn learns_rtx(&mut self) -> bool {
        let connection = &mut self.connection;
        self.publishing.streams_mut().any(|(ssrc, stream)| stream.rtx.is_none() && connection.rtx_of(ssrc).is_some())
    }

    /// Where numbers of the connection itself lie.
    pub(crate) fn note_line(&mut self, words: LineWords) {
        self.line_words = words;
        self.own([words.reports, words.arrivals]);
    }

    /// Numbers of a new stream that goes out.
    pub(crate) fn note_stream(&mut self, words: StreamWords) {
        self.own([words.number, words.again, words.look, words.clock]);
    }

    /// Words that nobody else has before it has ended.
    pub(crate) fn own(&mut self, words: impl IntoIterator<Item = Word>) {
        self.words.extend(words.into_iter().filter_map(Word::place));
    }

    pub(crate) fn take_words(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.words)
    }
}
