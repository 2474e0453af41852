//! Talk in writing as clients meet it: who is told what, who may what, and what is left of it afterwards.

use salon_server::config::{DEV_ACCOUNT, DEV_APP, DEV_TOKEN};
use salon_wire::event_id::chat;
use salon_wire::signaling::socket::chat as wire;
use salon_wire::signaling::socket::chat::get_paginated_chat_message_filters::Filters;
use serde_json::json;

use crate::client::{Client, NOTHING};
use crate::house::{Folder, House, dev};
use crate::http::Call;
use crate::node::Node;

fn to_room(text: &str) -> wire::SendChatMessageToRoomRequest {
    wire::SendChatMessageToRoomRequest { payload_type: 0, payload: text.to_owned() }
}

fn to_peers(peers: &[&str], text: &str) -> wire::SendChatMessageToPeersRequest {
    let peer_ids = peers.iter().map(|peer| (*peer).to_owned()).collect();
    wire::SendChatMessageToPeersRequest { peer_ids, payload_type: 0, payload: text.to_owned() }
}

async fn history(client: &mut Client) -> Vec<String> {
    let answer: wire::GetChatMessagesResponse = client.ask(chat::GET_MESSAGES, NOTHING).await.unwrap();
    answer.messages.into_iter().map(|message| message.payload).collect()
}

async fn page(client: &mut Client, filter: Option<Filters>) -> Vec<String> {
    let filters = filter.map(|filter| wire::GetPaginatedChatMessageFilters { filters: Some(filter) });
    let request = wire::GetPaginatedChatMessageRoomRequest { size: 25, filters, ..Default::default() };
    let answer: wire::GetPaginatedChatMessageRoomResponse = client.ask(chat::GET_PAGINATED_MESSAGES, &request).await.unwrap();
    answer.messages.into_iter().map(|message| message.payload).collect()
}

async fn search(client: &mut Client, term: &str) -> Vec<String> {
    let request = wire::SearchChatMessagesRequest { size: 25, search_term: term.to_owned(), ..Default::default() };
    let answer: wire::GetChatMessagesResponse = client.ask(chat::SEARCH_CHANNEL_MESSAGES, &request).await.unwrap();
    answer.messages.into_iter().map(|message| message.payload).collect()
}

#[tokio::test]
async fn what_is_said_reaches_everyone_the_speaker_too() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let mut bob = house.guest(&meeting, "Bob").await.join().await;
    alice.tell(chat::SEND_MESSAGE_TO_ROOM, &to_room("hello")).await;
    let mut ids = Vec::new();
    for client in [&mut alice, &mut bob] {
        let said: wire::SendChatMessageToRoomResponse = client.hear(chat::SEND_MESSAGE_TO_ROOM).await;
        let said = said.message.unwrap();
        assert_eq!((said.payload.as_str(), said.display_name.as_str(), said.payload_type), ("hello", "Alice", 0));
        assert_eq!(said.created_at, said.created_at_ms.unwrap() / 1_000, "seconds and milliseconds");
        assert!(said.target_user_ids.is_empty());
        ids.push(said.chat_id);
    }
    assert_eq!(ids[0], ids[1]);
    let chat_id = ids.remove(0);

    let edit = wire::EditChatMessageRequest {
        chat_id: chat_id.clone(),
        payload_type: Some(0),
        payload: Some("hello all".to_owned()),
        ..Default::default()
    };
    let edited: wire::EditChatMessageResponse = alice.ask(chat::EDIT_MESSAGE, &edit).await.unwrap();
    assert!(edited.message.as_ref().unwrap().is_edited);
    assert_eq!(bob.hear::<wire::EditChatMessageResponse>(chat::EDIT_MESSAGE).await, edited);
    let pin = wire::PinChatMessageRequest { chat_id: chat_id.clone(), pinned: true, channel_id: None };
    let pinned: wire::PinChatMessageResponse = alice.ask(chat::PIN_MESSAGE, &pin).await.unwrap();
    assert!(pinned.pinned && pinned.message.as_ref().unwrap().pinned);
    assert_eq!(bob.hear::<wire::PinChatMessageResponse>(chat::PIN_MESSAGE).await, pinned);
    assert_eq!(page(&mut bob, Some(Filters::Pinned(true))).await, ["hello all"]);
    assert_eq!(search(&mut bob, "HELLO").await, ["hello all"]);
    let mut carol = house.guest(&meeting, "Carol").await.join().await;
    assert_eq!(history(&mut carol).await, ["hello all"], "who comes later reads it");

    let delete = wire::DeleteChatMessageRequest { chat_id: chat_id.clone(), channel_id: None };
    let why = "no such message in this session";
    assert_eq!(bob.refused(chat::DELETE_MESSAGE, &delete).await, "the preset does not allow this");
    assert_eq!(bob.refused(chat::EDIT_MESSAGE, &edit).await, "the preset does not allow this");
    assert_eq!(
        bob.refused(chat::PIN_MESSAGE, &wire::PinChatMessageRequest { pinned: false, ..pin.clone() }).await,
        "the preset does not allow this"
    );
    let deleted: wire::DeleteChatMessageResponse = alice.ask(chat::DELETE_MESSAGE, &delete).await.unwrap();
    assert_eq!(deleted.chat_id, chat_id);
    assert_eq!(bob.hear::<wire::DeleteChatMessageResponse>(chat::DELETE_MESSAGE).await.chat_id, chat_id);
    assert!(history(&mut bob).await.is_empty());
    assert_eq!(alice.refused(chat::EDIT_MESSAGE, &edit).await, why);
    assert_eq!(alice.refused(chat::PIN_MESSAGE, &pin).await, why);
    assert_eq!(alice.refused(chat::DELETE_MESSAGE, &delete).await, why);
}

