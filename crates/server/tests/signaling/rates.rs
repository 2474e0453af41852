//! Everything a client may send has a rate: each event is flooded here, or named below with the reason why not.

use std::collections::BTreeSet;

use prost::Message as _;
use salon_wire::event_id::{self, chat as c, media as m, plugins, polls as pl, presets as p, room as r};
use salon_wire::signaling::media::{CreateTransportRequest, edge};
use salon_wire::signaling::socket::room::{self, AcceptWaitingRoomRequests, DenyWaitingRoomRequests};
use salon_wire::signaling::socket::{chat, plugin, preset};

use crate::client::{Client, described};
use crate::house::House;

/// What a flooded client is told.
const TOO_OFTEN: &str = "too many of these in a short time; try again in a moment";

/// More than any rate of a minute.
const FLOOD: usize = 1_300;

/// What Mallory sends again and again, the n-th time.
type Message = fn(&Client, usize) -> Vec<u8>;

const FLOODED: &[(u32, Message)] = &[
    (r::GET_ROOM_INFO, |_, _| Vec::new()),
    (r::GET_PEER_INFO, |me, _| room::GetPeerInfoRequest { peer_id: me.peer() }.encode_to_vec()),
    (r::GET_ROOM_PEERS_INFO, |_, _| Vec::new()),
    (r::GET_WAITING_ROOM_REQUESTS, |_, _| Vec::new()),
    (r::GET_STAGE_REQUESTS, |_, _| Vec::new()),
    (r::GET_ROOM_STAGE_STATE, |_, _| Vec::new()),
    (r::GET_STAGE_PEERS, |_, _| Vec::new()),
    (r::ACCEPT_WAITING_ROOM_REQUESTS, |_, _| AcceptWaitingRoomRequests { user_ids: vec!["nobody".to_owned()] }.encode_to_vec()),
    (m::GLOBAL_PIN_PEER, |_, _| edge::GlobalPeerPinningRequest::default().encode_to_vec()),
    (r::DENY_WAITING_ROOM_REQUESTS, |_, _| DenyWaitingRoomRequests { user_ids: vec!["nobody".to_owned()] }.encode_to_vec()),
    (r::KICK, |_, _| room::RemoveParticipantsRequest { peer_ids: vec!["nobody".to_owned()] }.encode_to_vec()),
    (m::HOST_CONTROL_ALL_PEERS, |_, _| edge::HostMediaControlForAllPeerRequest::default().encode_to_vec()),
    (m::HOST_CONTROL_PEER, |me, _| {
        edge::HostMediaControlForPeerRequest { participant_id: me.peer(), ..Default::default() }.encode_to_vec()
    }),
    (r::GET_CONNECTED_ROOMS_DUMP, |_, _| Vec::new()),
    (m::SELF_JOIN_COMPLETE, |_, _| Vec::new()),
    (m::CHANGE_DISPLAY_NAME, |me, n| {
        edge::PeerDisplayNameEditRequest { participant_id: me.peer(), display_name: format!("Mallory {n}") }.encode_to_vec()
    }),
    (m::CREATE_WEBRTC_TRANSPORT, |_, _| {
        let description = Some(described("offer", "nonsense".to_owned()));
        CreateTransportRequest { description, ..CreateTransportRequest::default() }.encode_to_vec()
    }),
    (m::CONSUME, |_, _| edge::ConsumePeersRequest::default().encode_to_vec()),
    (c::GET_MESSAGES, |_, _| Vec::new()),
    (c::GET_PAGINATED_MESSAGES, |_, _| chat::GetPaginatedChatMessageRoomRequest::default().encode_to_vec()),
    (c::SEARCH_CHANNEL_MESSAGES, |_, _| chat::SearchChatMessagesRequest::default().encode_to_vec()),
    (c::SEND_MESSAGE_TO_ROOM, |_, _| {
        chat::SendChatMessageToRoomRequest { payload_type: 0, payload: "hi".to_owned() }.encode_to_vec()
    }),
    (pl::GET_POLLS, |_, _| Vec::new()),
    (plugins::STORE_GET_KEYS, |_, _| {
        plugin::PluginStoreGetKeysRequest { store_name: "s".to_owned(), ..Default::default() }.encode_to_vec()
    }),
    (p::GET_USER_PRESETS, |me, _| preset::ReadPeersPresetRequest { user_ids: vec![me.user()] }.encode_to_vec()),
    // Last: it begins the rest anew.
    (r::JOIN_ROOM, |_, _| Vec::new()),
];

