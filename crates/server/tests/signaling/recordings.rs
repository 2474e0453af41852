//! Recordings as people in the meeting see them, and the robot that makes them.

use std::path::Path;
use std::time::{Duration, Instant};

use salon_core::MeetingId;
use salon_server::config::Config;
use salon_wire::event_id::room;
use salon_wire::signaling::common::RecordingType;
use salon_wire::signaling::socket::livestreaming::LiveStreamingEvent;
use salon_wire::signaling::socket::recording::RecordingEvent;
use salon_wire::signaling::socket::room as wire;
use serde_json::{Value, json};

use crate::client::{Client, NOTHING};
use crate::house::{House, Person, fresh};
use crate::http::{Call, Said};

/// Has recordings made in this way; see `recorder.sh`.
fn recorder(config: &mut Config, way: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/recorder.sh");
    config.recording.program = vec!["/bin/bash".into(), script.into(), way.into()];
}

async fn ask(house: &House, method: &str, path: &str, who: &Person, body: Value) -> Said {
    let call = Call::new(house.address.parse().unwrap(), method, &format!("/v2/recordings{path}"));
    call.header("authorization", &format!("Bearer {}", who.token)).json(&body).send().await
}

async fn start(house: &House, meeting: &MeetingId, who: &Person) -> String {
    let said = ask(house, "POST", "/track", who, json!({"meeting_id": meeting.as_str()})).await.expect(200);
    said["data"]["recording"]["id"].as_str().unwrap().to_owned()
}

async fn put(house: &House, id: &str, who: &Person, action: &str) {
    ask(house, "PUT", &format!("/{id}"), who, json!({"action": action})).await.expect(200);
}