#[tokio::test]
async fn what_is_said_in_private_stays_there() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let mut bob = house.guest(&meeting, "Bob").await.join().await;
    let mut eve = house.host(&meeting, "Eve").await.join().await;
    let (alice_peer, bob_peer) = (alice.peer(), bob.peer());
    alice.tell(chat::SEND_MESSAGE_TO_PEERS, &to_peers(&[&bob_peer, &alice_peer], "secret plan")).await;
    alice.tell(chat::SEND_MESSAGE_TO_ROOM, &to_room("line one\nsays \"hi\", all")).await;
    let mut id = String::new();
    for client in [&mut alice, &mut bob] {
        let said: wire::SendChatMessageToPeersResponse = client.hear(chat::SEND_MESSAGE_TO_PEERS).await;
        let said = said.message.unwrap();
        assert_eq!((said.payload.as_str(), said.target_user_ids.len()), ("secret plan", 2));
        id = said.chat_id;
    }
    let (alice_user, bob_user) = (alice.user(), bob.user());
    assert_eq!(page(&mut bob, Some(Filters::UserId(alice_user.clone()))).await, ["secret plan"]);
    assert_eq!(search(&mut bob, "secret").await, ["secret plan"]);
    assert_eq!(history(&mut bob).await.len(), 2);
    assert_eq!(page(&mut bob, None).await.len(), 1, "without a filter it is what everyone may read");

    assert_eq!(eve.heard(chat::SEND_MESSAGE_TO_PEERS).await, 0, "push");
    assert_eq!(history(&mut eve).await, ["line one\nsays \"hi\", all"], "history");
    for filter in [None, Some(Filters::Pinned(true)), Some(Filters::UserId(alice_user)), Some(Filters::UserId(bob_user))] {
        assert!(!page(&mut eve, filter).await.contains(&"secret plan".to_owned()), "page");
    }
    assert!(search(&mut eve, "secret").await.is_empty(), "search");
    let delete = wire::DeleteChatMessageRequest { chat_id: id, channel_id: None };
    assert_eq!(eve.refused(chat::DELETE_MESSAGE, &delete).await, "no such message in this session");

    let session = house.live(&meeting).unwrap().session;
    let address = house.address.parse().unwrap();
    let path = format!("/client/v4/accounts/{DEV_ACCOUNT}/realtime/kit/{DEV_APP}/sessions/{session}/chat");
    let link = Call::new(address, "GET", &path).header("authorization", &format!("Bearer {DEV_TOKEN}")).send().await.json();
    let url = link["data"]["chat_download_url"].as_str().unwrap();
    let path = url.strip_prefix(&format!("http://{}", house.address)).expect("the link is at the address that was called");
    let export = Call::new(address, "GET", path).send().await;
    let csv = String::from_utf8(export.body).unwrap();
    assert_eq!(export.status, 200);
    assert!(!csv.contains("secret"), "export: {csv}");
    assert!(
        csv.starts_with("id,participantId,sessionId,meetingId,displayName,pinned,isEdited,payloadType,payload,createdAt\r\n")
    );
    assert!(csv.contains("Alice,false,false,TEXT_MESSAGE,\"line one\nsays \"\"hi\"\", all\","), "{csv}");
    let path_of_json = format!("/client/v4/accounts/{DEV_ACCOUNT}/realtime/kit/{DEV_APP}/sessions/{session}/chat?format=JSON");
    let link =
        Call::new(address, "GET", &path_of_json).header("authorization", &format!("Bearer {DEV_TOKEN}")).send().await.json();
    let url = link["data"]["chat_download_url"].as_str().unwrap();
    let export = Call::new(address, "GET", url.split_once(&house.address).unwrap().1).send().await;
    assert_eq!(export.header("content-type"), Some("application/json"));
    let json = export.json();
    assert_eq!(json.as_array().unwrap().len(), 1, "export: {json}");
    let said = &json[0];
    assert_eq!((&said["payload"], &said["payloadType"]), (&json!("line one\nsays \"hi\", all"), &json!("TEXT_MESSAGE")));
    assert_eq!(
        (&said["displayName"], &said["pinned"], &said["sessionId"]),
        (&json!("Alice"), &json!(false), &json!(session.as_str()))
    );
    let as_csv = url.split_once(&house.address).unwrap().1.replace(".json?", ".csv?");
    assert_eq!(Call::new(address, "GET", &as_csv).send().await.status, 404, "a link is of one file");
    let forged = path.replace("expires=1", "expires=2");
    assert_eq!(Call::new(address, "GET", &forged).send().await.status, 404, "a link cannot be made to last");
}

