//! Permissions that a host changes in a call: who is told, what is switched off, who learns of it later.

use salon_wire::event_id::{chat, media, presets, room};
use salon_wire::signaling::media::edge;
use salon_wire::signaling::socket::{chat as messages, preset, room as wire};
use serde_json::{Value, json};

use crate::client::Client;
use crate::each_permission::{leave, media as media_of, update};
use crate::house::{Folder, House, Person};
use crate::http::Call;
use crate::node::Node;

const FORBIDDEN: &str = "the preset does not allow this";

/// What the client SDK is told first: the permissions of the token's holder.
async fn details(person: &Person) -> Value {
    let call = Call::new(person.address.parse().unwrap(), "GET", "/v2/internals/participant-details");
    let said = call.header("authorization", &format!("Bearer {}", person.token)).send().await;
    assert_eq!(said.status, 200);
    said.json()["data"]["preset"]["permissions"].take()
}

async fn changes(host: &mut Client, user: &str, change: impl FnOnce(&mut preset::PresetUpdates)) {
    host.ask::<preset::UpdatePeersPresetResponse>(presets::UPDATE_USER_PRESET, &update(user, change)).await.unwrap();
}

async fn told(client: &mut Client) -> preset::PresetUpdates {
    let told: preset::UpdatePeersPresetResponse = client.hear(presets::UPDATE_USER_PRESET).await;
    told.update_peers_presets.into_iter().next().unwrap().patch.unwrap()
}

