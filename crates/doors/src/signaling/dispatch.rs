//! Every message on one screen: its number, what reads it, and what obeys it.
//! Next: a file per wire service.

use prost::bytes::Bytes;
use salon_wire::event_id;
use salon_wire::signaling::socket::livestreaming;

use crate::signaling::caller::{Answer, Caller};
use crate::signaling::trouble::Trouble;
use crate::signaling::{chat, connected, later, media, polls, presets, room, stage, stores};

/// Obeys one message; what it does to others is in the audit log with what it changes.
pub async fn dispatch(caller: &Caller, event: u32, payload: Bytes) -> Result<Answer, Trouble> {
    let Some(what) = moderating(event) else { return obey(caller, event, payload).await };
    let acting = caller.acting(what);
    let answer = acting.scope(obey(caller, event, payload)).await?;
    if event == event_id::room::DENY_WAITING_ROOM_REQUESTS && !acting.is_settled() {
        // Those who wait are in no record, so neither is that they were turned away.
        caller.store.note_act(&acting.act()).await?;
    }
    Ok(answer)
}

/// What messages are called that may do something to others.
fn moderating(event: u32) -> Option<&'static str> {
    use event_id::{chat as c, media as m, presets as p, room as r};
    Some(match event {
        r::KICK => "kick",
        r::KICK_ALL => "kick all",
        r::ACCEPT_WAITING_ROOM_REQUESTS => "admit",
        r::DENY_WAITING_ROOM_REQUESTS => "deny",
        r::GRANT_STAGE_ACCESS => "grant stage",
        r::DENY_STAGE_ACCESS => "deny stage",
        r::LEAVE_STAGE => "take off stage",
        r::CREATE_CONNECTED_ROOMS => "create connected meetings",
        r::DELETE_CONNECTED_ROOMS => "delete connected meetings",
        r::MOVE_PEERS => "move",
        m::CHANGE_DISPLAY_NAME => "rename",
        m::HOST_CONTROL_PEER => "mute",
        m::HOST_CONTROL_ALL_PEERS => "mute all",
        c::DELETE_MESSAGE => "delete message",
        p::UPDATE_USER_PRESET => "change permissions",
        _ => return None,
    })
}

