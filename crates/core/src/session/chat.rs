//! Talk in writing: who may say what to whom, change it, and read it.
//! Invariant: a private message reaches its parties and nobody else, whichever way it is asked for; to the others it
//! does not exist.
//! A message is its author's, the participant's: the same person on another device may change it.
//! Next: `record/chat.rs`, what was said.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::{ChatContent, ChatKind, ChatSent, EventBody};
use crate::ids::{ChatId, ParticipantId, PeerId};
use crate::limits::{
    CHAT_HISTORY, CHAT_HISTORY_BYTES, MAX_CHAT_ADDRESSEES, MAX_CHAT_BYTES, MAX_CHAT_ENTRIES, MAX_CHAT_PAYLOAD_BYTES,
    MAX_CHAT_TEXT_CHARS,
};
use crate::preset::Preset;
use crate::record::ChatMessage;
use crate::session::rate::Act;
use crate::session::{ChatNews, Message, Refusal, Session};
use crate::time::Timestamp;

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatTo {
    Everyone,
    /// The people behind these peers, on all their devices, and the sender.
    Peers(Vec<PeerId>),
}

/// Which messages a page is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatOnly {
    Public,
    /// Public ones, and private ones of the reader.
    Pinned,
    /// Private ones of the reader and this person.
    With(ParticipantId),
    /// Texts the reader may see that contain this, in whatever case.
    Containing(String),
}

/// A part of the messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatPage {
    pub only: ChatOnly,
    /// Where it begins; a message of this very moment belongs to it.
    pub from: Timestamp,
    /// From there back instead of on.
    pub backwards: bool,
    pub skip: usize,
    pub size: usize,
}

impl Session {
    /// Says something to everyone or to some. `fresh` becomes the id of the message.
    ///
    /// # Errors
    /// `UnknownPeer` if none of the peers named is here; `NotAllowed` if the sender may not, or one of them may not be
    /// written to; `Full`, `TooLarge`, `TooOften`.
    pub fn say(
        &mut self,
        now: Timestamp,
        caller: &PeerId,
        fresh: ChatId,
        to: ChatTo,
        content: ChatContent,
    ) -> Result<(), Refusal> {
        self.tick(now);
        let member = self.caller(caller)?;
        let me = self.present(caller).ok_or(Refusal::NotJoined)?;
        let (author, name) = (me.who.participant.clone(), me.who.name.clone());
        let parties = match &to {
            ChatTo::Everyone => Vec::new(),
            ChatTo::Peers(peers) => self.parties(&author, peers)?,
        };
        may_say(&member.preset, me.who.hidden, !parties.is_empty(), &content)?;
        if let ChatTo::Peers(peers) = &to {
            // Somebody within the grace is asked when they read.
            let here = peers.iter().filter(|peer| *peer != caller).filter_map(|peer| self.roster.get(peer));
            if here.into_iter().any(|member| !member.preset.private_chat.can_receive) {
                return Err(Refusal::NotAllowed);
            }
        }
        self.has_room_for(&content)?;
        self.count(&author, content.kind)?;
        // Ids are the server's own: the next try will have another one.
        if self.live().is_some_and(|record| record.chat.get(&fresh).is_some()) {
            return Err(Refusal::TooOften);
        }
        let sent = ChatSent { message: fresh.clone(), peer: caller.clone(), author, name, parties, content };
        self.emit(EventBody::ChatSent(sent));
        if let Some(message) = self.message(&fresh) {
            self.tell_readers(None, &message, &ChatNews::Said(message.clone()));
        }
        Ok(())
    }

    /// Puts other words in the place of the caller's own. The caller has the answer; the others are told.
    pub fn edit_message(
        &mut self,
        now: Timestamp,
        caller: &PeerId,
        id: &ChatId,
        content: ChatContent,
    ) -> Result<Arc<ChatMessage>, Refusal> {
        self.tick(now);
        let (message, author) = self.read_as(caller, id)?;
        let member = self.caller(caller)?;
        if message.author != author {
            return Err(Refusal::NotAllowed);
        }
        let hidden = self.present(caller).is_none_or(|me| me.who.hidden);
        may_say(&member.preset, hidden, message.is_private(), &content)?;
        self.has_room_for(&content)?;
        self.count(&author, content.kind)?;
        self.emit(EventBody::ChatEdited { message: id.clone(), content });
        let message = self.message(id).ok_or(Refusal::UnknownMessage)?;
        self.tell_readers(Some(caller), &message, &ChatNews::Edited(message.clone()));
        Ok(message)
    }