/// What somebody who comes now finds, as ids with their states.
async fn found(client: &mut Client) -> Vec<(String, String)> {
    let info: wire::RoomInfoResponse = client.ask(room::GET_ROOM_INFO, NOTHING).await.unwrap();
    let active = info.room.unwrap().active_recordings.into_iter();
    active.map(|one| (one.recording_id, one.recording_status)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_and_whoever_comes_later_finds_it() {
    let house = House::with(|config| recorder(config, "good")).await;
    let meeting = house.meeting().await;
    let (hana, bob) = (house.host(&meeting, "Hana").await, house.guest(&meeting, "Bob").await);
    let (mut host, mut guest) = (hana.join().await, bob.join().await);
    let id = start(&house, &meeting, &hana).await;
    let is = |status: &str| vec![(id.clone(), status.to_owned())];
    for client in [&mut host, &mut guest] {
        let told: RecordingEvent = client.hear(room::RECORDING_STARTED).await;
        assert_eq!((&told.recording_id, told.err_message.as_str()), (&id, ""));
        assert_eq!(told.recording_type(), RecordingType::Track);
    }
    let mut late = house.guest(&meeting, "Late").await.join().await;
    assert_eq!(found(&mut late).await, is("RECORDING"));
    put(&house, &id, &hana, "pause").await;
    let told: RecordingEvent = late.hear(room::RECORDING_PAUSED).await;
    assert_eq!(told.recording_id, id);
    assert_eq!(found(&mut guest).await, is("PAUSED"));
    put(&house, &id, &hana, "resume").await;
    let told: RecordingEvent = late.hear(room::RECORDING_STARTED).await;
    assert_eq!(told.recording_id, id);
    put(&house, &id, &hana, "stop").await;
    for client in [&mut host, &mut guest, &mut late] {
        let told: RecordingEvent = client.hear(room::RECORDING_STOPPED).await;
        assert_eq!((&told.recording_id, told.err_message.as_str()), (&id, ""));
    }
    assert_eq!(found(&mut guest).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_is_told_as_stopped_with_the_reason() {
    let house = House::with(|config| recorder(config, "fails")).await;
    let meeting = house.meeting().await;
    let hana = house.host(&meeting, "Hana").await;
    let mut host = hana.join().await;
    let id = start(&house, &meeting, &hana).await;
    let told: RecordingEvent = host.hear(room::RECORDING_STOPPED).await;
    assert_eq!((told.recording_id, told.err_message.as_str()), (id, "no such meeting"));
    assert_eq!(host.heard(room::RECORDING_STARTED).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_robot_comes_in_counts_as_nobody_and_has_no_way_back() {
    let house = House::with(|config| recorder(config, "good")).await;
    let meeting = house.meeting().await;
    let hana = house.host(&meeting, "Hana").await;
    let mut host = hana.join().await;
    let id = start(&house, &meeting, &hana).await;
    let _: RecordingEvent = host.hear(room::RECORDING_STARTED).await;
    let job = std::fs::read_to_string(house.data.join("recordings").join(&id).join("1/job.json")).unwrap();
    let job: Value = serde_json::from_str(&job).unwrap();
    let robot = Person {
        participant: id.clone(),
        name: "Recorder".to_owned(),
        token: job["token"].as_str().unwrap().to_owned(),
        peer: fresh(),
        ..hana.clone()
    };
    let mut inside = robot.join().await;
    let told: wire::PeerInfoResponse = host.hear(room::JOIN_ROOM).await;
    let flags = told.peer.unwrap().flags.unwrap();
    assert_eq!((flags.recorder_type.as_str(), flags.hidden_participant), ("RECORDER", true));
    house.counts(&meeting, Some(1)).await;
    inside.kick(&host.peer()).await;
    house.counts(&meeting, Some(1)).await;
    put(&house, &id, &hana, "stop").await;
    let _: RecordingEvent = host.hear(room::RECORDING_STOPPED).await;
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        // It is refused once its recording is over.
        match Client::connect(&Person { peer: fresh(), ..robot.clone() }).await {
            Err(status) => break assert_eq!(status, 401),
            Ok(_) => assert!(Instant::now() < until, "its token is good for ever"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_cannot_be_recorded_from_its_start_lets_people_in() {
    let house = House::with(|config| {
        recorder(config, "good");
        config.recording.ffmpeg = "no-such-program".to_owned();
    })
    .await;
    let meeting = house.meeting().await;
    let record = |meeting| Ok::<_, salon_store::Error>(salon_store::Meeting { record_on_start: true, ..meeting });
    house.doors.store.edit_meeting(&crate::house::dev(), &meeting, record).await.unwrap();
    let mut client = house.guest(&meeting, "Ada").await.join().await;
    house.counts(&meeting, Some(1)).await;
    assert_eq!(found(&mut client).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_recorded_from_its_start_once() {
    let house = House::with(|config| {
        recorder(config, "good");
        config.recording.ffmpeg = "/bin/sh".to_owned();
    })
    .await;
    let meeting = house.meeting().await;
    // That what it is to be streamed to is no address keeps nobody from recording it.
    let config = || Some(serde_json::json!({"live_streaming_config": {"rtmp_url": "http://example.org/s3cret"}}));
    let record = |meeting| {
        Ok::<_, salon_store::Error>(salon_store::Meeting { record_on_start: true, recording_config: config(), ..meeting })
    };
    house.doors.store.edit_meeting(&crate::house::dev(), &meeting, record).await.unwrap();
    let hana = house.host(&meeting, "Hana").await;
    let mut host = hana.join().await;
    let told: RecordingEvent = host.hear(room::RECORDING_STARTED).await;
    assert_eq!(told.recording_type(), RecordingType::Composite);
    let found_id = found(&mut host).await.remove(0).0;
    let stored = house.doors.store.recording(&salon_core::RecordingId::parse(&found_id).unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.started_by, salon_core::event::RecordedBy::Meeting);
    let why = "not streamed to its RTMP address: must be an address such as rtmp://HOST/APP/KEY or rtmps://HOST/APP/KEY";
    assert_eq!(stored.error.as_deref(), Some(why));
    put(&house, &told.recording_id, &hana, "stop").await;
    let _: RecordingEvent = host.hear(room::RECORDING_STOPPED).await;
    let _second = house.guest(&meeting, "Bob").await.join().await;
    assert_eq!(host.heard(room::RECORDING_STARTED).await, 0, "who stopped it does not want it back");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_of_a_livestream_that_a_meeting_begins_with() {
    let house = House::with(|config| {
        recorder(config, "streams");
        // Something that is there.
        config.recording.ffmpeg = "/bin/sh".to_owned();
    })
    .await;
    let meeting = house.meeting().await;
    let stream = |meeting| Ok::<_, salon_store::Error>(salon_store::Meeting { live_stream_on_start: true, ..meeting });
    house.doors.store.edit_meeting(&crate::house::dev(), &meeting, stream).await.unwrap();
    let (hana, bob) = (house.host(&meeting, "Hana").await, house.guest(&meeting, "Bob").await);
    let mut host = hana.join().await;
    let told: LiveStreamingEvent = host.hear(room::STARTED_LIVESTREAM).await;
    assert!(told.playback_url.contains("/live/") && told.playback_url.ends_with("/index.m3u8"), "{told:?}");
    let mut late = bob.join().await;
    assert_eq!(found(&mut late).await, [], "a livestream is no recording");
    let stop = async || {
        let path = format!("/v2/meetings/{}/active-livestream/stop", meeting.as_str());
        let call = Call::new(house.address.parse().unwrap(), "POST", &path);
        call.header("authorization", &format!("Bearer {}", hana.token)).send().await.expect(200);
    };
    stop().await;
    for client in [&mut host, &mut late] {
        let over: LiveStreamingEvent = client.hear(room::STOPPED_LIVESTREAM).await;
        assert_eq!((over.livestream_id.as_str(), over.err_message.as_str()), (told.livestream_id.as_str(), ""));
    }
    // Whoever stops it once more waits for the same word.
    stop().await;
    let over: LiveStreamingEvent = host.hear(room::STOPPED_LIVESTREAM).await;
    assert_eq!(over.livestream_id, "");
}
