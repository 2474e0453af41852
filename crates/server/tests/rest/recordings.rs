//! Recordings over REST, made by a recorder that misbehaves as the test wants it.

use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::time::{Duration, Instant};

use salon_core::RecordingId;
use salon_server::config::{Config, Mode};
use salon_server::start::start;
use salon_store::Recording;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::receiver::{Mood, Receiver};
use crate::support::contract::agrees;
use crate::support::{Call, Said, TestApp, Text};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// Has recordings made in this way; see `recorder.sh`.
fn recorder(config: &mut Config, way: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/recorder.sh");
    config.recording.program = vec!["/bin/bash".into(), script.into(), way.into()];
    config.recording.stops_within_ms = 1_000;
}

async fn app(way: &str) -> TestApp {
    TestApp::with(|config| recorder(config, way)).await
}

/// A meeting with somebody in it.
async fn busy(app: &TestApp) -> String {
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    meeting
}

async fn record(app: &TestApp, meeting: &str) -> String {
    let said = app.post("/recordings/track", json!({"meeting_id": meeting})).await;
    agrees("POST", "/recordings/track", &said)["data"]["recording"]["id"].text()
}

/// A meeting that is being recorded in this way, and its recording.
async fn recorded(way: &str) -> (TestApp, String, String) {
    let app = app(way).await;
    let meeting = busy(&app).await;
    let id = record(&app, &meeting).await;
    until_status(&app, &id, "RECORDING").await;
    (app, meeting, id)
}

async fn put(app: &TestApp, id: &str, action: &str) -> Said {
    app.call("PUT", &format!("/recordings/{id}")).json(&json!({"action": action})).send().await
}