    /// Takes a message back. People take back their own; those who may remove people may take back what others said to
    /// everyone.
    pub fn delete_message(&mut self, now: Timestamp, caller: &PeerId, id: &ChatId) -> Result<(), Refusal> {
        self.tick(now);
        let (message, me) = self.read_as(caller, id)?;
        let moderates = self.caller(caller)?.preset.kick_participant && !message.is_private();
        if message.author != me && !moderates {
            return Err(Refusal::NotAllowed);
        }
        self.count(&me, ChatKind::Text)?;
        self.emit(EventBody::ChatDeleted { message: id.clone(), by: caller.clone() });
        self.tell_readers(Some(caller), &message, &ChatNews::Deleted(id.clone()));
        Ok(())
    }

    /// Whether this is a message that the caller said, on whichever device.
    pub fn has_said(&self, caller: &PeerId, id: &ChatId) -> bool {
        self.read_as(caller, id).is_ok_and(|(message, me)| message.author == me)
    }

    /// Pins a message for all who see it, or unpins it: people their own, and those who may pin people any they see.
    pub fn pin_message(
        &mut self,
        now: Timestamp,
        caller: &PeerId,
        id: &ChatId,
        pinned: bool,
    ) -> Result<Arc<ChatMessage>, Refusal> {
        self.tick(now);
        let (message, me) = self.read_as(caller, id)?;
        if message.author != me && !self.caller(caller)?.preset.pin_participant {
            return Err(Refusal::NotAllowed);
        }
        if message.pinned == pinned {
            return Ok(message);
        }
        self.has_room_for(&ChatContent { kind: ChatKind::Text, payload: String::new() })?;
        self.count(&me, ChatKind::Text)?;
        self.emit(EventBody::ChatPinned { message: id.clone(), pinned, by: caller.clone() });
        let message = self.message(id).ok_or(Refusal::UnknownMessage)?;
        self.tell_readers(Some(caller), &message, &ChatNews::Pinned(message.clone()));
        Ok(message)
    }

    /// The last messages the caller may read, oldest first.
    pub fn chat_history(&self, caller: &PeerId) -> Result<Vec<Arc<ChatMessage>>, Refusal> {
        let reader = self.reader(caller)?;
        let messages = self.live().into_iter().flat_map(|record| record.chat.messages().rev());
        let (mut history, _) = cut(messages.filter(|message| reader.sees(message)), CHAT_HISTORY);
        history.reverse();
        Ok(history)
    }

    /// A page of what the caller may read, and whether there is more after it.
    pub fn chat_page(&self, caller: &PeerId, page: &ChatPage) -> Result<(Vec<Arc<ChatMessage>>, bool), Refusal> {
        let reader = self.reader(caller)?;
        let Some(record) = self.live() else { return Err(Refusal::NoSession) };
        let wanted_text = if let ChatOnly::Containing(text) = &page.only { text.to_lowercase() } else { String::new() };
        let wanted = |message: &&Arc<ChatMessage>| {
            reader.sees(message)
                && match &page.only {
                    ChatOnly::Public => !message.is_private(),
                    ChatOnly::Pinned => message.pinned,
                    ChatOnly::With(other) => message.is_between(reader.participant, other),
                    ChatOnly::Containing(_) => {
                        message.content.kind == ChatKind::Text && message.content.payload.to_lowercase().contains(&wanted_text)
                    }
                }
        };
        let size = page.size.clamp(1, CHAT_HISTORY);
        Ok(if page.backwards {
            cut(record.chat.until(page.from).filter(wanted).skip(page.skip), size)
        } else {
            cut(record.chat.since(page.from).filter(wanted).skip(page.skip), size)
        })
    }

    fn message(&self, id: &ChatId) -> Option<Arc<ChatMessage>> {
        self.live()?.chat.get(id).cloned()
    }

    /// A message the caller may read, and who the caller is.
    fn read_as(&self, caller: &PeerId, id: &ChatId) -> Result<(Arc<ChatMessage>, ParticipantId), Refusal> {
        let reader = self.reader(caller)?;
        let message = self.message(id).filter(|message| reader.sees(message)).ok_or(Refusal::UnknownMessage)?;
        Ok((message, reader.participant.clone()))
    }

