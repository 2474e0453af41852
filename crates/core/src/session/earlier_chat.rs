//! What a session leaves to the next one of a meeting that keeps its chat: what could be read last.
//! Next: `kept_chat.rs`, which takes it in.

use crate::event::{ChatKept, ChatSent};
use crate::ids::SessionId;
use crate::limits::{CHAT_HISTORY, CHAT_HISTORY_BYTES};
use crate::record::{ChatMessage, Record};
use crate::time::Timestamp;

/// What a session that ended leaves to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EarlierChat {
    /// When that session began; tells it from one that has come and gone since.
    pub(super) begun_at: Timestamp,
    pub(super) messages: Vec<ChatKept>,
}

impl EarlierChat {
    /// The last messages of a session, as many as one answer to a reader may have.
    pub fn of(record: &Record) -> Self {
        let mut bytes = 0;
        let last = record.chat.messages().rev().take(CHAT_HISTORY).take_while(|message| {
            bytes += message.content.payload.len();
            bytes <= CHAT_HISTORY_BYTES
        });
        let mut messages: Vec<ChatKept> = last.map(|message| kept(message, &record.started.session)).collect();
        messages.reverse();
        Self { begun_at: record.started.started_at, messages }
    }
}

fn kept(message: &ChatMessage, session: &SessionId) -> ChatKept {
    ChatKept {
        sent: ChatSent {
            message: message.id.clone(),
            peer: message.peer.clone(),
            author: message.author.clone(),
            name: message.name.clone(),
            parties: message.parties.clone(),
            content: message.content.clone(),
        },
        said_in: message.said_in.as_ref().unwrap_or(session).clone(),
        said_at: message.at,
        pinned: message.pinned,
        edited: message.edited,
    }
}