/// The recording, once it is as it should be.
async fn until(app: &TestApp, id: &str, done: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let found = app.get(&format!("/recordings/{id}")).await.expect(200)["data"].clone();
        if done(&found) {
            return found;
        }
        assert!(Instant::now() < until, "it stays as it is: {found:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_status(app: &TestApp, id: &str, status: &str) -> Value {
    until(app, id, |found| found["status"] == status).await
}

/// The names of a recording's files, and their addresses.
fn files(recording: &Value) -> Vec<(String, String)> {
    let layers = recording["download_url"].as_array().expect("a list of layers");
    assert_eq!((layers.len(), &layers[0]["layer_name"]), (1, &json!("default")));
    let files = layers[0]["download_urls"].as_object().expect("files by name");
    files.iter().map(|(name, file)| (name.clone(), file["download_url"].text())).collect()
}

fn get(app: &TestApp, url: &str) -> Call {
    let path = url.splitn(4, '/').nth(3).expect("an absolute address");
    app.bare("GET", &format!("/{path}"))
}

#[tokio::test]
async fn a_track_recording_is_made_told_of_and_handed_out() {
    let receiver = Receiver::start(Mood::Says(200)).await;
    let app = app("good").await;
    let hook = json!({"name": "Hook", "url": receiver.url, "events": ["recording.statusUpdate"]});
    app.post("/webhooks", hook).await.expect(201);
    let meeting = busy(&app).await;
    let body = json!({
        "meeting_id": meeting, "user_ids": ["ada"],
        "layers": {"default": {"file_name_prefix": "speaker", "media_kind": "audio"}},
    });
    let started = app.post("/recordings/track", body).await;
    let started = agrees("POST", "/recordings/track", &started)["data"]["recording"].clone();
    let id = started["id"].text();
    assert_eq!(
        (started["type"].text().as_str(), &started["meeting_id"], started["status"].text().as_str()),
        ("TRACK", &json!(meeting), "INVOKED")
    );
    assert_eq!(started["output_file_name"], "speaker_{user_id}_{peer_id}_{stream_kind}_{media_kind}_{timestamp}.webm");
    until_status(&app, &id, "RECORDING").await;
    let active = app.get(&format!("/recordings/active-recording/{meeting}")).await;
    assert_eq!(agrees("GET", "/recordings/active-recording/{meeting_id}", &active)["data"]["id"], json!(id));
    let shown = agrees("GET", "/recordings/{recording_id}", &app.get(&format!("/recordings/{id}")).await)["data"].clone();
    assert_eq!(shown["start_reason"], json!({"reason": "API_CALL", "caller": {"type": "ORGANIZATION"}}));
    assert!(shown["started_time"].is_string() && shown["stopped_time"].is_null() && shown["file_size"].is_null());

    // By then it may be stored, and what the contract takes for text is a list of files.
    let stopped = put(&app, &id, "stop").await.expect(200)["data"].clone();
    assert_eq!(stopped["stop_reason"], json!({"reason": "API_CALL", "caller": {"type": "ORGANIZATION"}}));
    let done = until_status(&app, &id, "UPLOADED").await;
    app.get(&format!("/recordings/active-recording/{meeting}")).await.refused(404);
    assert_eq!((&done["file_size"], &done["audio_download_url"]), (&json!(15), &Value::Null));
    let [(name, url)] = &files(&done)[..] else { panic!("{done:#}") };
    assert_eq!(name, "default_u_p1_peer_audio_1760000000000.webm");

    let whole = get(&app, url).send().await;
    assert_eq!((whole.status, whole.body.as_slice()), (200, &b"sound of part 1"[..]));
    assert_eq!(whole.header("content-type"), Some("audio/webm"));
    assert!(whole.header("content-disposition").is_some_and(|how| how.starts_with("attachment; ") && how.contains(name)));
    let part = get(&app, url).header("range", "bytes=0-4").send().await;
    assert_eq!((part.status, part.body.as_slice()), (206, &b"sound"[..]));
    assert_eq!(part.header("content-range"), Some("bytes 0-4/15"));
    let path = url.splitn(4, '/').nth(3).expect("an absolute address");
    let head = app.bare("HEAD", &format!("/{path}")).send().await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("15"), 0));
    for wrong in [url.replace("signature=", "signature=0"), url.replace("expires=", "expires=1"), url.replace("_p1_", "_p2_")] {
        get(&app, &wrong).send().await.refused(404);
    }

    let told: Vec<Value> = receiver.hears(4).await.iter().map(|heard| heard.json()).collect();
    let statuses: Vec<String> = told.iter().map(|told| told["recording"]["status"].text()).collect();
    assert_eq!(statuses, ["INVOKED", "RECORDING", "UPLOADING", "UPLOADED"]);
    let last = &told[3]["recording"];
    assert_eq!((&last["id"], &last["recordingId"], &last["fileSize"]), (&json!(id), &json!(id), &json!("15")));
    assert_eq!((&last["roomUUID"], &told[3]["meeting"]["sessionId"]), (&done["session_id"], &done["session_id"]));
    assert!(last["recordingDuration"].is_number() && last["downloadUrl"][0]["download_urls"][name].is_object(), "{last:#}");

    let stats = app.get("/analytics/daywise").await.expect(200)["data"]["recording_stats"].clone();
    assert_eq!((&stats["recording_count"], stats["day_stats"].as_array().map(Vec::len)), (&json!(1), Some(1)));

    // Its time is over.
    let recordings = app.running.doors.recordings.clone();
    let now = app.running.doors.clock.now();
    assert_eq!(recordings.sweep_once(now).await.expect("a store"), 0);
    assert_eq!(get(&app, url).send().await.status, 200);
    assert_eq!(recordings.sweep_once(now.plus_ms(7 * 86_400_000 + 1_000)).await.expect("a store"), 0);
    get(&app, url).send().await.refused(404);
    let gone = app.get(&format!("/recordings/{id}")).await.expect(200)["data"].clone();
    assert_eq!(
        (&gone["status"], &gone["download_url"], &gone["download_url_expiry"]),
        (&json!("UPLOADED"), &Value::Null, &Value::Null)
    );
    assert!(!app.data.join("recordings").join(&id).exists(), "the job's folder is cleared");
}

#[tokio::test]
async fn it_pauses_and_goes_on_when_the_recorder_says_so() {
    let app = app("good").await;
    let meeting = busy(&app).await;
    let id = record(&app, &meeting).await;
    put(&app, &id, "rewind").await.refused(400);
    for odd in [Value::Null, json!(["stop"]), json!(1)] {
        let said = app.call("PUT", &format!("/recordings/{id}")).json(&json!({"action": odd})).send().await.refused(400);
        assert_eq!(said, "BAD_REQUEST: \"action\" must be a string");
    }
    until_status(&app, &id, "RECORDING").await;
    let paused = agrees("PUT", "/recordings/{recording_id}", &put(&app, &id, "pause").await)["data"].clone();
    assert_eq!(paused["status"], "PAUSED");
    assert_eq!(put(&app, &id, "pause").await.expect(200)["data"]["status"], "PAUSED");
    app.post("/recordings/track", json!({"meeting_id": meeting})).await.refused(409);
    assert_eq!(put(&app, &id, "resume").await.expect(200)["data"]["status"], "RECORDING");
    put(&app, &id, "stop").await.expect(200);
    until_status(&app, &id, "UPLOADED").await;
    assert_eq!(put(&app, &id, "stop").await.expect(200)["data"]["status"], "UPLOADED", "once more does no harm");
    put(&app, &id, "pause").await.refused(409);
}