fn text(payload: &str) -> messages::SendChatMessageToRoomRequest {
    messages::SendChatMessageToRoomRequest { payload_type: 0, payload: payload.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_microphone_that_is_no_longer_allowed_is_off_for_everyone_until_it_is() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hana = house.host(&meeting, "Hana").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let microphone = bob.publish("audio").await.unwrap();
    hana.forget().await;
    let user = bob.user();
    changes(&mut hana, &user, |patch| media_of(patch).audio = leave(false)).await;
    let off: edge::PeerProducerToggleBroadcastResponse = hana.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
    let state = off.producer_state.unwrap();
    assert_eq!((off.participant_id, state.producer_id, state.pause), (bob.peer(), microphone.clone(), true));
    assert_eq!(hana.heard(presets::UPDATE_USER_PRESET).await, 0, "others are not told what Bob may do");
    assert_eq!(told(&mut bob).await.media.unwrap().audio, leave(false));
    assert_eq!(bob.publish("audio").await.unwrap_err(), FORBIDDEN);
    let on = edge::ProducerToggleRequest { producer_id: microphone, pause: false };
    assert_eq!(bob.refused(media::TOGGLE_PRODUCER, &on).await, FORBIDDEN);

    changes(&mut hana, &user, |patch| media_of(patch).audio = leave(true)).await;
    bob.tell(media::TOGGLE_PRODUCER, &on).await;
    let back: edge::PeerProducerToggleBroadcastResponse = hana.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
    assert!(!back.producer_state.unwrap().pause);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_that_is_no_longer_allowed_is_taken_down() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hana = house.host(&meeting, "Hana").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let transport = bob.open_transport(false).await.unwrap();
    let screen = bob.publish_on(&transport, "video", true).await.unwrap();
    let user = bob.user();
    changes(&mut hana, &user, |patch| media_of(patch).screenshare = leave(false)).await;
    let closed: edge::PeerProducerCloseBroadcastResponse = hana.hear(media::PEER_PRODUCER_CLOSE_BROADCAST).await;
    assert_eq!(closed.producer_state.unwrap().producer_id, screen);
    assert_eq!(bob.publish_on(&transport, "video", true).await.unwrap_err(), FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_tabs_those_who_return_and_new_pages_know_what_was_changed() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hana = house.host(&meeting, "Hana").await.join().await;
    let bob = house.guest(&meeting, "Bob").await;
    let mut first = bob.join().await;
    let mut second = bob.on_another_device().join().await;
    let silent = |patch: &mut preset::PresetUpdates| {
        patch.chat.get_or_insert_default().public.get_or_insert_default().can_send = Some(false);
        patch.kick_participant = Some(true);
    };
    changes(&mut hana, &bob.participant, silent).await;
    for tab in [&mut first, &mut second] {
        let told = told(tab).await;
        assert_eq!(told.chat.unwrap().public.unwrap().can_send, Some(false));
        assert_eq!(told.kick_participant, Some(true));
        assert_eq!(tab.refused(chat::SEND_MESSAGE_TO_ROOM, &text("hello")).await, FORBIDDEN);
    }

    let permissions = details(&bob).await;
    assert_eq!(permissions["chat"]["public"], json!({ "can_send": false, "text": true, "files": true }));
    assert_eq!(permissions["kick_participant"], true);
    let anna = house.guest(&meeting, "Anna").await;
    assert_eq!(details(&anna).await["kick_participant"], false, "it is Bob's alone");

    let bob = first.vanish();
    changes(&mut hana, &bob.participant, |patch| patch.pin_participant = Some(true)).await;
    let mut back = bob.join().await;
    let told = told(&mut back).await;
    assert_eq!((told.kick_participant, told.pin_participant), (Some(true), Some(true)), "what it knew and what it missed");
    assert_eq!(back.refused(chat::SEND_MESSAGE_TO_ROOM, &text("hello")).await, FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_is_over_with_the_session() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hana = house.host(&meeting, "Hana").await.join().await;
    let bob = house.guest(&meeting, "Bob").await;
    let socket = bob.join().await;
    changes(&mut hana, &bob.participant, |patch| patch.kick_participant = Some(true)).await;
    drop(socket);
    let all = edge::KickAllPeersRequest { propagate_kick_across_rooms: true };
    hana.tell(room::KICK_ALL, &all).await;
    hana.hung_up().await;
    assert_eq!(details(&bob).await["kick_participant"], false);
    let mut bob = bob.on_another_device().join().await;
    assert_eq!(bob.refused(room::KICK_ALL, &all).await, FORBIDDEN);
}

/// As the client reads it: in its own spelling of names.
#[tokio::test(flavor = "multi_thread")]
async fn people_read_what_others_may_do() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hana = house.host(&meeting, "Hana").await.join().await;
    let bob = house.guest(&meeting, "Bob").await.join().await;
    changes(&mut hana, &bob.user(), |patch| patch.polls.get_or_insert_default().can_vote = Some(false)).await;
    let request = preset::ReadPeersPresetRequest { user_ids: vec![bob.user(), hana.user()] };
    let read: preset::ReadPeersPresetResponse = hana.ask(presets::GET_USER_PRESETS, &request).await.unwrap();
    let [his, hers] = &read.peer_presets[..] else { panic!("{read:?}") };
    assert_eq!((his.user_id.clone(), his.peer_id.clone()), (bob.user(), bob.peer()));
    let json: Value = serde_json::from_slice(&his.preset).unwrap();
    assert_eq!(json["permissions"]["polls"], json!({ "canCreate": true, "canVote": false, "canView": true }));
    assert_eq!(json["permissions"]["chat"]["public"], json!({ "canSend": true, "text": true, "files": true }));
    assert_eq!(json["name"], "group_call_participant");
    assert_eq!(json.get("ui"), None);
    let json: Value = serde_json::from_slice(&hers.preset).unwrap();
    assert_eq!(json["permissions"]["canChangeParticipantPermissions"], true);

    let mut outside = bob.person.on_another_device().connect().await;
    assert_eq!(outside.refused(presets::GET_USER_PRESETS, &request).await, "join the meeting first");
    let nobody = preset::ReadPeersPresetRequest { user_ids: vec!["nobody".to_owned()] };
    assert_eq!(hana.refused(presets::GET_USER_PRESETS, &nobody).await, "no such participant in this session");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_survives_a_crash() {
    let data = Folder::new();
    let node = Node::start(&data);
    let meeting = node.meeting(60).await;
    let (hana, bob) = (node.host(&meeting, "Hana").await, node.guest(&meeting, "Bob").await);
    let (mut host, _socket) = (hana.join().await, bob.join().await);
    changes(&mut host, &bob.participant, |patch| {
        patch.chat.get_or_insert_default().public.get_or_insert_default().text = Some(false);
    })
    .await;
    node.kill();
    let node = Node::start(&data);
    let bob = bob.at(&node.address);
    assert_eq!(details(&bob).await["chat"]["public"]["text"], false);
    let mut back = bob.join().await;
    assert_eq!(told(&mut back).await.chat.unwrap().public.unwrap().text, Some(false));
    assert_eq!(back.refused(chat::SEND_MESSAGE_TO_ROOM, &text("hello")).await, FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_rename_others_and_everyone_sees_it() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hana = house.host(&meeting, "Hana").await.join().await;
    let mut anna = house.guest(&meeting, "Anna").await.join().await;
    let bob = house.guest(&meeting, "Bob").await;
    let mut socket = bob.join().await;
    let rename = edge::PeerDisplayNameEditRequest { participant_id: bob.peer.clone(), display_name: "Robert".to_owned() };
    hana.ask::<edge::PeerDisplayNameEditResponse>(media::CHANGE_DISPLAY_NAME, &rename).await.unwrap();
    for other in [&mut anna, &mut socket] {
        let told: edge::PeerDisplayNameEditBroadcastResponse = other.hear(media::PEER_DISPLAY_NAME_EDIT_BROADCAST).await;
        assert_eq!((told.participant_id, told.display_name), (bob.peer.clone(), "Robert".to_owned()));
    }
    // His own client still calls him Bob when it comes back.
    let bob = socket.vanish();
    let mut back = bob.connect().await;
    assert_eq!(back.join().await.unwrap().display_name, "Robert");
    let mut late = house.guest(&meeting, "Cleo").await.join().await;
    let who = wire::GetPeerInfoRequest { peer_id: bob.peer.clone() };
    let seen: wire::PeerInfoResponse = late.ask(room::GET_PEER_INFO, &who).await.unwrap();
    assert_eq!(seen.peer.unwrap().display_name, "Robert");
    let session = house.live(&meeting).unwrap().session;
    let record = house.record(&session).await;
    assert_eq!(record.peers.values().find(|peer| peer.who.peer.as_str() == bob.peer).unwrap().who.name, "Robert");
}

/// Not with a tab each, and not again after a reconnect.
#[tokio::test(flavor = "multi_thread")]
async fn the_tabs_of_one_person_share_what_it_may_do_so_often() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut anna = house.guest(&meeting, "Anna").await.join().await;
    let bob = house.guest(&meeting, "Bob").await;
    let (mut first, mut second) = (bob.join().await, bob.on_another_device().join().await);
    let message = wire::BroadcastMessage { r#type: "wave".to_owned(), ..wire::BroadcastMessage::default() };
    let mut sent = 0;
    let why = loop {
        let tab = if sent % 2 == 0 { &mut first } else { &mut second };
        match tab.ask::<wire::BroadcastMessage>(room::BROADCAST_MESSAGE, &message).await {
            Ok(_) => sent += 1,
            Err(why) => break why,
        }
        assert!(sent < 100, "there is no rate");
    };
    assert_eq!(why, "too many of these in a short time; try again in a moment");
    assert_eq!(anna.heard(room::BROADCAST_MESSAGE).await, sent, "what was refused reached nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_ends_the_sharing_of_a_screen_and_of_nothing_else() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hana = house.host(&meeting, "Hana").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    bob.publish("video").await.unwrap();
    let transport = bob.open_transport(false).await.unwrap();
    let screen = bob.publish_on(&transport, "video", true).await.unwrap();
    let stop = edge::HostMediaControlForPeerRequest { participant_id: bob.peer(), scree_share: true, ..Default::default() };
    hana.ask::<edge::HostMediaControlForPeerResponse>(media::HOST_CONTROL_PEER, &stop).await.unwrap();
    for one in [&mut hana, &mut bob] {
        let closed: edge::PeerProducerCloseBroadcastResponse = one.hear(media::PEER_PRODUCER_CLOSE_BROADCAST).await;
        assert_eq!(closed.producer_state.unwrap().producer_id, screen);
        assert_eq!(one.heard(media::PEER_PRODUCER_TOGGLE_BROADCAST).await, 0, "the camera goes on");
    }
    bob.publish_on(&transport, "video", true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn people_look_through_the_list_so_often_and_no_more() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let bob = house.guest(&meeting, "Bob").await;
    let mut socket = bob.join().await;
    let page = wire::RoomPeersInfoRequest { seach_query: String::new(), limit: 10, offset: 0 };
    assert_eq!(socket.roster().await.len(), 1, "as clients do when they have joined");
    for _ in 0..5 {
        socket.ask::<wire::RoomPeersInfoResponse>(room::GET_ROOM_PEERS_INFO, &page).await.unwrap();
        assert_eq!(socket.roster().await.len(), 1);
    }
    for request in [&page, &wire::RoomPeersInfoRequest::default()] {
        let why = socket.refused(room::GET_ROOM_PEERS_INFO, request).await;
        assert_eq!(why, "too many of these in a short time; try again in a moment");
    }
    let mut back = socket.vanish().join().await;
    assert_eq!(back.roster().await.len(), 1, "who comes back is not held up");
    let why = back.refused(room::GET_ROOM_PEERS_INFO, &page).await;
    assert_eq!(why, "too many of these in a short time; try again in a moment");
}