#[tokio::test]
async fn each_permission_is_asked() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let bob = house.guest(&meeting, "Bob").await.join().await;
    let no_mail = "/permissions/chat/private/can_receive";
    let quiet = house.add_changed(&meeting, "Quiet", &[(no_mail, json!(false))]).await.join().await;
    let cases = [
        ("/permissions/chat/public/can_send", false, 0),
        ("/permissions/chat/public/text", false, 0),
        ("/permissions/chat/public/files", false, 2),
        ("/permissions/chat/private/can_send", true, 0),
        ("/permissions/chat/private/text", true, 0),
        ("/permissions/chat/private/files", true, 1),
        ("/permissions/hidden_participant", false, 0),
    ];
    for (path, private, payload_type) in cases {
        let payload =
            ["x", "https://example.org/x.png", r#"{"link":"https://example.org/x","name":"x","size":1}"#][payload_type as usize];
        let changes = [(path, json!(path.ends_with("hidden_participant")))];
        let mut alice = house.add_changed(&meeting, "Alice", &changes).await.join().await;
        let why = if private {
            let message = wire::SendChatMessageToPeersRequest { payload_type, ..to_peers(&[&bob.peer()], payload) };
            alice.refused(chat::SEND_MESSAGE_TO_PEERS, &message).await
        } else {
            let message = wire::SendChatMessageToRoomRequest { payload_type, payload: payload.to_owned() };
            alice.refused(chat::SEND_MESSAGE_TO_ROOM, &message).await
        };
        assert_eq!(why, "the preset does not allow this", "{path}");
    }
    let mut alice = house.host(&meeting, "Alice").await.join().await;
    let why = alice.refused(chat::SEND_MESSAGE_TO_PEERS, &to_peers(&[&quiet.peer()], "x")).await;
    assert_eq!(why, "the preset does not allow this");
    let mut stranger = house.guest(&meeting, "Stranger").await.connect().await;
    assert_eq!(stranger.refused(chat::SEND_MESSAGE_TO_ROOM, &to_room("x")).await, "join the meeting first");
    assert_eq!(stranger.refused(chat::GET_MESSAGES, NOTHING).await, "join the meeting first");
    let mut wanda = house.add(&meeting, "Wanda", "group_call_guest").await.connect().await;
    assert!(wanda.join().await.unwrap().waitlisted);
    assert_eq!(wanda.refused(chat::SEND_MESSAGE_TO_ROOM, &to_room("x")).await, "join the meeting first");
    assert!(history(&mut wanda).await.is_empty(), "who waits is told nothing");
    for (payload_type, payload, why) in [
        (9, "x", "no chat message is of this type"),
        (1, "javascript:alert(1)", "an image message is the http or https address of an image"),
        (2, "{\"link\":\"x\"}", "a file message is a JSON object with link (http or https), name and size"),
        (3, "x", "a custom message is a JSON object"),
    ] {
        let wrong = wire::SendChatMessageToRoomRequest { payload_type, payload: payload.to_owned() };
        assert_eq!(alice.refused(chat::SEND_MESSAGE_TO_ROOM, &wrong).await, format!("the message cannot be read: {why}"));
    }
    assert!(alice.refused(chat::SEND_MESSAGE_TO_ROOM, &to_room(&"x".repeat(2_001))).await.contains("too large"));
    assert_eq!(alice.heard(chat::SEND_MESSAGE_TO_ROOM).await, 0);
}