/// A pause that a slow recorder has not come to yet does not outlast whoever has it go on.
#[tokio::test]
async fn what_was_wanted_last_is_what_it_does() {
    let (app, _, id) = recorded("late").await;
    let (pause, resume) = (put(&app, &id, "pause"), put(&app, &id, "resume"));
    let both = async {
        tokio::join!(pause, async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            resume.await
        })
    };
    let go = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        std::fs::write(app.data.join("recordings").join(&id).join("1/go"), "").unwrap();
    };
    let ((paused, resumed), ()) = tokio::join!(both, go);
    assert_eq!((paused.status, resumed.status), (200, 200));
    until_status(&app, &id, "RECORDING").await;
    put(&app, &id, "stop").await.expect(200);
    let done = until_status(&app, &id, "UPLOADED").await;
    assert!(done["err_message"].is_null(), "{done:#}");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused_in_words() {
    let app = app("good").await;
    let meeting = app.meeting("Planning").await;
    let track = |body: Value| app.post("/recordings/track", body);
    assert!(track(json!({"meeting_id": meeting})).await.refused(404).contains("No active session"));
    assert!(track(json!({"meeting_id": UNKNOWN})).await.refused(404).contains("No meeting found"));
    assert!(track(json!({})).await.refused(400).contains("\"meeting_id\" is required"));
    assert!(track(json!({"meeting_id": "x"})).await.refused(400).contains("\"meeting_id\" must be a valid GUID"));
    app.enter(&meeting, "ada").await;
    let of = |more: Value| {
        let mut body = json!({"meeting_id": meeting});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    let users: Vec<String> = (0..101).map(|n| format!("u{n}")).collect();
    track(of(json!({"user_ids": users}))).await.refused(400);
    track(of(json!({"user_ids": [""]}))).await.refused(400);
    track(of(json!({"layers": {"default": {"file_name_prefix": "a/b"}}}))).await.refused(400);
    track(of(json!({"layers": {"default": {"media_kind": "video"}}}))).await.refused(400);
    track(of(json!({"layers": {"screens": {}}}))).await.refused(422);
    let whole = |more: Value| app.post("/recordings", of(more));
    for (body, field) in [
        (json!({"max_seconds": 59}), "\"max_seconds\""),
        (json!({"video_config": {"width": 1921}}), "\"video_config.width\""),
        (json!({"video_config": {"codec": "AV1"}}), "codec"),
        (json!({"audio_config": {"channel": "quadro"}}), "channel"),
        (json!({"file_name_prefix": "a-b"}), "\"file_name_prefix\""),
        (json!({"realtimekit_bucket_config": {}}), "enabled"),
    ] {
        let said = whole(body).await.refused(400);
        assert!(said.contains(field), "{said}");
    }
    for body in [
        json!({"url": "https://example.org"}),
        json!({"interactive_config": {"type": "ID3"}}),
        json!({"rtmp_out_config": {"rtmp_url": "rtmp://169.254.169.254/live/key"}}),
        json!({"rtmp_out_config": {"rtmp_url": "rtmp://167772161/live/key"}}),
        json!({"rtmp_out_config": {"rtmp_url": "http://example.org/live/key"}}),
        json!({"rtmp_out_config": {"rtmpUrl": "rtmp://user:pass@example.org/live/key"}}),
        json!({"rtmp_out_config": {"rtmp_url": "rtmp://example.org/live/key"}, "video_config": {"codec": "VP8"}}),
    ] {
        let said = whole(body).await.refused(422);
        assert!(!said.contains("key"), "{said}");
    }
    app.get("/recordings?status=LOST").await.refused(400);
    app.get("/recordings?meeting_id=x").await.refused(400);
    app.get("/recordings?sort_by=size").await.refused(400);
    app.get(&format!("/recordings/{UNKNOWN}")).await.refused(404);
    put(&app, UNKNOWN, "stop").await.refused(404);
    let empty = agrees("GET", "/recordings", &app.get("/recordings").await);
    assert_eq!(empty["paging"]["total_count"], 0);
}

#[tokio::test]
async fn pictures_need_their_programs_and_storage_one_that_is_known() {
    let app = TestApp::with(|config| {
        recorder(config, "good");
        config.recording.ffmpeg = "no-such-program".to_owned();
    })
    .await;
    let meeting = busy(&app).await;
    let said = app.post("/recordings", json!({"meeting_id": meeting})).await.refused(422);
    assert!(said.contains("ffmpeg is not installed"), "{said}");
    let app = TestApp::with(|config| {
        recorder(config, "good");
        config.recording.ffmpeg = "/bin/sh".to_owned();
        config.recording.storage_hosts = vec!["s3.example.org".to_owned()];
    })
    .await;
    let meeting = busy(&app).await;
    let own = |storage: Value| app.post("/recordings", json!({"meeting_id": meeting, "storage_config": storage}));
    let keys = json!({"access_key": "k", "secret": "s3cret", "bucket": "b"});
    let with = |more: Value| {
        let mut storage = keys.clone();
        storage.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        storage
    };
    for refused in [
        with(json!({"type": "azure", "region": ""})),
        with(json!({"type": "sftp", "host": "example.org", "password": "s3cret"})),
        with(json!({"type": "aws"})),
        with(json!({"type": "aws", "region": "x/../y"})),
        with(json!({"type": "aws", "region": "eu-1", "host": "169.254.169.254"})),
        with(json!({"type": "aws", "region": "eu-1", "host": "s3.example.org", "bucket": "../b"})),
        with(json!({})),
        json!({"type": "aws", "region": "eu-1", "bucket": "b"}),
    ] {
        let said = own(refused).await.refused(422);
        assert!(!said.contains("s3cret"), "{said}");
    }
    app.post("/recordings", json!({"meeting_id": meeting, "video_config": {"codec": "VP9"}})).await.refused(422);
    // The call says more than the meeting does.
    let said = own(with(json!({"type": "aws", "region": "eu-1", "host": "s3.example.org"}))).await;
    let started = agrees("POST", "/recordings", &said)["data"].clone();
    assert_eq!(started["storage_config"], json!({"type": "aws", "region": "eu-1", "bucket": "b", "host": "s3.example.org"}));
    assert_eq!((started["status"].text().as_str(), started.get("type")), ("INVOKED", None));
    let id = started["id"].text();
    assert!(started["output_file_name"].text().starts_with(&meeting) && started["output_file_name"].text().ends_with(".mp4"));
    until_status(&app, &id, "RECORDING").await;
    let job = job(&app, &id);
    assert_eq!(job["video"]["codec"], "H264");
    assert_eq!((&job["video"]["width"], &job["video"]["height"], &job["audio"]), (&json!(1280), &json!(720), &Value::Null));
    app.post("/recordings", json!({"meeting_id": meeting})).await.refused(409);
    let beside = json!({
        "meeting_id": meeting, "allow_multiple_recordings": true, "file_name_prefix": "tall",
        "video_config": {"codec": "VP8", "width": 721, "height": 1280}, "audio_config": {"codec": "MP3", "channel": "mono"},
    });
    let tall = app.post("/recordings", beside).await.expect(200)["data"].clone();
    assert!(tall["output_file_name"].text().starts_with("tall_") && tall["output_file_name"].text().ends_with(".webm"));
    until_status(&app, &tall["id"].text(), "RECORDING").await;
    let job = crate::recordings::job(&app, &tall["id"].text());
    assert_eq!((&job["video"]["width"], &job["audio"]), (&json!(720), &json!({"codec": "MP3", "channel": "mono", "file": true})));
}

/// A node that was called otherwise left its folder, another has gone for good, and a begin was cut off after the row.
#[tokio::test]
async fn what_nobody_sees_to_is_taken_up_or_given_up() {
    let app = app("good").await;
    let meeting = busy(&app).await;
    let made = record(&app, &meeting).await;
    until_status(&app, &made, "RECORDING").await;
    let (doors, now) = (&app.running.doors, app.running.doors.clock.now());
    let row = doors.store.recording(&RecordingId::parse(&made).expect("an id")).await.expect("a store").expect("there");
    put(&app, &made, "stop").await.expect(200);
    app.post(&format!("/meetings/{meeting}/active-session/kick-all"), json!({})).await.expect(200);
    let left = async |id: &str, node: &str| {
        let id = RecordingId::parse(id).expect("an id");
        let recording = Recording { id, node: node.to_owned(), invoked_at: now.plus_ms(-61_000), ..row.clone() };
        doors.store.create_recording(&recording).await.expect("a store");
    };
    let [here, gone, cut] = [1, 2, 3].map(|n| UNKNOWN.replace("00000000-", &format!("0000000{n}-")));
    left(&here, "as it was called before").await;
    left(&gone, "gone for good").await;
    left(&cut, &row.node).await;
    let part = app.data.join("recordings").join(&here).join("1");
    std::fs::create_dir_all(&part).expect("a folder");
    std::fs::write(part.join("default_u_p_peer_audio_1.webm"), "left").expect("written");
    doors.recordings.sweep_once(now).await.expect("a store");
    assert_eq!(until_status(&app, &here, "UPLOADED").await["file_size"], 4);
    until_status(&app, &cut, "ERRORED").await;
    assert_eq!(app.get(&format!("/recordings/{gone}")).await.expect(200)["data"]["status"], "RECORDING", "it may come back");
    doors.recordings.sweep_once(now.plus_ms(2 * 86_400_000)).await.expect("a store");
    let gone = until_status(&app, &gone, "ERRORED").await;
    assert_eq!((&gone["err_message"], &gone["recording_duration"]), (&json!("its node has not come back"), &json!(0)));
}

/// A worker is gone with a part of it, nobody has taken it since, and it is told to stop: the part comes when the worker does.
#[tokio::test]
async fn what_a_worker_is_gone_with_is_waited_for_though_nobody_goes_on() {
    let (app, _, id) = recorded("good").await;
    let doors = &app.running.doors;
    let row = RecordingId::parse(&id).expect("an id");
    let released = |row: &mut Recording| {
        row.node.clear();
        (row.config["for_workers"], row.config["left_with"]) = (true.into(), json!(["w1", "w2"]));
        row.error = Some("not streamed to its RTMP address: gone; a part is missing: its worker is gone".to_owned());
    };
    doors.store.edit_recording(&row, doors.clock.now(), released).await.expect("a store");
    doors.tasks.spawn(salon_recordings::watch_workers(doors.recordings.clone(), doors.livestreams.clone()));
    put(&app, &id, "stop").await;
    let waits = until_status(&app, &id, "UPLOADING").await;
    assert_eq!(waits["stop_reason"]["reason"], "API_CALL", "{waits:#}");
    let told = doors.store.recording(&row).await.expect("a store").expect("there");
    assert_eq!((told.node.as_str(), &told.config["left_with"]), ("w2", &json!(["w1"])));
    let why = "not streamed to its RTMP address: gone; a part is missing: its worker is gone";
    assert_eq!(told.error.as_deref(), Some(why), "what the other has is missing still");
    std::fs::remove_dir_all(app.data.join("recordings").join(&id)).expect("it is on the worker's machine");
    doors.recordings.sweep_once(doors.clock.now().plus_ms(3 * 86_400_000)).await.expect("a store");
    let given_up = until_status(&app, &id, "ERRORED").await;
    assert!(given_up["err_message"].text().ends_with("; its node has not come back"), "{given_up:#}");
}

#[tokio::test]
async fn another_app_has_none_of_it_and_lists_find_what_is_asked_for() {
    let app = app("good").await;
    let theirs = app.other_account("theirs", "their-key", None).await;
    let (one, two) = (busy(&app).await, busy(&app).await);
    let (first, second) = (record(&app, &one).await, record(&app, &two).await);
    until_status(&app, &first, "RECORDING").await;
    let all = app.get("/recordings").await;
    let all = agrees("GET", "/recordings", &all);
    assert_eq!((&all["paging"]["total_count"], &all["data"][0]["meeting"]["id"]), (&json!(2), &json!(two)));
    put(&app, &second, "stop").await.expect(200);
    let kit = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}");
    let foreign = |method: &str, path: &str| {
        app.bare(method, &format!("{kit}{path}")).header("authorization", "Bearer their-key").json(&json!({"action": "stop"}))
    };
    foreign("GET", &format!("/recordings/{first}")).send().await.refused(404);
    foreign("PUT", &format!("/recordings/{first}")).send().await.refused(404);
    foreign("GET", &format!("/recordings/active-recording/{one}")).send().await.refused(404);
    assert_eq!(foreign("GET", "/recordings").send().await.expect(200)["data"], json!([]));

    let ids = async |query: &str| -> Vec<String> {
        let list = app.get(&format!("/recordings?{query}")).await.expect(200);
        list["data"].as_array().expect("a list").iter().map(|found| found["id"].text()).collect()
    };
    assert_eq!(ids("sort_by=invokedTime&sort_order=ASC").await, [first.clone(), second.clone()]);
    assert_eq!(ids(&format!("meeting_id={one}")).await, from_ref(&first));
    assert_eq!(ids("status=RECORDING").await, from_ref(&first));
    assert_eq!(ids("status=RECORDING&status=PAUSED").await, from_ref(&first));
    assert_eq!(ids(&format!("search={}", second.to_uppercase())).await, from_ref(&second));
    assert_eq!(ids(&format!("search={two}")).await, from_ref(&second));
    assert_eq!(ids("expired=true").await.len(), 0);
    assert_eq!(ids("expired=false&per_page=1&page_no=2&sort_order=ASC").await, from_ref(&second));
    assert_eq!(ids("start_time=2099-01-01T00:00:00Z").await.len(), 0);
}

