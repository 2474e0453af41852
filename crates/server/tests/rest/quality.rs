//! How good calls are and were: the live answer, and what is in the report of a peer after the call.

use std::time::Duration;

use salon_core::{PeerId, SessionId, Timestamp};
use salon_quality::{Quality, Word};
use salon_sfu::{Because, ConsumerQuality, Goes, Kind, LayerQuality, LineQuality, ProducerQuality, Reason, Role, VoiceQuality};
use serde_json::json;

use crate::support::contract::agrees;
use crate::support::{TestApp, Text};

/// Somebody who sends a camera and speaks half of the time, and receives a voice over a line that loses 7 %, after so many
/// looks.
fn lines(looks: u64) -> Vec<LineQuality> {
    let layer = LayerQuality {
        rid: Some("f".to_owned()),
        alive: true,
        bitrate: 900_000,
        packets: 1_000 * looks,
        bytes: 1_000_000 * looks,
        lost: 20 * looks,
        loss: 0.02,
        jitter: Duration::from_millis(4),
        frames: 300,
        frames_per_second: 30.0,
        size: Some((1280, 720)),
        refusal: None,
    };
    let camera = ProducerQuality {
        producer: "camera".into(),
        kind: Kind::Video,
        screen_share: false,
        paused: false,
        score: Some(4.5),
        key_frame_requests: 2,
        held_to: None,
        voice: None,
        layers: vec![layer.clone()],
    };
    let microphone = ProducerQuality {
        producer: "microphone".into(),
        kind: Kind::Audio,
        voice: Some(VoiceQuality { spoken: Duration::from_millis(2_500 * looks), level_dbov: -31 }),
        layers: vec![LayerQuality { rid: None, size: None, ..layer }],
        ..camera.clone()
    };
    let voice = ConsumerQuality {
        producer: "voice".into(),
        mid: "c1".to_owned(),
        kind: Kind::Audio,
        screen_share: false,
        paused: false,
        flowing: true,
        first_sent_ago: Some(Duration::from_millis(4_600 + 5_000 * (looks - 1))),
        rid: None,
        wanted: None,
        size: None,
        reason: Reason { because: Because::Best, goes: Goes::Out { layer: "the only layer".into() } },
        bitrate: 32_000,
        packets: 500 * looks,
        bytes: 40_000 * looks,
        frames_per_second: 0.0,
        lost: Some(35 * looks),
        loss: Some(0.07),
        rtt: Some(Duration::from_millis(180)),
        jitter: Some(Duration::from_millis(9)),
        freezes: 0,
        frozen: Duration::ZERO,
        key_frame_requests: 0,
        resent: 0,
        score: Some(3.7),
    };
    let line = |role, producers, consumers| LineQuality {
        transport: "t".into(),
        role,
        rtt: Some(Duration::from_millis(180)),
        estimate: None,
        loss: None,
        producers,
        consumers,
    };
    vec![line(Role::Send, vec![camera, microphone], vec![]), line(Role::Receive, vec![], vec![voice])]
}

#[tokio::test]
async fn it_is_told_of_everyone_who_is_in() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let quality = format!("/meetings/{meeting}/active-session/quality");
    let none = app.get(&quality).await.refused(404);
    assert_eq!(none, format!("No active session found for meeting_id {meeting}"));
    let (ada, peer) = app.enter(&meeting, "ada").await;
    let second = app.join(&ada).await;
    app.enter(&meeting, "bob").await;
    let told = app.get(&quality).await.expect(200)["data"].clone();
    assert_eq!(told["session_id"], app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"]["id"]);
    let names: Vec<_> = told["participants"].as_array().expect("a list").iter().map(|p| p["display_name"].text()).collect();
    assert_eq!(names, ["ada", "bob"]);
    let nothing = |id: &str| json!({ "id": id, "publishing": [], "receiving": [] });
    assert_eq!(told["participants"][0]["peers"], json!([nothing(peer.as_str()), nothing(second.as_str())]));
    assert_eq!(told["participants"][0]["custom_participant_id"], "ada");

    app.call("POST", &format!("/meetings/{meeting}/active-session/kick-all")).send().await.expect(200);
    app.get(&quality).await.refused(404);
    app.get("/meetings/2ba45d52-33e1-4e84-a5b5-0d4e2e1a0d4f/active-session/quality").await.refused(404);
}

