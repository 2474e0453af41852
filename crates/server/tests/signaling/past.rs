//! A session looked back on over REST: event by event, at a moment, and why one could not hear the other.

use std::time::Duration;

use salon_core::{PeerId, SessionId, Timestamp};
use salon_doors::rfc3339::rfc3339;
use salon_quality::{begin_of, bucket_at};
use salon_server::config::{DEV_ACCOUNT, DEV_APP, DEV_TOKEN};
use salon_sfu::{Because, ConsumerQuality, Goes, Kind, LayerQuality, LineQuality, ProducerQuality, Reason, Role, VoiceQuality};
use salon_wire::event_id::chat;
use salon_wire::signaling::socket::chat as wire;
use serde_json::{Value, json};

use crate::client::Client;
use crate::house::{House, Person};
use crate::http::{Call, Said};

pub async fn call(house: &House, method: &str, path: &str, body: Option<Value>) -> Said {
    let path = format!("/accounts/{DEV_ACCOUNT}/realtime/kit/{DEV_APP}{path}");
    let call = Call::new(house.address.parse().unwrap(), method, &path);
    let call = call.header("authorization", &format!("Bearer {DEV_TOKEN}"));
    body.iter().fold(call, |call, body| call.json(body)).send().await
}

pub async fn get(house: &House, path: &str) -> Value {
    call(house, "GET", path, None).await.expect(200)["data"].take()
}