#[tokio::test]
async fn participants_record_what_their_session_lets_them() {
    let app = app("good").await;
    let meeting = app.meeting("Planning").await;
    let host = app.participant(&meeting, "group_call_host", "hana").await;
    let guest = app.participant(&meeting, "group_call_participant", "bo").await;
    let elsewhere = busy(&app).await;
    let other = record(&app, &elsewhere).await;
    let ask = |method: &str, path: &str, who: &Value| {
        app.bare(method, &format!("/v2{path}")).header("authorization", &format!("Bearer {}", who["token"].text()))
    };
    let start = |who: &Value| ask("POST", "/recordings/track", who).json(&json!({"meeting_id": meeting})).send();
    start(&host).await.refused(404);
    app.join(&guest["id"].text()).await;
    assert!(start(&host).await.refused(404).contains("join the meeting first"));
    app.join(&host["id"].text()).await;
    start(&guest).await.refused(403);
    let foreign = ask("POST", "/recordings/track", &host).json(&json!({"meeting_id": elsewhere})).send().await;
    foreign.refused(403);
    let id = start(&host).await.expect(200)["data"]["recording"]["id"].text();
    let stop = |who: &Value, id: &str| ask("PUT", &format!("/recordings/{id}"), who).json(&json!({"action": "stop"})).send();
    stop(&guest, &id).await.refused(403);
    stop(&host, &other).await.refused(403);
    let active = ask("GET", &format!("/recordings/active-recording/{meeting}"), &guest).send().await.expect(200);
    assert_eq!(active["data"]["id"], json!(id));
    assert_eq!(ask("GET", "/recordings", &host).send().await.status, 401, "lists are the app's");
    assert_eq!(ask("GET", &format!("/recordings/{id}"), &host).send().await.expect(200)["data"]["id"], json!(id));
    ask("GET", &format!("/recordings/{id}"), &guest).send().await.refused(403);
    ask("GET", &format!("/recordings/{other}"), &host).send().await.refused(403);
    until_status(&app, &id, "RECORDING").await;
    stop(&host, &id).await.expect(200);
    let done = until_status(&app, &id, "UPLOADED").await;
    stop(&guest, &id).await.refused(403);
    assert_eq!(stop(&host, &id).await.expect(200)["data"]["status"], "UPLOADED");
    let caller = json!({"type": "USER", "user_Id": host["id"], "name": "hana"});
    assert_eq!((&done["start_reason"]["caller"], &done["stop_reason"]["caller"]), (&caller, &caller));
}