#[tokio::test]
async fn what_was_said_is_still_there_after_a_crash() {
    let data = Folder::new();
    let node = Node::start(&data);
    let meeting = node.meeting(60).await;
    let alice = node.guest(&meeting, "Alice").await;
    let mut client = alice.join().await;
    client.tell(chat::SEND_MESSAGE_TO_ROOM, &to_room("remember me")).await;
    client.hear::<wire::SendChatMessageToRoomResponse>(chat::SEND_MESSAGE_TO_ROOM).await;
    node.kill();
    drop(client);
    let node = Node::start(&data);
    let mut back = alice.at(&node.address).join().await;
    assert_eq!(history(&mut back).await, ["remember me"]);
}

#[tokio::test]
async fn a_meeting_may_keep_its_chat() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let keep = |found| Ok::<_, salon_store::Error>(salon_store::Meeting { persist_chat: true, ..found });
    house.doors.store.edit_meeting(&dev(), &meeting, keep).await.unwrap();
    let (ada, bob, eve) =
        (house.host(&meeting, "Ada").await, house.host(&meeting, "Bob").await, house.host(&meeting, "Eve").await);
    let (mut ada_first, bob_first) = (ada.join().await, bob.join().await);
    let first = house.live(&meeting).unwrap().session;
    let peers = [bob_first.peer(), ada_first.peer()];
    ada_first.tell(chat::SEND_MESSAGE_TO_ROOM, &to_room("to all")).await;
    ada_first.tell(chat::SEND_MESSAGE_TO_PEERS, &to_peers(&[&peers[0], &peers[1]], "psst")).await;
    ada_first.hear::<wire::SendChatMessageToPeersResponse>(chat::SEND_MESSAGE_TO_PEERS).await;
    ada_first.tell(salon_wire::event_id::room::KICK_ALL, NOTHING).await;
    house.counts(&meeting, None).await;

    // Also after a restart, when the old session is in the store only.
    let house = house.restart().await;
    let at = |person: &crate::house::Person| person.on_another_device().at(&house.address);
    let mut eve = at(&eve).join().await;
    let second = house.live(&meeting).unwrap().session;
    assert_ne!(first, second);
    assert_eq!(history(&mut eve).await, ["to all"]);
    assert!(search(&mut eve, "psst").await.is_empty());
    let mut bob = at(&bob).join().await;
    assert_eq!(history(&mut bob).await, ["to all", "psst"]);
    assert_eq!(page(&mut bob, Some(Filters::UserId(ada.participant.clone()))).await, ["psst"]);
    let mut ada = at(&ada).join().await;
    let kept: wire::GetChatMessagesResponse = ada.ask(chat::GET_MESSAGES, NOTHING).await.unwrap();
    let edit = wire::EditChatMessageRequest {
        chat_id: kept.messages[0].chat_id.clone(),
        payload_type: Some(0),
        payload: Some("to everybody".to_owned()),
        ..Default::default()
    };
    assert_eq!(bob.refused(chat::EDIT_MESSAGE, &edit).await, "the preset does not allow this");
    ada.ask::<wire::EditChatMessageResponse>(chat::EDIT_MESSAGE, &edit).await.unwrap();
    assert_eq!(eve.hear::<wire::EditChatMessageResponse>(chat::EDIT_MESSAGE).await.message.unwrap().payload, "to everybody");

    // Each session's own record says what its people read.
    let said = |record: salon_core::Record| -> Vec<_> {
        let messages = record.chat.messages().map(|it| (it.content.payload.clone(), it.said_in.clone()));
        messages.collect()
    };
    assert_eq!(said(house.record(&first).await), [("to all".to_owned(), None), ("psst".to_owned(), None)]);
    let kept = [("to everybody".to_owned(), Some(first.clone())), ("psst".to_owned(), Some(first))];
    assert_eq!(said(house.record(&second).await), kept);
}
