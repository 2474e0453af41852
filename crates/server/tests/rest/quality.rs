//! How good calls are and were: the live answer, and what is in the report of a peer after the call.

use std::time::Duration;

use salon_core::{SessionId, Timestamp};
use salon_quality::Sums;
use salon_sfu::{ConsumerQuality, Kind, LayerQuality, LineQuality, ProducerQuality, Role};
use serde_json::json;

use crate::support::contract::agrees;
use crate::support::{TestApp, Text};

/// Somebody who sends a camera and receives a voice over a line that loses 7 %.
fn lines() -> Vec<LineQuality> {
    let layer = LayerQuality {
        rid: Some("f".to_owned()),
        alive: true,
        bitrate: 900_000,
        packets: 1_000,
        bytes: 1_000_000,
        lost: 20,
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
        layers: vec![layer],
    };
    let voice = ConsumerQuality {
        producer: "voice".into(),
        mid: "c1".to_owned(),
        kind: Kind::Audio,
        screen_share: false,
        paused: false,
        flowing: true,
        rid: None,
        wanted: None,
        size: None,
        reason: "the only layer: the best that comes".to_owned(),
        bitrate: 32_000,
        packets: 500,
        bytes: 40_000,
        frames_per_second: 0.0,
        lost: Some(35),
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
    vec![line(Role::Send, vec![camera], vec![]), line(Role::Receive, vec![], vec![voice])]
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

#[tokio::test]
async fn what_was_seen_of_a_call_is_in_the_report_after_it_and_is_what_the_contract_says() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let (_, ada) = app.enter(&meeting, "ada").await;
    let session = app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"]["id"].text();
    let mut sums = Sums::default();
    for n in 0..3 {
        sums.add(Timestamp(1_750_000_000_000 + n * 5_000), &lines(), |_| None);
    }
    let store = &app.running.doors.store;
    let row = (SessionId::parse(&session).expect("an id"), ada.clone(), sums.to_json());
    store.keep_peer_quality(&[row], Timestamp(1)).await.expect("kept");
    app.leave(&meeting, &ada).await;
    app.call("POST", &format!("/meetings/{meeting}/active-session/kick-all")).send().await.expect(200);

    let said = app.get(&format!("/sessions/peer-report/{ada}?filters=quality_stats")).await;
    let report = agrees("GET", "/sessions/peer-report/{peer_id}", &said)["data"]["participant"]["peer_report"].clone();
    let quality = &report["quality"];
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
    assert_eq!(quality["video_producer"].as_array().map(Vec::len), Some(3));
    let sample = &quality["video_producer"][0];
    assert_eq!((&sample["timestamp"], &sample["rtt"]), (&json!("2025-06-15T15:06:40.000Z"), &json!(0.18)));
    assert_eq!((&sample["packets_sent"], &sample["packets_lost"]), (&json!(1020), &json!(20)));

    let other = app.get(&format!("/sessions/peer-report/{ada}?filters=device_info")).await.expect(200);
    assert_eq!(other["data"]["participant"]["peer_report"], json!({}), "what was not asked for, and what is not known");
}