    fn reader(&self, caller: &PeerId) -> Result<Reader<'_>, Refusal> {
        let preset = &self.caller(caller)?.preset;
        let me = self.present(caller).ok_or(Refusal::NotJoined)?;
        Ok(Reader { participant: &me.who.participant, receives: preset.private_chat.can_receive })
    }

    /// The people behind these peers, and the author. Peers that are gone are passed over, because clients name whom
    /// they still see; hidden ones are nobody's to name.
    fn parties(&self, author: &ParticipantId, peers: &[PeerId]) -> Result<Vec<ParticipantId>, Refusal> {
        if peers.len() > MAX_CHAT_ADDRESSEES {
            return Err(Refusal::TooLarge);
        }
        let here = peers.iter().filter_map(|peer| self.present(peer)).filter(|peer| !peer.who.hidden);
        let others: BTreeSet<&ParticipantId> =
            here.map(|peer| &peer.who.participant).filter(|participant| *participant != author).collect();
        if others.is_empty() {
            return Err(Refusal::UnknownPeer);
        }
        Ok(std::iter::once(author).chain(others).cloned().collect())
    }

    fn tell_readers(&mut self, except: Option<&PeerId>, message: &ChatMessage, news: &ChatNews) {
        let peers = self.roster.peers().filter(|peer| Some(*peer) != except);
        let readers = peers.filter(|peer| self.reader(peer).is_ok_and(|reader| reader.sees(message)));
        for peer in readers.cloned().collect::<Vec<_>>() {
            self.send(peer, Message::Chat(news.clone()));
        }
    }

    /// Whether the session can remember this too.
    fn has_room_for(&self, content: &ChatContent) -> Result<(), Refusal> {
        let chat = &self.live().ok_or(Refusal::NoSession)?.chat;
        let full = chat.entries() >= MAX_CHAT_ENTRIES || chat.bytes() + content.payload.len() > MAX_CHAT_BYTES;
        if full { Err(Refusal::Full) } else { Ok(()) }
    }

    /// Counts something said against the limits of a participant.
    fn count(&mut self, participant: &ParticipantId, kind: ChatKind) -> Result<(), Refusal> {
        let what = match kind {
            ChatKind::Text | ChatKind::Custom => Act::ChatText,
            ChatKind::Image | ChatKind::File => Act::ChatFile,
        };
        self.take_rate_of(participant, what, 1)
    }
}

/// Someone who reads.
struct Reader<'a> {
    participant: &'a ParticipantId,
    receives: bool,
}

impl Reader<'_> {
    fn sees(&self, message: &ChatMessage) -> bool {
        let own = message.author == *self.participant;
        !message.is_private() || own || (self.receives && message.parties.contains(self.participant))
    }
}

/// The first messages, as many as fit an answer, and whether any are left.
fn cut<'a>(messages: impl Iterator<Item = &'a Arc<ChatMessage>>, size: usize) -> (Vec<Arc<ChatMessage>>, bool) {
    let mut taken: Vec<Arc<ChatMessage>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        bytes += message.content.payload.len();
        if taken.len() >= size || (bytes > CHAT_HISTORY_BYTES && !taken.is_empty()) {
            return (taken, true);
        }
        taken.push(message.clone());
    }
    (taken, false)
}

/// Whether this preset lets people say this. Custom messages are text and files in one (as web SDK 2.0.2 asks).
fn may_say(preset: &Preset, hidden: bool, private: bool, content: &ChatContent) -> Result<(), Refusal> {
    let (can_send, text, files) = if private {
        (preset.private_chat.can_send, preset.private_chat.text, preset.private_chat.files)
    } else {
        (preset.public_chat.can_send, preset.public_chat.text, preset.public_chat.files)
    };
    let kind_allowed = match content.kind {
        ChatKind::Text => text,
        ChatKind::Image | ChatKind::File => files,
        ChatKind::Custom => text && files,
    };
    // Whoever others cannot see has no voice either.
    if hidden || !can_send || !kind_allowed {
        return Err(Refusal::NotAllowed);
    }
    let too_large = match content.kind {
        ChatKind::Text => content.payload.chars().count() > MAX_CHAT_TEXT_CHARS,
        ChatKind::Image | ChatKind::File | ChatKind::Custom => content.payload.len() > MAX_CHAT_PAYLOAD_BYTES,
    };
    if too_large { Err(Refusal::TooLarge) } else { Ok(()) }
}