async fn obey(caller: &Caller, event: u32, payload: Bytes) -> Result<Answer, Trouble> {
    use event_id::{chat as c, media as m, plugins, polls as pl, presets as p, room as r};
    // A client that was removed still takes its media down before it closes.
    if caller.removed.is_raised() && event != m::LEAVE_ROOM {
        return Err(Trouble::Removed);
    }
    match event {
        r::JOIN_ROOM => room::join(caller, read(payload)?).await,
        r::LEAVE_ROOM => room::leave(caller).await,
        r::GET_ROOM_INFO => room::info(caller).await,
        r::GET_ROOM_PEERS_INFO => room::peers(caller, read(payload)?).await,
        r::GET_PEER_INFO => room::peer(caller, read(payload)?).await,
        r::KICK => room::kick(caller, read(payload)?).await,
        r::KICK_ALL => room::kick_all(caller, read(payload)?).await,
        r::GET_WAITING_ROOM_REQUESTS => room::waiting_list(caller).await,
        r::ACCEPT_WAITING_ROOM_REQUESTS => room::admit(caller, read(payload)?).await,
        r::DENY_WAITING_ROOM_REQUESTS => room::deny(caller, read(payload)?).await,
        r::BROADCAST_MESSAGE => room::broadcast(caller, read(payload.clone())?, payload).await,
        r::BROADCAST_TO_ENTITY => room::broadcast_to(caller, read(payload)?).await,
        r::REQUEST_STAGE_ACCESS => stage::request(caller).await,
        r::CANCEL_STAGE_REQUEST => stage::cancel(caller).await,
        r::GRANT_STAGE_ACCESS => {
            let request: livestreaming::GrantStageAccessRequest = read(payload)?;
            stage::decide(caller, &request.user_ids, true).await
        }
        r::DENY_STAGE_ACCESS => {
            let request: livestreaming::DenyStageAccessRequest = read(payload)?;
            stage::decide(caller, &request.user_ids, false).await
        }
        r::JOIN_STAGE => stage::join(caller).await,
        r::LEAVE_STAGE => stage::leave(caller, read(payload)?).await,
        r::GET_STAGE_REQUESTS => stage::requests(caller).await,
        r::GET_ROOM_STAGE_STATE => stage::state(caller).await,
        r::GET_STAGE_PEERS => stage::peers(caller).await,
        r::GET_CONNECTED_ROOMS_DUMP => connected::list(caller).await,
        r::CREATE_CONNECTED_ROOMS => connected::create(caller, read(payload)?).await,
        r::DELETE_CONNECTED_ROOMS => connected::delete(caller, read(payload)?).await,
        r::MOVE_PEERS => connected::move_people(caller, read(payload)?).await,

        m::JOIN_ROOM => Ok(Answer::Payload(Bytes::new())),
        m::LEAVE_ROOM => media::leave(caller).await,
        m::SELF_JOIN_COMPLETE => media::complete_join(caller).await,
        m::CREATE_WEBRTC_TRANSPORT => media::open_transport(caller, read(payload)?).await,
        m::PRODUCE => media::produce(caller, read(payload)?).await,
        m::TOGGLE_PRODUCER => media::toggle(caller, read(payload)?).await,
        m::CLOSE_PRODUCER => media::close_producer(caller, read(payload)?).await,
        m::CONSUME => media::consume(caller, read(payload)?).await,
        m::RENEGOTIATE_SESSION_DESCRIPTION => media::renegotiate(caller, read(payload)?).await,
        m::CLOSE_CONSUMER => media::close_consumers(caller, read(payload)?).await,
        m::UPDATE_CONSUMERS_SIMULCAST_CONFIG => media::set_layers(caller, read(payload)?).await,
        m::CHANGE_DISPLAY_NAME => media::rename(caller, read(payload)?).await,
        m::GLOBAL_PIN_PEER => media::pin(caller, read(payload)?).await,
        m::HOST_CONTROL_PEER => media::mute_peer(caller, read(payload)?).await,
        m::HOST_CONTROL_ALL_PEERS => media::mute_all(caller, read(payload)?).await,
        // Who speaks is heard on the server, from the packets themselves; a client's own word is not needed.
        m::AUDIO_ACTIVITY => Ok(Answer::None),

        c::GET_MESSAGES => chat::history(caller).await,
        c::SEND_MESSAGE_TO_ROOM => chat::say_to_all(caller, read(payload)?).await,
        c::SEND_MESSAGE_TO_PEERS => chat::say_to_some(caller, read(payload)?).await,
        c::EDIT_MESSAGE => chat::edit(caller, read(payload)?).await,
        c::DELETE_MESSAGE => chat::delete(caller, read(payload)?).await,
        c::PIN_MESSAGE => chat::pin(caller, read(payload)?).await,
        c::GET_PAGINATED_MESSAGES => chat::page(caller, read(payload)?).await,
        c::SEARCH_CHANNEL_MESSAGES => chat::search(caller, read(payload)?).await,
        pl::CREATE_POLL => polls::create(caller, read(payload)?).await,
        pl::GET_POLLS => polls::all(caller).await,
        pl::VOTE_POLL => polls::vote(caller, read(payload)?).await,
        // None. Cores before 2.0 ask after each join.
        plugins::GET_PLUGINS => Ok(Answer::Payload(Bytes::new())),
        plugins::STORE_INSERT_KEYS => stores::insert(caller, read(payload)?).await,
        plugins::STORE_GET_KEYS => stores::get(caller, read(payload)?).await,
        plugins::STORE_DELETE_KEYS => stores::delete_keys(caller, read(payload)?).await,
        plugins::STORE_DELETE => stores::delete(caller, read(payload)?).await,
        p::GET_USER_PRESETS => presets::read(caller, read(payload)?).await,
        p::UPDATE_USER_PRESET => presets::change(caller, read(payload)?).await,
        event => Err(later::refuse(event)),
    }
}

fn read<M: prost::Message + Default>(payload: Bytes) -> Result<M, Trouble> {
    M::decode(payload).map_err(|_| Trouble::Malformed("its payload does not decode as the message of its event"))
}
