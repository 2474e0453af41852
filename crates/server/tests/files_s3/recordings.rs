//! Recordings whose storage is away, refuses or is full: what is told of them meanwhile, and that none is lost.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use salon_core::RecordingId;
use salon_server::config::{Config, Mode};
use salon_server::start::start;
use serde_json::{Value, json};

use crate::Bucket;
use crate::disk::Disk;
use crate::support::{TestApp, Text};

/// Has recordings made by a recorder that says and leaves what a real one would.
fn recorder(config: &mut Config) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/recorder.sh");
    config.recording.program = vec!["/bin/bash".into(), script.into(), "good".into()];
}

async fn node(bucket: &Bucket, secret: &str) -> TestApp {
    TestApp::with(|config| {
        recorder(config);
        bucket.serves(config, secret);
    })
    .await
}

/// The recording, once it is as it should be.
async fn until(app: &TestApp, id: &str, done: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_secs(40);
    loop {
        let found = app.get(&format!("/recordings/{id}")).await.expect(200)["data"].clone();
        if done(&found) {
            return found;
        }
        assert!(Instant::now() < until, "it stays as it is: {found:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is(found: &Value, status: &str, error: Option<&str>) -> bool {
    found["status"] == status && error.map_or(found["err_message"].is_null(), |error| found["err_message"] == error)
}

const NOT_YET: Option<&str> = Some("not stored yet: the storage of this server does not take it, and is tried again");

/// A recording that goes on.
async fn recording(app: &TestApp) -> String {
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    let made = app.post("/recordings/track", json!({"meeting_id": meeting})).await.expect(200);
    let id = made["data"]["recording"]["id"].text();
    until(app, &id, |found| found["status"] == "RECORDING").await;
    id
}

async fn stop(app: &TestApp, id: &str) {
    app.call("PUT", &format!("/recordings/{id}")).json(&json!({"action": "stop"})).send().await.expect(200);
}

/// What is behind the link of its only file.
async fn file(app: &TestApp, recording: &Value) -> Vec<u8> {
    let files = recording["download_url"][0]["download_urls"].as_object().expect("files by name").clone();
    let url = files.values().next().expect("a file")["download_url"].text();
    app.bare("GET", &format!("/{}", url.splitn(4, '/').nth(3).expect("an address"))).send().await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_away_or_not_there_gets_a_recording_later() {
    let bucket = Bucket::open("away").await;
    let app = node(&bucket, "hunter2").await;
    for says in [503, 404] {
        let id = recording(&app).await;
        bucket.says.store(says, Ordering::Relaxed);
        stop(&app, &id).await;
        let waits = until(&app, &id, |found| is(found, "UPLOADING", NOT_YET)).await;
        assert!(waits["download_url"].is_null() && waits["stopped_time"].is_string(), "{waits:#}");
        bucket.says.store(0, Ordering::Relaxed);
        let done = until(&app, &id, |found| is(found, "UPLOADED", None)).await;
        assert_eq!(file(&app, &done).await, b"sound of part 1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_set_right_stores_what_the_wrong_one_could_not() {
    let bucket = Bucket::open("key").await;
    let app = node(&bucket, "wrong").await;
    let id = recording(&app).await;
    stop(&app, &id).await;
    until(&app, &id, |found| is(found, "UPLOADING", NOT_YET)).await;
    let TestApp { running, data, _gone } = app;
    running.stop().await.expect("it stops");
    let mut config = Config { mode: Mode::Dev, data: data.clone(), ..Config::default() };
    config.listen = "127.0.0.1:0".parse().expect("an address");
    (config.media.port, config.media.ip) = (0, "127.0.0.1".parse().expect("an address"));
    recorder(&mut config);
    bucket.serves(&mut config, "hunter2");
    let app = TestApp { running: start(config).await.expect("a node starts"), data, _gone };
    let done = until(&app, &id, |found| is(found, "UPLOADED", None)).await;
    assert_eq!(file(&app, &done).await, b"sound of part 1");
}

/// What is gone from the disk before it is stored cannot be waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_is_told_as_lost() {
    let bucket = Bucket::open("gone").await;
    let app = node(&bucket, "hunter2").await;
    let id = recording(&app).await;
    bucket.says.store(503, Ordering::Relaxed);
    stop(&app, &id).await;
    until(&app, &id, |found| is(found, "UPLOADING", NOT_YET)).await;
    let folder = app.data.join("recordings").join(&id).join("1");
    std::fs::remove_file(folder.join("default_u_p1_peer_audio_1760000000000.webm")).expect("it was there");
    let lost = until(&app, &id, |found| found["status"] == "ERRORED").await;
    assert_eq!(lost["err_message"], "the files are gone from the server's disk");
}

/// Where the caller wants it and nobody else has it, it is waited for as if it was ours.
#[tokio::test(flavor = "multi_thread")]
async fn storage_of_the_callers_own_gets_it_when_it_is_back() {
    let bucket = Bucket::open("own").await;
    let app = TestApp::with(recorder).await;
    let id = recording(&app).await;
    let doors = &app.running.doors;
    let own = json!({
        "name": "chats", "endpoint": bucket.endpoint, "region": "eu-1", "access_key": "salon", "secret_key": "hunter2", "path": "mine",
    });
    let given = |row: &mut salon_store::Recording| {
        row.storage = Some(own.clone());
        row.config["bucket"] = false.into();
    };
    let row = RecordingId::parse(&id).expect("an id");
    doors.store.edit_recording(&row, doors.clock.now(), given).await.expect("a store");
    bucket.says.store(503, Ordering::Relaxed);
    stop(&app, &id).await;
    let waits = Some("not stored yet: the storage that was given does not take it, and is tried again");
    until(&app, &id, |found| is(found, "UPLOADING", waits)).await;
    bucket.says.store(0, Ordering::Relaxed);
    until(&app, &id, |found| is(found, "UPLOADED", None)).await;
    let stored = bucket.root.join("chats/mine/default_u_p1_peer_audio_1760000000000.webm");
    assert_eq!(std::fs::read(stored).expect("it is there"), b"sound of part 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_full_or_may_not_be_written_gets_it_when_there_is_room() {
    let Some(disk) = Disk::mount("files", 128) else { return eprintln!("skipped: nothing can be mounted here") };
    let app = TestApp::with(|config| {
        recorder(config);
        config.files.folder = disk.0.to_string_lossy().into_owned();
    })
    .await;
    let filler = disk.0.join("filler");
    for is_full in [true, false] {
        let id = recording(&app).await;
        match is_full {
            true => _ = std::fs::write(&filler, vec![7; 1 << 20]).expect_err("there is no room"),
            false => disk.remount("ro"),
        }
        stop(&app, &id).await;
        until(&app, &id, |found| is(found, "UPLOADING", NOT_YET)).await;
        match is_full {
            true => std::fs::remove_file(&filler).expect("it was there"),
            false => disk.remount("rw"),
        }
        let done = until(&app, &id, |found| is(found, "UPLOADED", None)).await;
        assert_eq!(file(&app, &done).await, b"sound of part 1");
    }
}