fn kinds(timeline: &Value) -> Vec<&str> {
    timeline["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_session_is_read_event_by_event_and_as_it_stood_at_any_of_them() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.host(&meeting, "Alice").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let session = house.live(&meeting).unwrap().session;
    let microphone = alice.publish("audio").await.unwrap();
    alice.pause(&microphone, true).await;
    let hello = wire::SendChatMessageToRoomRequest { payload_type: 0, payload: "hello".to_owned() };
    alice.tell(chat::SEND_MESSAGE_TO_ROOM, &hello).await;
    let secret =
        wire::SendChatMessageToPeersRequest { peer_ids: vec![bob.peer()], payload_type: 0, payload: "a secret".to_owned() };
    alice.tell(chat::SEND_MESSAGE_TO_PEERS, &secret).await;
    bob.catch_up().await;
    alice.catch_up().await;
    let gone = bob.peer();
    bob.leave().await;
    house.counts(&meeting, Some(1)).await;

    let timeline = format!("/sessions/{session}/timeline");
    let all = get(&house, &timeline).await;
    assert_eq!(
        kinds(&all),
        [
            "session_started",
            "peer_joined",
            "peer_joined",
            "track_published",
            "track_paused",
            "chat_sent",
            "chat_sent",
            "peer_left"
        ]
    );
    assert_eq!((&all["complete"], &all["last_seq"], all.get("next")), (&json!(false), &json!(8), None));
    let paused = &all["events"][4];
    assert_eq!((&paused["peer_id"], &paused["by"]), (&json!(alice.peer()), &json!(alice.peer())));
    assert_eq!((&all["events"][7]["peer_id"], &all["events"][7]["reason"]), (&json!(gone), &json!("left")));
    assert!(!all.to_string().contains("hello") && !all.to_string().contains("secret"), "{all}");

    let said = get(&house, &format!("{timeline}?kinds=chat")).await;
    assert_eq!(kinds(&said), ["chat_sent", "chat_sent"]);
    assert_eq!((&said["events"][0]["text"], &said["events"][0]["length"]), (&json!("hello"), &json!(5)));
    assert_eq!(said["events"][1]["private"], true);
    assert!(!said.to_string().contains("secret") && !said["events"][1].to_string().contains(&alice.peer()), "{said}");

    let part = get(&house, &format!("{timeline}?after=2&limit=2")).await;
    assert_eq!((kinds(&part), &part["next"]), (vec!["peer_joined", "track_published"], &json!(4)));

    let then = get(&house, &format!("{timeline}?limit=1&at=5")).await["state"].take();
    assert_eq!((&then["seq"], &then["live_participants"]), (&json!(5), &json!(2)));
    let people = then["people"].as_array().unwrap();
    assert_eq!(people.len(), 2);
    assert_eq!(people[0]["microphone"], json!({ "state": "off", "by": "itself" }));
    assert_eq!((&people[1]["display_name"], people[1].get("microphone")), (&json!("Bob"), None));
    let before = get(&house, &format!("{timeline}?limit=1&at=2020-01-01")).await;
    assert_eq!(before.get("state"), None, "there was nothing yet");
    let now = get(&house, &format!("{timeline}?limit=1&at={}", rfc3339(house.doors.clock.now()))).await["state"].take();
    assert_eq!((&now["live_participants"], now["people"].as_array().unwrap().len()), (&json!(1), 1));

    for wrong in ["after=x", "kinds=secrets", "at=soon", "limit=-1"] {
        call(&house, "GET", &format!("{timeline}?{wrong}"), None).await.refused(400);
    }
}

/// A microphone in which somebody speaks, or with nothing of it coming.
fn microphone(track: &str, comes: bool) -> LineQuality {
    let layer = LayerQuality {
        rid: None,
        alive: true,
        bitrate: 32_000,
        packets: 250,
        bytes: 20_000,
        lost: 0,
        loss: 0.0,
        jitter: Duration::from_millis(3),
        frames: 0,
        frames_per_second: 0.0,
        size: None,
        refusal: None,
    };
    let microphone = ProducerQuality {
        producer: track.into(),
        kind: Kind::Audio,
        screen_share: false,
        paused: false,
        score: comes.then_some(4.4),
        key_frame_requests: 0,
        held_to: None,
        voice: comes.then_some(VoiceQuality { spoken: Duration::from_secs(3), level_dbov: -30 }),
        layers: if comes { vec![layer] } else { vec![] },
    };
    line(Role::Send, vec![microphone], vec![])
}

fn line(role: Role, producers: Vec<ProducerQuality>, consumers: Vec<ConsumerQuality>) -> LineQuality {
    LineQuality { transport: "t".into(), role, rtt: None, estimate: None, loss: None, producers, consumers }
}

fn heard(track: &str, loss: f32) -> LineQuality {
    let voice = ConsumerQuality {
        producer: track.into(),
        mid: "0".to_owned(),
        kind: Kind::Audio,
        screen_share: false,
        paused: false,
        flowing: true,
        first_sent_ago: None,
        rid: None,
        wanted: None,
        size: None,
        reason: Reason { because: Because::Best, goes: Goes::Out { layer: "the only layer".into() } },
        bitrate: 32_000,
        packets: 250,
        bytes: 20_000,
        frames_per_second: 0.0,
        lost: Some(0),
        loss: Some(loss),
        rtt: None,
        jitter: Some(Duration::from_millis(3)),
        freezes: 0,
        frozen: Duration::ZERO,
        key_frame_requests: 0,
        resent: 0,
        score: Some(4.3),
    };
    line(Role::Receive, vec![], vec![voice])
}

struct Pair {
    house: House,
    session: SessionId,
    began: Timestamp,
    speaker: Client,
    listener: Person,
    _listens: Client,
}

impl Pair {
    async fn open() -> Self {
        let house = House::open().await;
        let meeting = house.meeting().await;
        let speaker = house.host(&meeting, "Ben").await.join_with_media().await;
        let listener = house.guest(&meeting, "Ann").await;
        let listens = listener.join_with_media().await;
        let summary = house.live(&meeting).unwrap();
        Self { house, session: summary.session, began: summary.started_at, speaker, listener, _listens: listens }
    }

    fn now(&self) -> Timestamp {
        self.house.doors.clock.now()
    }

    /// The verdict on what is left of the bucket of that moment.
    async fn verdict(&self, from: Timestamp) -> (String, String) {
        let (listener, speaker) = (&self.listener.peer, self.speaker.peer());
        let to = begin_of(self.began, bucket_at(self.began, from) + 1);
        let (from, to) = (rfc3339(from), rfc3339(to));
        let query = format!("listener={listener}&speaker={speaker}&from={from}&to={to}");
        let told = get(&self.house, &format!("/sessions/{}/between?{query}", self.session)).await;
        assert_eq!(told["rungs"].as_array().unwrap().len(), 16);
        let text = |field: &str| told["verdict"][field].as_str().unwrap().to_owned();
        (text("rung"), text("text"))
    }

    async fn sees(&self, at: Timestamp, peer: &str, line: LineQuality) {
        let who = (self.session.clone(), PeerId::parse(peer).unwrap());
        let speaker = PeerId::parse(&self.speaker.peer()).ok();
        let quality = &self.house.doors.quality;
        quality.note(&self.house.doors.store, (who, self.began), at, &[line], |_| speaker.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn why_one_could_not_hear_the_other_is_told_rung_by_rung() {
    let mut pair = Pair::open().await;
    let listener = pair.listener.peer.clone();
    let speaker = pair.speaker.peer();
    let verdict = pair.verdict(pair.now()).await;
    assert_eq!(verdict, ("not_published".to_owned(), "Ben offered no sound.".to_owned()));
    let track = pair.speaker.publish("audio").await.unwrap();
    let from = pair.now();
    // Nothing of it ever comes: nobody here sends packets. The node sees that by itself, too.
    pair.sees(from, &speaker, microphone(&track, false)).await;
    assert_eq!(pair.verdict(from).await.0, "nothing_arrives");
    pair.sees(from, &speaker, microphone(&track, true)).await;
    pair.sees(from, &listener, line(Role::Receive, vec![], vec![])).await;
    let verdict = pair.verdict(from).await;
    assert_eq!(verdict, ("not_asked".to_owned(), "Ben's sound reached the server, and Ann's app did not ask for it.".to_owned()));
    pair.sees(from, &listener, heard(&track, 0.0)).await;
    assert_eq!(pair.verdict(from).await.0, "arrived");

    // Whoever shows Ann's token is believed about Ann, and about nobody else.
    let report = |peer: &str| {
        json!({ "peerId": peer, "payload": { "entries": [
        { "event": "audio_play_failed", "metaData": { "deviceType": "AUDIO" }, "timestamp": 1_000 },
        { "event": "ping_stat", "metaData": { "ip": "192.0.2.1" }, "timestamp": 1_000 },
    ] } })
    };
    let send = async |token: Option<&str>, body: &Value| {
        let call = Call::new(pair.house.address.parse().unwrap(), "POST", "/api/v1/message").json(body);
        let call = token.iter().fold(call, |call, token| call.header("authorization", &format!("Bearer {token}")));
        assert_eq!(call.send().await.status, 200, "clients send again for ever what is not taken");
    };
    send(None, &report(&listener)).await;
    send(Some("nonsense"), &report(&listener)).await;
    send(Some(&pair.listener.token), &report(&speaker)).await;
    send(Some(&pair.listener.token), &json!({ "peerId": 3 })).await;
    let said = async |peer: &str| {
        let peer = PeerId::parse(peer).unwrap();
        pair.house.doors.store.client_events(&pair.session, &peer).await.unwrap()
    };
    assert_eq!((said(&listener).await.len(), said(&speaker).await.len()), (0, 0));
    // Two a second are read, and those were two of hers: as clients do, until it is taken.
    while said(&listener).await.is_empty() {
        send(Some(&pair.listener.token), &report(&listener)).await;
    }
    assert_eq!(said(&listener).await.len(), 1, "the same thing again is the same thing, and figures are not kept");
    assert_eq!(pair.verdict(from).await.0, "play_blocked");

    pair.sees(from, &listener, heard(&track, 0.12)).await;
    let verdict = pair.verdict(from).await;
    let text = "Ben's sound reached the server complete. On Ann's line up to 12 % of packets were lost.";
    assert_eq!(verdict, ("damaged_downstream".to_owned(), text.to_owned()));

    let ids = json!({ "participant_ids": [pair.speaker.user()] });
    let meeting = pair.listener.meeting.clone();
    call(&pair.house, "POST", &format!("/meetings/{meeting}/active-session/mute"), Some(ids)).await.expect(200);
    let from = pair.now();
    let verdict = pair.verdict(from).await;
    let text = "Ben's microphone had been switched off by a call of the API.";
    assert_eq!(verdict, ("switched_off".to_owned(), text.to_owned()));
    // Whoever asks knows their own ids, and that it is the meeting that is live.
    let own = |name: &str| format!("customer-{name}");
    let (ann, ben) = (own(&pair.listener.name), own(&pair.speaker.person.name));
    let named = format!("listener_custom_participant_id={ann}&speaker_custom_participant_id={ben}");
    let another = pair.listener.on_another_device();
    let another = another.join().await;
    let path = format!("/meetings/{meeting}/active-session/between?{named}");
    let told = call(&pair.house, "GET", &path, None).await.expect(200)["data"].clone();
    assert_eq!((&told["listener"]["peer_id"], &told["speaker"]["peer_id"]), (&json!(listener), &json!(speaker)), "{told:#}");
    let pairs = told["pairs"].as_array().unwrap();
    assert_eq!((pairs.len(), &pairs[1]["listener_peer_id"]), (2, &json!(another.peer())));
    assert!(pairs[0]["together_ms"].as_i64() >= pairs[1]["together_ms"].as_i64());
    another.leave().await;
    for (wrong, status) in [
        (format!("listener={listener}"), 400),
        (format!("{named}&listener={listener}"), 400),
        (format!("listener_custom_participant_id={ben}&speaker_custom_participant_id={ben}"), 400),
        (format!("listener_custom_participant_id={ann}&speaker_custom_participant_id=nobody"), 404),
    ] {
        let path = format!("/sessions/{}/between?{wrong}", pair.session);
        call(&pair.house, "GET", &path, None).await.refused(status);
    }
    pair.speaker.leave().await;
    let wrong = format!("/sessions/{}/between?listener={listener}&speaker={listener}", pair.session);
    call(&pair.house, "GET", &wrong, None).await.refused(400);
    let nobody = format!("/sessions/{}/between?listener={listener}&speaker=nobody", pair.session);
    call(&pair.house, "GET", &nobody, None).await.refused(404);
}
