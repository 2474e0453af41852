//! The chat service: saying, changing and reading what is written in a call.
//! Whoever waits is answered as if nothing had been said, because clients take an error here for a failed join.
//! Next: `salon_core::session`, which judges; `rest/session_chat.rs`, the export.

use prost::Message as _;
use salon_core::event::{ChatContent, ChatKind};
use salon_core::record::ChatMessage;
use salon_core::session::{Act, ChatNews, ChatOnly, ChatPage, ChatTo};
use salon_core::{ChatId, ParticipantId, Session, Timestamp};
use salon_store::acting::{self, Acting};
use salon_wire::event_id::chat as event;
use salon_wire::signaling::socket::chat as wire;
use salon_wire::signaling::socket::chat::get_paginated_chat_message_filters::Filters;

use crate::ids::random_id;
use crate::signaling::caller::{Answer, Caller, answer};
use crate::signaling::chat_content;
use crate::signaling::from_wire::peer_id;
use crate::signaling::trouble::Trouble;

pub async fn say_to_all(caller: &Caller, request: wire::SendChatMessageToRoomRequest) -> Result<Answer, Trouble> {
    say(caller, ChatTo::Everyone, chat_content::read(request.payload_type, request.payload)?).await
}

pub async fn say_to_some(caller: &Caller, request: wire::SendChatMessageToPeersRequest) -> Result<Answer, Trouble> {
    let peers = request.peer_ids.iter().map(|id| peer_id(id)).collect::<Result<Vec<_>, _>>()?;
    say(caller, ChatTo::Peers(peers), chat_content::read(request.payload_type, request.payload)?).await
}

/// No answer: the sender shows its message when the push comes, like everybody else.
async fn say(caller: &Caller, to: ChatTo, content: ChatContent) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    let fresh = random_id::<ChatId>();
    caller.handle.call(move |session, now| session.say(now, &peer, fresh, to, content)).await??;
    Ok(Answer::None)
}

pub async fn edit(caller: &Caller, request: wire::EditChatMessageRequest) -> Result<Answer, Trouble> {
    no_channels(request.channel_id)?;
    let id = chat_id(&request.chat_id)?;
    let content = chat_content::read(request.payload_type.unwrap_or_default(), request.payload.unwrap_or_default())?;
    let peer = caller.peer.clone();
    let message = caller.handle.call(move |session, now| session.edit_message(now, &peer, &id, content)).await??;
    answer(&wire::EditChatMessageResponse { message: Some(to_wire(&message)) })
}

pub async fn delete(caller: &Caller, request: wire::DeleteChatMessageRequest) -> Result<Answer, Trouble> {
    no_channels(request.channel_id)?;
    let id = chat_id(&request.chat_id)?;
    acting::about("message", id.as_str());
    let (peer, acting) = (caller.peer.clone(), Acting::current());
    let delete = move |session: &mut Session, now| {
        if session.has_said(&peer, &id) {
            // People's own words are theirs to take back.
            acting.inspect(|acting| acting.settle());
        }
        session.delete_message(now, &peer, &id)
    };
    caller.handle.call(delete).await??;
    answer(&wire::DeleteChatMessageResponse { chat_id: request.chat_id, channel_id: None })
}

pub async fn pin(caller: &Caller, request: wire::PinChatMessageRequest) -> Result<Answer, Trouble> {
    no_channels(request.channel_id)?;
    let id = chat_id(&request.chat_id)?;
    let peer = caller.peer.clone();
    let message = caller.handle.call(move |session, now| session.pin_message(now, &peer, &id, request.pinned)).await??;
    answer(&pinned(&message))
}

/// The last messages, oldest first.
pub async fn history(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    let messages = caller
        .handle
        .call(move |session, now| match session.is_waiting(&peer) {
            true => Ok(Vec::new()),
            false => session.ask(now, &peer, Act::ChatRead).and_then(|()| session.chat_history(&peer)),
        })
        .await??;
    answer(&wire::GetChatMessagesResponse { messages: messages.iter().map(|message| to_wire(message)).collect() })
}

/// From a moment on, or back from it with the newest first; the moment itself belongs to the page (the panel of
/// realtimekit-ui 2.0.2 goes on one millisecond further). Without a filter it is what everyone may read.
pub async fn page(caller: &Caller, request: wire::GetPaginatedChatMessageRoomRequest) -> Result<Answer, Trouble> {
    no_channels(request.channel_id)?;
    let only = match request.filters.and_then(|filters| filters.filters) {
        None | Some(Filters::Pinned(false)) => ChatOnly::Public,
        Some(Filters::Pinned(true)) => ChatOnly::Pinned,
        Some(Filters::UserId(user)) => {
            let user = ParticipantId::parse(&user).map_err(|_| Trouble::Malformed("a user id is not an id"))?;
            ChatOnly::With(user)
        }
    };
    let page = part(only, request.time_stamp, request.size, request.from, request.reversed);
    let (messages, next) = read_page(caller, page).await?;
    answer(&wire::GetPaginatedChatMessageRoomResponse { messages, next })
}

