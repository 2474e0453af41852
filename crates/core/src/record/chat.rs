//! What was said in a session: its messages as they stand, in the order of saying.
//! Invariant: no two messages have the same time, so that a page may end and go on at any of them; a private message
//! names its parties, and whoever reads asks `ChatMessage::is_between`.
//! Next: `session/chat.rs`, who may say and read what.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{ChatContent, ChatKept, ChatSent};
use crate::ids::{ChatId, ParticipantId, PeerId, SessionId};
use crate::time::Timestamp;

/// A message as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    pub id: ChatId,
    /// The connection it came from.
    pub peer: PeerId,
    pub author: ParticipantId,
    /// The author's name at the time.
    pub name: String,
    /// Whom it is between, the author among them; nobody in particular if it is for everyone.
    pub parties: Vec<ParticipantId>,
    pub content: ChatContent,
    pub pinned: bool,
    pub edited: bool,
    /// When it was said, moved on by as many milliseconds as it takes to be later than the one before it.
    pub at: Timestamp,
    /// The earlier session in which it was said; `None` for this one.
    pub said_in: Option<SessionId>,
}

impl ChatMessage {
    pub fn is_private(&self) -> bool {
        !self.parties.is_empty()
    }

    /// Whether both are parties of this private message.
    pub fn is_between(&self, one: &ParticipantId, other: &ParticipantId) -> bool {
        self.parties.contains(one) && self.parties.contains(other)
    }
}

/// The messages of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chat {
    messages: BTreeMap<Timestamp, Arc<ChatMessage>>,
    places: BTreeMap<ChatId, Timestamp>,
    last: Timestamp,
    /// What was ever written: a deleted message is gone from here, but not from the stored record.
    entries: usize,
    bytes: usize,
}

impl Chat {
    pub fn get(&self, id: &ChatId) -> Option<&Arc<ChatMessage>> {
        self.messages.get(self.places.get(id)?)
    }

    /// All of them, oldest first.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Arc<ChatMessage>> {
        self.messages.values()
    }

    /// Those said at `at` or before, newest first.
    pub fn until(&self, at: Timestamp) -> impl Iterator<Item = &Arc<ChatMessage>> {
        self.messages.range(..=at).rev().map(|(_, message)| message)
    }

    /// Those said at `at` or later, oldest first.
    pub fn since(&self, at: Timestamp) -> impl Iterator<Item = &Arc<ChatMessage>> {
        self.messages.range(at..).map(|(_, message)| message)
    }

    /// How many entries the record has of messages, edits and pins.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// How many bytes were ever said.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn send(&mut self, sent: &ChatSent, at: Timestamp) {
        self.add(sent, at, None);
    }

    pub(super) fn keep(&mut self, kept: &ChatKept) {
        self.add(&kept.sent, kept.said_at, Some(kept.said_in.clone()));
        if let Some(message) = self.get_mut(&kept.sent.message) {
            (message.pinned, message.edited) = (kept.pinned, kept.edited);
        }
    }

    fn add(&mut self, sent: &ChatSent, at: Timestamp, said_in: Option<SessionId>) {
        self.write(sent.content.payload.len());
        if self.places.contains_key(&sent.message) {
            return;
        }
        let at = at.max(self.last.plus_ms(1));
        self.last = at;
        self.places.insert(sent.message.clone(), at);
        let message = ChatMessage {
            id: sent.message.clone(),
            peer: sent.peer.clone(),
            author: sent.author.clone(),
            name: sent.name.clone(),
            parties: sent.parties.clone(),
            content: sent.content.clone(),
            pinned: false,
            edited: false,
            at,
            said_in,
        };
        self.messages.insert(at, Arc::new(message));
    }

    pub(super) fn edit(&mut self, id: &ChatId, content: &ChatContent) {
        self.write(content.payload.len());
        if let Some(message) = self.get_mut(id) {
            message.content.clone_from(content);
            message.edited = true;
        }
    }

    pub(super) fn pin(&mut self, id: &ChatId, pinned: bool) {
        self.write(0);
        if let Some(message) = self.get_mut(id) {
            message.pinned = pinned;
        }
    }

    pub(super) fn delete(&mut self, id: &ChatId) {
        if let Some(at) = self.places.remove(id) {
            self.messages.remove(&at);
        }
    }

    fn get_mut(&mut self, id: &ChatId) -> Option<&mut ChatMessage> {
        self.messages.get_mut(self.places.get(id)?).map(Arc::make_mut)
    }

    fn write(&mut self, bytes: usize) {
        self.entries += 1;
        self.bytes += bytes;
    }
}