/// What the recorder was told, in its first part.
fn job(app: &TestApp, id: &str) -> Value {
    let text = std::fs::read_to_string(app.data.join("recordings").join(id).join("1/job.json")).expect("it was written down");
    serde_json::from_str(&text).expect("a line of JSON")
}

#[tokio::test]
async fn a_robot_comes_in_while_its_recording_runs_and_may_do_nothing_else() {
    let (app, meeting, id) = recorded("good").await;
    let job = job(&app, &id);
    assert_eq!(
        (&job["id"], &job["meeting_id"], &job["kind"], &job["name"], &job["user_ids"]),
        (&json!(id), &json!(meeting), &json!("track"), &json!("default"), &Value::Null)
    );
    assert_eq!(job["server"], format!("http://{}", app.running.addr));
    let token = job["token"].text();
    let doors = &app.running.doors;
    let (bearer, _) = doors.tokens.read(&token).expect("it is ours");
    let admitted = salon_doors::flows::robots::bearer_admission(&doors.store, &bearer).await.expect("a store").expect("it runs");
    let preset = salon_doors::flows::presets::permissions(&admitted.preset).expect("a preset");
    assert!(preset.is_robot() && preset.hidden && !preset.can_record && !preset.public_chat.can_send && !preset.polls.can_create);
    for path in ["/v2/internals/participant-details", "/iceservers", "/v2/plugins/user"] {
        let said = app.bare("GET", path).header("authorization", &format!("Bearer {token}")).send().await;
        assert_eq!(said.status, 401, "{path}");
    }
    let listed = app.get(&format!("/meetings/{meeting}/participants")).await.expect(200);
    assert_eq!(listed["paging"]["total_count"], 1, "it is nobody");
    put(&app, &id, "stop").await.expect(200);
    until_status(&app, &id, "UPLOADED").await;
    assert!(salon_doors::flows::robots::bearer_admission(&doors.store, &bearer).await.expect("a store").is_none());
}