/// Counted where it is done, and flooded there (`everything_that_people_do_has_a_rate` in core): here it takes more than
/// one kind of message, or a second is too short to be sure of.
const COUNTED_IN_CORE: &[u32] = &[
    r::BROADCAST_MESSAGE,
    r::BROADCAST_TO_ENTITY,
    r::REQUEST_STAGE_ACCESS,
    r::GRANT_STAGE_ACCESS,
    r::DENY_STAGE_ACCESS,
    r::JOIN_STAGE,
    r::CREATE_CONNECTED_ROOMS,
    r::DELETE_CONNECTED_ROOMS,
    r::MOVE_PEERS,
    m::PRODUCE,
    m::TOGGLE_PRODUCER,
    c::SEND_MESSAGE_TO_PEERS,
    c::EDIT_MESSAGE,
    c::DELETE_MESSAGE,
    c::PIN_MESSAGE,
    pl::CREATE_POLL,
    pl::VOTE_POLL,
    plugins::STORE_INSERT_KEYS,
    plugins::STORE_DELETE_KEYS,
    plugins::STORE_DELETE,
    p::UPDATE_USER_PRESET,
];

/// Those without a rate of their own, each for one reason; all of them fall under the rate of the socket.
const WITHOUT: &[(u32, &str)] = &[
    (r::LEAVE_ROOM, "ends what a join began"),
    (r::KICK_ALL, "ends the session"),
    (r::CANCEL_STAGE_REQUEST, "ends what a request began"),
    (r::LEAVE_STAGE, "ends what stepping on stage began"),
    (m::JOIN_ROOM, "does nothing"),
    (plugins::GET_PLUGINS, "does nothing"),
    (m::AUDIO_ACTIVITY, "does nothing"),
    (m::LEAVE_ROOM, "ends what completing a join began"),
    (m::CLOSE_PRODUCER, "ends what publishing began"),
    (m::CLOSE_CONSUMER, "ends what subscribing began"),
    (m::RENEGOTIATE_SESSION_DESCRIPTION, "concerns nobody but the caller's own connection"),
    (m::UPDATE_CONSUMERS_SIMULCAST_CONFIG, "concerns nobody but the caller's own connection"),
];

#[tokio::test]
async fn every_event_has_a_rate() {
    let house = House::with(|config| {
        (config.limits.messages_per_second, config.limits.message_burst) = (100_000, 1_000_000);
    });
    let house = house.await;
    let meeting = house.meeting().await;
    let _witness = house.guest(&meeting, "Wanda").await.join().await;
    let mut mallory = house.add_changed(&meeting, "Mallory", &[]).await.join_with_media().await;
    for (event, message) in FLOODED {
        let name = event_id::name(*event).unwrap();
        let mut refused = false;
        for n in 0..FLOOD {
            let payload = message(&mallory, n);
            if let Err(why) = mallory.verdict(*event, &payload).await
                && why == TOO_OFTEN
            {
                refused = true;
                break;
            }
            mallory.forget().await;
        }
        assert!(refused, "{name} may be sent for ever");
    }
}

/// What has neither a rate nor a reason is found here, by name.
#[tokio::test]
async fn every_event_is_accounted_for() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let listed: Vec<u32> = FLOODED.iter().map(|(event, _)| *event).chain(COUNTED_IN_CORE.iter().copied()).collect();
    let listed: Vec<u32> = listed.into_iter().chain(WITHOUT.iter().map(|(event, _)| *event)).collect();
    assert_eq!(listed.len(), listed.iter().collect::<BTreeSet<_>>().len(), "an event is listed twice");
    let known = (0..16).flat_map(|service| (0..256).map(move |method| service << 16 | method));
    for event in known.filter(|event| event_id::name(*event).is_some()) {
        let mut client = house.host(&meeting, "Ada").await.join().await;
        let verdict = client.verdict(event, &[]).await;
        let is_there = !verdict.is_err_and(|why| why.contains("does not know event") || why.contains("is not available"));
        assert_eq!(listed.contains(&event), is_there, "{}", event_id::name(event).unwrap());
    }
}