pub async fn search(caller: &Caller, request: wire::SearchChatMessagesRequest) -> Result<Answer, Trouble> {
    no_channels(request.channel_id)?;
    let only = ChatOnly::Containing(request.search_term);
    let (messages, _) = read_page(caller, part(only, request.time_stamp, request.size, request.from, request.reversed)).await?;
    answer(&wire::GetChatMessagesResponse { messages })
}

async fn read_page(caller: &Caller, page: ChatPage) -> Result<(Vec<wire::ChatMessage>, bool), Trouble> {
    let peer = caller.peer.clone();
    let read = move |session: &mut Session, now| {
        session.ask(now, &peer, Act::ChatRead)?;
        session.chat_page(&peer, &page)
    };
    let (messages, next) = caller.handle.call(read).await??;
    Ok((messages.iter().map(|message| to_wire(message)).collect(), next))
}

fn part(only: ChatOnly, time_stamp: u64, size: i32, from: i32, backwards: bool) -> ChatPage {
    let whole = |number: i32| usize::try_from(number).unwrap_or(0);
    let from_ms = i64::try_from(time_stamp).unwrap_or(i64::MAX);
    ChatPage { only, from: Timestamp(from_ms), backwards, skip: whole(from), size: whole(size) }
}

/// A push, and the event it goes under.
pub fn push(news: &ChatNews) -> (u32, Vec<u8>) {
    match news {
        ChatNews::Said(message) if message.is_private() => {
            let said = wire::SendChatMessageToPeersResponse { message: Some(to_wire(message)) };
            (event::SEND_MESSAGE_TO_PEERS, said.encode_to_vec())
        }
        ChatNews::Said(message) => {
            let said = wire::SendChatMessageToRoomResponse { message: Some(to_wire(message)) };
            (event::SEND_MESSAGE_TO_ROOM, said.encode_to_vec())
        }
        ChatNews::Edited(message) => {
            let edited = wire::EditChatMessageResponse { message: Some(to_wire(message)) };
            (event::EDIT_MESSAGE, edited.encode_to_vec())
        }
        ChatNews::Pinned(message) => (event::PIN_MESSAGE, pinned(message).encode_to_vec()),
        ChatNews::Deleted(id) => {
            let deleted = wire::DeleteChatMessageResponse { chat_id: id.to_string(), channel_id: None };
            (event::DELETE_MESSAGE, deleted.encode_to_vec())
        }
    }
}

fn pinned(message: &ChatMessage) -> wire::PinChatMessageResponse {
    wire::PinChatMessageResponse {
        chat_id: message.id.to_string(),
        pinned: message.pinned,
        channel_id: None,
        message: Some(to_wire(message)),
    }
}

fn to_wire(message: &ChatMessage) -> wire::ChatMessage {
    let ms = u64::try_from(message.at.0).unwrap_or(0);
    wire::ChatMessage {
        chat_id: message.id.to_string(),
        peer_id: message.peer.to_string(),
        user_id: message.author.to_string(),
        display_name: message.name.clone(),
        pinned: message.pinned,
        is_edited: message.edited,
        payload_type: match message.content.kind {
            ChatKind::Text => 0,
            ChatKind::Image => 1,
            ChatKind::File => 2,
            ChatKind::Custom => 3,
        },
        payload: message.content.payload.clone(),
        target_user_ids: message.parties.iter().map(ToString::to_string).collect(),
        created_at: ms / 1_000,
        created_at_ms: Some(ms),
        channel_id: None,
        channel_index: None,
    }
}

fn no_channels(channel: Option<String>) -> Result<(), Trouble> {
    if channel.is_some_and(|channel| !channel.is_empty()) { Err(Trouble::NotYet("chat in channels")) } else { Ok(()) }
}

fn chat_id(id: &str) -> Result<ChatId, Trouble> {
    ChatId::parse(id).map_err(|_| Trouble::Malformed("a chat id is not an id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_make_no_sense_are_bounded() {
        let page = part(ChatOnly::Public, u64::MAX, -5, i32::MIN, true);
        assert_eq!((page.from, page.size, page.skip), (Timestamp(i64::MAX), 0, 0));
    }
}