/// What a call of that session looks like at each of so many looks, five seconds apart, from its beginning on.
async fn watched(app: &TestApp, session: &str, peer: &PeerId, looks: u64) -> Timestamp {
    let session = SessionId::parse(session).expect("an id");
    let store = &app.running.doors.store;
    let quality = &app.running.doors.quality;
    let record = store.record(&session).await.expect("it answers").expect("a record");
    let began = record.started.started_at;
    for look in 1..=looks {
        let at = began.plus_ms(look as i64 * 5_000 - 1);
        let who = (session.clone(), peer.clone());
        quality.note(store, (who, began), at, &lines(look), |_| PeerId::parse("ben").ok()).await.expect("noted");
    }
    began
}

async fn ada_in_a_session(app: &TestApp) -> (String, PeerId, String) {
    let meeting = app.meeting("Planning").await;
    let (_, ada) = app.enter(&meeting, "ada").await;
    let session = app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"]["id"].text();
    (meeting, ada, session)
}

#[tokio::test]
async fn what_was_seen_of_a_call_is_in_the_report_after_it_and_is_what_the_contract_says() {
    let app = TestApp::dev().await;
    let (meeting, ada, session) = ada_in_a_session(&app).await;
    let began = watched(&app, &session, &ada, 9).await;
    app.leave(&meeting, &ada).await;
    app.call("POST", &format!("/meetings/{meeting}/active-session/kick-all")).send().await.expect(200);

    let said = app.get(&format!("/sessions/peer-report/{ada}?filters=quality_stats")).await;
    let participant = agrees("GET", "/sessions/peer-report/{peer_id}", &said)["data"]["participant"].clone();
    assert_eq!(participant["role"], "group_call_participant");
    let quality = &participant["peer_report"]["quality"];
    assert_eq!(
        quality["audio_consumer_cumulative"],
        json!({
            "packet_loss": {
                "avg": 7.0, "5_or_greater_event_fraction": 1.0, "10_or_greater_event_fraction": 0.0,
                "25_or_greater_event_fraction": 0.0, "50_or_greater_event_fraction": 0.0
            },
            "quality_mos": { "avg": 3.7, "p50": 3.7, "p75": 3.7, "p90": 3.7 },
        })
    );
    let producer = &quality["video_producer_cumulative"];
    assert_eq!(producer["rtt"]["avg"], 180.0);
    assert_eq!((&producer["frame_width"]["p50"], &producer["frame_per_second"]["avg"]), (&json!(1280.0), &json!(30.0)));
    let samples = quality["video_producer"].as_array().expect("a list");
    assert_eq!(samples.len(), 3, "one each quarter of a minute");
    assert_eq!(samples[1]["timestamp"], rfc3339(began.plus_ms(15_000)));
    assert_eq!((&samples[1]["rtt"], &samples[1]["bytes_sent"]), (&json!(0.18), &json!(6_000_000)));
    assert_eq!((&samples[2]["packets_sent"], &samples[2]["packets_lost"]), (&json!(9_180), &json!(180)));
    assert_eq!(quality["audio_consumer"][0]["peer_id"], "ben");

    let other = app.get(&format!("/sessions/peer-report/{ada}?filters=device_info")).await.expect(200);
    assert_eq!(other["data"]["participant"]["peer_report"], json!({}), "what was not asked for, and what is not known");
    let events = app.get(&format!("/sessions/peer-report/{ada}?include_peer_events=true")).await;
    let events = agrees("GET", "/sessions/peer-report/{peer_id}", &events)["data"]["participant"]["peer_events"].clone();
    assert_eq!(events[0]["preset_view_type"], "GROUP_CALL");
    let whole = app.get(&format!("/sessions/peer-report/{ada}")).await;
    let whole = agrees("GET", "/sessions/peer-report/{peer_id}", &whole)["data"]["participant"]["peer_report"].clone();
    assert_eq!(whole["metadata"], json!({ "room_view_type": "GROUP_CALL" }));
}