#[tokio::test]
async fn a_recorder_that_dies_once_goes_on_in_a_second_part() {
    let app = app("dies").await;
    let meeting = busy(&app).await;
    let id = record(&app, &meeting).await;
    let second = app.data.join("recordings").join(&id).join("2/said.jsonl");
    let until = Instant::now() + Duration::from_secs(20);
    while !second.exists() {
        assert!(Instant::now() < until, "there is no second part");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    put(&app, &id, "stop").await.expect(200);
    let done = until_status(&app, &id, "UPLOADED").await;
    let found = files(&done);
    assert_eq!(found.len(), 2, "{done:#}");
    for ((_, url), text) in found.iter().zip(["sound of part 1", "sound of part 2"]) {
        assert_eq!(get(&app, url).send().await.body, text.as_bytes());
    }
}

#[tokio::test]
async fn one_that_dies_again_is_given_up_with_what_there_is() {
    let app = app("dies-always").await;
    let meeting = busy(&app).await;
    let id = record(&app, &meeting).await;
    let done = until_status(&app, &id, "UPLOADED").await;
    assert_eq!((done["stop_reason"]["reason"].text().as_str(), files(&done).len()), ("INTERNAL_ERROR", 2));
    assert!(done["err_message"].text().contains("died"));
    record(&app, &meeting).await;
}

/// A server that has this to give.
async fn gives(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/mark.png", listener.local_addr().expect("it has one"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1_024]).await;
            let _ = stream.write_all(answer).await;
        }
    });
    url
}

