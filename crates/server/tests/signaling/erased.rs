//! A person is taken out of all that is kept, and nobody else is.

use salon_core::MeetingId;
use salon_server::start::retention::{self, Days};
use salon_wire::event_id::chat;
use salon_wire::signaling::socket::chat as wire;
use serde_json::{Value, json};

use crate::client::Client;
use crate::house::House;
use crate::http::Call;
use crate::past::{call, get};

async fn says(client: &mut Client, text: &str) {
    let message = wire::SendChatMessageToRoomRequest { payload_type: 0, payload: text.to_owned() };
    client.tell(chat::SEND_MESSAGE_TO_ROOM, &message).await;
    client.catch_up().await;
}

/// Ann and Bob talk until the session ends; its id.
async fn session(house: &House, meeting: &MeetingId, texts: [&str; 2]) -> String {
    let mut ann = house.host(meeting, "Ann").await.join_with_media().await;
    let mut bob = house.guest(meeting, "Bob").await.join_with_media().await;
    says(&mut ann, texts[0]).await;
    says(&mut bob, texts[1]).await;
    let session = house.live(meeting).unwrap().session;
    call(house, "POST", &format!("/meetings/{meeting}/active-session/kick-all"), Some(json!({}))).await.expect(200);
    house.counts(meeting, None).await;
    session.to_string()
}

/// Whatever can be read of a session, as text.
async fn all_of(house: &House, meeting: &MeetingId, session: &str) -> String {
    let mut all = String::new();
    for path in [
        format!("/sessions/{session}"),
        format!("/sessions/{session}/timeline?kinds=chat"),
        format!("/sessions/{session}/timeline?at=100000"),
        format!("/sessions/{session}/participants"),
        format!("/sessions/{session}/participants?include_peer_events=true"),
        format!("/meetings/{meeting}/participants"),
        "/peers?custom_participant_id=customer-Ann".to_owned(),
        "/peers?custom_participant_id=customer-Bob".to_owned(),
        "/events?limit=1000".to_owned(),
    ] {
        let said = call(house, "GET", &path, None).await;
        all += &String::from_utf8_lossy(&said.body);
    }
    let chat = get(house, &format!("/sessions/{session}/chat")).await;
    let csv = chat["chat_download_url"].as_str().map(str::to_owned);
    if let Some(csv) = csv {
        let path = csv.split_once("/downloads").map(|(_, rest)| format!("/downloads{rest}")).expect("a link");
        let said = Call::new(house.address.parse().unwrap(), "GET", &path).send().await;
        all += &String::from_utf8_lossy(&said.body);
    }
    all
}

fn figures(session: &Value) -> Value {
    json!([session["minutes_consumed"], session["total_participants"], session["max_concurrent_participants"], session["status"]])
}

#[tokio::test]
async fn who_is_erased_is_in_nothing_that_can_be_read_and_all_others_are() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    get(&house, "/events").await;
    let session = session(&house, &meeting, ["ann-said-this", "bob-said-that"]).await;
    let figures_before = figures(&get(&house, &format!("/sessions/{session}")).await);
    let before = all_of(&house, &meeting, &session).await;
    for text in ["Ann", "Bob", "customer-Ann", "customer-Bob", "ann-said-this", "bob-said-that"] {
        assert!(before.contains(text), "{text}: {before}");
    }
    let ann = json!({ "custom_participant_id": "customer-Ann" });
    let receipt = call(&house, "POST", "/erasures", Some(ann.clone())).await.expect(200)["data"].take();
    let told = |name: &str| receipt[name].as_u64().unwrap();
    assert_eq!([told("participants"), told("sessions"), told("messages"), told("files")], [1, 1, 1, 0], "{receipt}");

    let after = all_of(&house, &meeting, &session).await;
    for text in ["Ann", "ann-said-this"] {
        assert!(!after.contains(text), "{text}: {after}");
    }
    for text in ["Bob", "customer-Bob", "bob-said-that", "erased"] {
        assert!(after.contains(text), "{text}: {after}");
    }
    assert_eq!(figures(&get(&house, &format!("/sessions/{session}")).await), figures_before);
    let log = call(&house, "GET", "/meetings", None).await;
    assert_eq!(log.status, 200);
    call(&house, "POST", "/erasures", Some(ann)).await.refused(404);

    // What is kept is read again by the next run, as it is now.
    let house = house.restart().await;
    assert_eq!(figures(&get(&house, &format!("/sessions/{session}")).await), figures_before);
    assert!(!all_of(&house, &meeting, &session).await.contains("Ann"));
}