#[tokio::test]
async fn a_call_is_told_step_by_step_while_it_lasts_and_after_it() {
    let app = TestApp::dev().await;
    let (meeting, ada, session) = ada_in_a_session(&app).await;
    // Longer than a block, so that one is full.
    let began = watched(&app, &session, &ada, 63).await;
    let at = |seconds: i64| rfc3339(began.plus_ms(seconds * 1_000));
    let span = |from, to, step| format!("/sessions/{session}/peers/{ada}/quality?from={}&to={}&step={step}", at(from), at(to));
    // It happened sooner than it says, so it has not ended yet by the clock.
    app.call("POST", &format!("/meetings/{meeting}/active-session/kick-all")).send().await.expect(200);
    let told = app.get(&span(0, 0, 15)).await.expect(200)["data"].clone();
    assert_eq!((&told["from"], &told["to"], &told["steps"]), (&json!(at(0)), &json!(at(15)), &json!(1)));
    let quality = &app.running.doors.quality;
    let store = &app.running.doors.store;
    let blocks = async |quality: &Quality| {
        let session = SessionId::parse(&session).expect("an id");
        quality.blocks(store, &session, &ada, (0, 100)).await.expect("read")
    };
    let known = blocks(quality).await;
    assert_eq!(known.len(), 2, "a full block and a running one");
    assert_eq!(blocks(&Quality::default()).await.len(), 0, "nothing is saved yet");
    quality.save(store, began.plus_ms(320_000), true).await.expect("saved");
    assert_eq!(blocks(&Quality::default()).await, known, "what is stored is what was seen");

    let first = &told["receiving"][0];
    assert_eq!(
        (&first["from_peer_id"], &first["kind"], &first["word"]),
        (&json!("ben"), &json!("audio"), &json!(["small_gaps"]))
    );
    assert_eq!((&first["packet_loss"], &first["because"]), (&json!([0.07]), &json!(["best"])));
    assert_eq!((&first["packets"], &first["packets_lost"]), (&json!([1_500]), &json!([105])));
    assert_eq!(first["first_sent_at"], rfc3339(began.plus_ms(399)));
    assert_eq!(told["first_sound_after_ms"].as_i64().map(|ms| ms <= 399), Some(true));
    let publishing = told["publishing"].as_array().expect("a list");
    let microphone = publishing.iter().find(|track| track["track_id"] == "microphone").expect("a track");
    assert_eq!((&microphone["voice"], &microphone["level_dbov"]), (&json!([0.5]), &json!([-31])));
    let camera = publishing.iter().find(|track| track["track_id"] == "camera").expect("a track");
    assert_eq!(
        (&camera["height"], &camera["bitrate"], &camera["word"]),
        (&json!([720]), &json!([1_600_000]), &json!(["smooth"]))
    );
    assert_eq!(camera.get("voice"), None, "what is not known is left out");
    assert_eq!(told["line"], json!({ "rtt_ms": [180] }));
}

#[tokio::test]
async fn times_and_steps_of_a_call_are_checked() {
    let app = TestApp::dev().await;
    let (_, ada, session) = ada_in_a_session(&app).await;
    let quality = format!("/sessions/{session}/peers/{ada}/quality");
    for wrong in ["step=14", "from=yesterday", "to="] {
        app.get(&format!("{quality}?{wrong}")).await.refused(400);
    }
    app.get(&format!("/sessions/{session}/peers/nobody/quality")).await.refused(404);
    app.get(&format!("/sessions/2ba45d52-33e1-4e84-a5b5-0d4e2e1a0d4f/peers/{ada}/quality")).await.refused(404);
    let nothing = app.get(&format!("{quality}?to=2020-01-01")).await.expect(200)["data"].clone();
    assert_eq!((&nothing["steps"], &nothing["receiving"]), (&json!(0), &json!([])));
}

/// As the wire has times.
fn rfc3339(at: Timestamp) -> String {
    salon_doors::rfc3339::rfc3339(at)
}

#[tokio::test]
async fn how_calls_are_now_is_told_in_words() {
    let app = TestApp::dev().await;
    let (meeting, ada, session) = ada_in_a_session(&app).await;
    let path = format!("/meetings/{meeting}/active-session/people");
    assert_eq!(app.get(&path).await.expect(200)["data"]["quality"], json!([]), "nothing is said before it is known");
    let began = watched(&app, &session, &ada, 3).await;
    let session = SessionId::parse(&session).expect("an id");
    let at = |ms: i64| {
        let standings = app.running.doors.quality.standings((&session, began), began.plus_ms(ms), [&ada].into_iter());
        let told: Vec<_> = standings.iter().map(|(peer, it)| salon_doors::people::quality(peer, it)).collect();
        serde_json::to_value(told).expect("plain data")
    };
    assert_eq!(at(14_000), json!([]), "the first quarter of a minute is not over");
    // The worst of the session leads where sessions are listed.
    let of_all = |ms: i64| app.running.doors.quality.worst(&[(session.clone(), began)].into(), began.plus_ms(ms));
    assert!(of_all(14_000).is_empty());
    let worst = of_all(16_000)[&session];
    assert_eq!((worst.sound.map(Word::name), worst.picture.map(Word::name)), (Some("small_gaps"), Some("smooth")));
    assert_eq!(worst.people, 0);
    let told = at(16_000)[0].clone();
    assert_eq!(told["peer_id"], ada.as_str());
    assert_eq!(told["sound_in"], json!({"word": "small_gaps", "score": 3.7}), "{told:#}");
    assert_eq!(told["sound_out"], json!({"word": "clear", "score": 4.5}));
    assert_eq!((&told["picture_out"]["word"], told.get("picture_in")), (&json!("smooth"), None));
}