#[tokio::test]
async fn a_watermark_is_fetched_for_the_recorder_or_it_is_told_why_there_is_none() {
    const PNG: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\n\x89PNG\r\n\x1a\nmark";
    const TEXT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ntext";
    let app = app("good").await;
    let record = async |url: String| {
        let meeting = busy(&app).await;
        let mark = json!({ "url": url, "position": "right top", "size": { "width": 64 } });
        let body = json!({ "meeting_id": meeting, "video_config": { "watermark": mark } });
        let id = app.post("/recordings", body).await.expect(200)["data"]["id"].text();
        until_status(&app, &id, "RECORDING").await;
        let told = job(&app, &id)["video"]["watermark"].clone();
        let there = std::fs::read(app.data.join("recordings").join(&id).join("1/watermark")).ok();
        put(&app, &id, "stop").await.expect(200);
        (told, there, until_status(&app, &id, "UPLOADED").await["err_message"].clone())
    };
    let (told, there, error) = record(gives(PNG).await).await;
    assert_eq!(told, json!({ "file": "watermark", "position": "right top", "width": 64, "height": null }));
    assert_eq!((there.as_deref(), error), (Some(&b"\x89PNG\r\n\x1a\nmark"[..]), Value::Null));
    let (told, there, error) = record(gives(TEXT).await).await;
    assert_eq!((told, there), (Value::Null, None));
    assert_eq!(error, "recorded without its watermark: it is no PNG, JPEG, WebP or GIF");
    let (told, _, error) = record("http://10.1.2.3/mark.png".to_owned()).await;
    assert_eq!(told, Value::Null);
    assert!(error.text().contains("private network"), "{error}");
}

#[tokio::test]
async fn a_receiver_is_sent_it_too_and_its_address_is_told_to_nobody() {
    const URL: &str = "rtmp://example.org/live/s3cret";
    let app = app("refused").await;
    let whole = async |meeting: &str, more: Value, url: Value| {
        let mut body = more;
        body["meeting_id"] = meeting.into();
        let said = app.post("/recordings", body).await;
        assert!(!said.json().to_string().contains("s3cret"), "its key is told");
        let id = said.expect(200)["data"]["id"].text();
        until_status(&app, &id, "RECORDING").await;
        assert_eq!(job(&app, &id)["rtmp"]["url"], url);
        let told = until(&app, &id, |told| url.is_null() || !told["err_message"].is_null()).await;
        put(&app, &id, "stop").await.expect(200);
        let over = until(&app, &id, |told| ["UPLOADED", "ERRORED"].contains(&told["status"].text().as_str())).await;
        let row = app.running.doors.store.recording(&RecordingId::parse(&id).expect("an id")).await.expect("a store");
        let row = row.expect("a row");
        assert!(row.storage.is_none() && !row.config.to_string().contains("s3cret"), "it is forgotten");
        (told, over)
    };
    let meeting = busy(&app).await;
    let out = |name: &str| json!({"rtmp_out_config": {name: URL}});
    for name in ["rtmp_url", "rtmpUrl"] {
        let (told, over) = whole(&meeting, out(name), URL.into()).await;
        let why = "not streamed to its RTMP address: the receiver cannot be reached";
        assert_eq!((&told["status"], &told["err_message"]), (&json!("RECORDING"), &json!(why)));
        assert_eq!((&over["status"], &over["err_message"]), (&json!("UPLOADED"), &json!(why)), "the file is there all the same");
        assert!(over["download_url"].is_string());
    }
    whole(&meeting, json!({}), Value::Null).await;
    // Nothing but the receiver: it is over without a file.
    let mut only = out("rtmp_url");
    only["video_config"] = json!({"export_file": false});
    let (_, over) = whole(&meeting, only, URL.into()).await;
    assert_eq!((&over["status"], &over["download_url"]), (&json!("UPLOADED"), &Value::Null));
    // A meeting may say it, too.
    let config = json!({"live_streaming_config": {"rtmp_url": URL}});
    let said = app.post("/meetings", json!({"title": "Planning", "recording_config": config})).await;
    let meeting = said.expect(201)["data"]["id"].text();
    app.enter(&meeting, "ada").await;
    whole(&meeting, json!({}), URL.into()).await;
}