#[tokio::test]
async fn chat_that_is_kept_from_session_to_session_goes_as_well_and_a_live_one_comes_first() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    call(&house, "PATCH", &format!("/meetings/{meeting}"), Some(json!({ "persist_chat": true }))).await.expect(200);
    let first = session(&house, &meeting, ["ann-said-this", "bob-said-that"]).await;
    // Ann is not in this one: it begins with what she said.
    let bob = house.host(&meeting, "Bob").await.join_with_media().await;
    let second = house.live(&meeting).unwrap().session.to_string();
    // Nor is she a participant any more.
    let participants = get(&house, &format!("/meetings/{meeting}/participants")).await;
    let gone =
        participants.as_array().unwrap().iter().find(|one| one["name"] == "Ann").unwrap()["id"].as_str().unwrap().to_owned();
    call(&house, "DELETE", &format!("/meetings/{meeting}/participants/{gone}"), None).await.expect(200);
    let ann = json!({ "custom_participant_id": "customer-Ann" });
    let refused = call(&house, "POST", "/erasures", Some(ann.clone())).await.refused(409);
    assert!(refused.contains(meeting.as_str()) && !refused.contains("Ann"), "{refused}");
    bob.leave().await;
    call(&house, "POST", &format!("/meetings/{meeting}/active-session/kick-all"), Some(json!({}))).await;
    house.counts(&meeting, None).await;
    let receipt = call(&house, "POST", "/erasures", Some(ann)).await.expect(200)["data"].take();
    assert_eq!(
        (&receipt["sessions"], &receipt["messages"], &receipt["participants"]),
        (&json!(2), &json!(2), &json!(0)),
        "{receipt}"
    );
    for session in [first, second] {
        let all = all_of(&house, &meeting, &session).await;
        assert!(!all.contains("ann-said-this") && all.contains("bob-said-that"), "{all}");
    }
}

#[tokio::test]
async fn what_was_said_may_go_before_who_was_there() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let session = session(&house, &meeting, ["ann-said-this", "bob-said-that"]).await;
    let figures_before = figures(&get(&house, &format!("/sessions/{session}")).await);
    let sweep = async |days| {
        let now = house.doors.clock.now().plus_ms(2 * 86_400_000);
        retention::once(&house.doors.store, Days { chat: days, ..Days::default() }, now).await.expect("a store")
    };
    assert_eq!(sweep(3).await, 0);
    assert!(all_of(&house, &meeting, &session).await.contains("ann-said-this"), "not a day early");
    assert_eq!((sweep(1).await, sweep(1).await), (0, 0));
    let all = all_of(&house, &meeting, &session).await;
    for text in ["ann-said-this", "bob-said-that"] {
        assert!(!all.contains(text), "{text}: {all}");
    }
    assert!(all.contains("Ann") && all.contains("customer-Bob"), "{all}");
    assert_eq!(figures(&get(&house, &format!("/sessions/{session}")).await), figures_before);
    let log = Call::new(house.address.parse().unwrap(), "GET", "/accounts/dev/audit-log?action=retention%20of%20chat");
    let log = log.header("authorization", "Bearer dev-token").send().await.expect(200)["data"].take();
    assert_eq!(log.as_array().map(Vec::len), Some(1), "once: {log}");
}

#[tokio::test]
async fn one_participant_of_several_is_erased_and_who_asks_wrongly_hears_why() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    session(&house, &meeting, ["ann-said-this", "bob-said-that"]).await;
    let participants = get(&house, &format!("/meetings/{meeting}/participants")).await;
    let bob = participants.as_array().unwrap().iter().find(|one| one["name"] == "Bob").unwrap()["id"].clone();
    for wrong in [json!({}), json!({ "participant_id": bob, "custom_participant_id": "x" }), json!({ "participant_id": "no id" })]
    {
        call(&house, "POST", "/erasures", Some(wrong)).await.refused(400);
    }
    let nobody = json!({ "participant_id": "01a2298f-2281-72bd-b627-9b749049f99e" });
    call(&house, "POST", "/erasures", Some(nobody)).await.refused(404);
    call(&house, "POST", "/erasures", Some(json!({ "participant_id": bob }))).await.expect(200);
    let all = get(&house, &format!("/meetings/{meeting}/participants")).await.to_string();
    assert!(!all.contains("Bob") && all.contains("Ann"), "{all}");
}