#[tokio::test]
async fn one_that_fails_frees_the_button_and_says_why() {
    let app = app("fails").await;
    let meeting = busy(&app).await;
    let id = record(&app, &meeting).await;
    let failed = until_status(&app, &id, "ERRORED").await;
    assert_eq!((failed["err_message"].text().as_str(), &failed["download_url"]), ("no such meeting", &Value::Null));
    record(&app, &meeting).await;
}

#[tokio::test]
async fn one_that_hangs_is_ended_and_keeps_what_it_has() {
    // What it says is no headway.
    for (way, status) in [("hangs", "UPLOADED"), ("talks", "UPLOADED"), ("never", "ERRORED")] {
        let app = app(way).await;
        let meeting = busy(&app).await;
        let id = record(&app, &meeting).await;
        if way != "never" {
            until_status(&app, &id, "RECORDING").await;
        }
        put(&app, &id, "stop").await.expect(200);
        until_status(&app, &id, status).await;
        app.get(&format!("/recordings/active-recording/{meeting}")).await.refused(404);
    }
}

/// A long one is written anew at last, which takes longer than a hanging one is waited for.
#[tokio::test]
async fn one_that_is_slow_to_finish_is_waited_for() {
    let (app, _, id) = recorded("slow").await;
    put(&app, &id, "stop").await.expect(200);
    let done = until_status(&app, &id, "UPLOADED").await;
    assert_eq!(done["file_size"], "sound of part 1..........".len(), "{done:#}");
}

#[tokio::test]
async fn it_is_over_with_its_session() {
    let (app, meeting, id) = recorded("good").await;
    app.post(&format!("/meetings/{meeting}/active-session/kick-all"), json!({})).await.expect(200);
    let done = until_status(&app, &id, "UPLOADED").await;
    assert_eq!(done["stop_reason"], json!({"reason": "ALL_PEERS_LEFT"}));
}

#[tokio::test]
async fn others_wait_for_their_turn() {
    let app = TestApp::with(|config| {
        recorder(config, "good");
        config.recording.max_jobs = 1;
    })
    .await;
    let first = record(&app, &busy(&app).await).await;
    until_status(&app, &first, "RECORDING").await;
    let second = record(&app, &busy(&app).await).await;
    assert_eq!(app.get(&format!("/recordings/{second}")).await.expect(200)["data"]["status"], "INVOKED");
    put(&app, &first, "stop").await.expect(200);
    until_status(&app, &second, "RECORDING").await;
}

/// A server of its own on this data.
async fn server(data: PathBuf) -> salon_server::start::Running {
    let mut config = Config { mode: Mode::Dev, data, ..Config::default() };
    config.listen = "127.0.0.1:0".parse().expect("an address");
    (config.media.port, config.media.ip) = (0, "127.0.0.1".parse().expect("an address"));
    recorder(&mut config, "good");
    start(config).await.expect("a node starts")
}

#[tokio::test]
async fn a_recording_outlives_its_server_and_is_stopped_by_the_next() {
    let (app, _, id) = recorded("good").await;
    put(&app, &id, "pause").await.expect(200);
    let TestApp { running, data, _gone } = app;
    running.stop().await.expect("it stops");
    let next = server(data).await;
    let ask = |method: &str, path: &str| {
        Call::new(next.addr, method, &format!("{}{path}", crate::support::KIT)).header("authorization", "Bearer dev-token")
    };
    let path = format!("/recordings/{id}");
    assert_eq!(ask("GET", &path).send().await.expect(200)["data"]["status"], "PAUSED");
    let resumed = ask("PUT", &path).json(&json!({"action": "resume"})).send().await.expect(200);
    assert_eq!(resumed["data"]["status"], "RECORDING");
    ask("PUT", &path).json(&json!({"action": "stop"})).send().await.expect(200);
    let until = Instant::now() + Duration::from_secs(20);
    let store = next.doors.store.clone();
    let id = RecordingId::parse(&id).expect("an id");
    loop {
        let found = store.recording(&id).await.expect("a store").expect("a recording");
        if found.status == salon_core::notice::RecordingStatus::Uploaded {
            assert_eq!(found.files.len(), 1);
            break;
        }
        assert!(Instant::now() < until, "it is not stored");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    next.stop().await.expect("it stops");
}
