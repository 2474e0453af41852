//! Livestreams over REST, made by a recorder that misbehaves as the test wants it.

use std::path::Path;
use std::time::{Duration, Instant};

use salon_core::RecordingId;
use salon_core::notice::LivestreamStatus;
use salon_store::Livestream;
use serde_json::{Value, json};

use crate::receiver::{Mood, Receiver};
use crate::support::{Said, TestApp, Text};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

async fn app(way: &'static str) -> TestApp {
    TestApp::with(|config| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/recorder.sh");
        config.recording.program = vec!["/bin/bash".into(), script.into(), way.into()];
        config.recording.stops_within_ms = 1_000;
        // Something that is there.
        config.recording.ffmpeg = "/bin/sh".to_owned();
    })
    .await
}

/// A meeting with somebody in it.
async fn busy(app: &TestApp) -> String {
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    meeting
}

async fn begin(app: &TestApp, meeting: &str) -> Value {
    let said = app.post(&format!("/meetings/{meeting}/livestreams"), json!({"name": "Town-hall_1"})).await;
    said.expect(201)["data"].clone()
}

async fn stop(app: &TestApp, meeting: &str) -> Said {
    app.call("POST", &format!("/meetings/{meeting}/active-livestream/stop")).send().await
}

/// The livestream and its session, once its status is so.
async fn until(app: &TestApp, id: &str, status: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let found = app.get(&format!("/livestreams/{id}")).await;
        let found = found.expect(200)["data"].clone();
        if found["livestream"]["status"] == status {
            return found;
        }
        assert!(Instant::now() < until, "it stays as it is: {found:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What is at an address of ours.
async fn fetch(app: &TestApp, url: &str) -> Said {
    let path = url.splitn(4, '/').nth(3).expect("an absolute address");
    app.bare("GET", &format!("/{path}")).send().await
}

/// The playlist of a player of its own, and where that is.
async fn playlist(app: &TestApp, url: &str) -> (String, String) {
    let index = fetch(app, url).await;
    assert_eq!((index.status, index.header("access-control-allow-origin")), (200, Some("*")));
    let index = String::from_utf8(index.body).expect("text");
    let own = index.lines().find(|line| !line.starts_with('#')).expect("the player's own");
    let own = url.replace("index.m3u8", own);
    let said = fetch(app, &own).await;
    assert_eq!((said.status, said.header("cache-control")), (200, Some("no-cache")));
    assert_eq!(said.header("content-type"), Some("application/vnd.apple.mpegurl"));
    (String::from_utf8(said.body).expect("text"), own)
}

#[tokio::test]
async fn a_livestream_is_made_told_of_and_watched() {
    let receiver = Receiver::start(Mood::Says(200)).await;
    let app = app("streams").await;
    let hook = json!({"name": "Hook", "url": receiver.url, "events": ["livestreaming.statusUpdate"]});
    app.post("/webhooks", hook).await.expect(201);
    let meeting = busy(&app).await;
    let active = format!("/meetings/{meeting}/active-livestream");
    assert_eq!(app.get(&active).await.expect(200)["data"], json!({}));
    let started = begin(&app, &meeting).await;
    let (id, url) = (started["id"].text(), started["playback_url"].text());
    assert_eq!((&started["status"], &started["manual_ingest"]), (&json!("INVOKED"), &json!(false)));
    assert!(!url.contains('?'), "players add a query of their own");
    app.post(&format!("/meetings/{meeting}/livestreams"), json!({})).await.refused(409);
    let found = until(&app, &id, "LIVE").await;
    let run = found["session"]["id"].text();
    let now = app.get(&active).await;
    assert_eq!(now.expect(200)["data"]["playback_url"], json!(url));
    let now = app.get(&format!("/livestreams/{id}/active-livestream-session")).await;
    now.expect(200);

    let (text, own) = playlist(&app, &format!("{url}?dvrEnabled=true")).await;
    let own = own.replace("?dvrEnabled=true", "");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.starts_with(&["1-1.m4s", "1-2.m4s"]) && !text.contains("#EXT-X-ENDLIST"), "{text}");
    assert!(text.contains("#EXT-X-MAP:URI=\"1-1.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:"), "{text}");
    let segment = fetch(&app, &url.replace("index.m3u8", "1-2.m4s")).await;
    assert_eq!((segment.status, segment.body.as_slice()), (200, &b"segment 2 of part 1"[..]));
    assert_eq!(segment.header("cache-control"), Some("public, max-age=31536000, immutable"));
    for wrong in ["1-99.m4s", "1-said.jsonl", "1-job.json", "2-1.m4s", "%2e%2e", "1-..%2f1%2fjob.json", "x.m3u8"] {
        fetch(&app, &url.replace("index.m3u8", wrong)).await.refused(404);
    }
    fetch(&app, &url.replace("/live/", "/live/0")).await.refused(404);
    // Whoever does not look any more does not watch any more, and who does is counted once.
    fetch(&app, &own).await;
    let streams = app.running.doors.livestreams.streams();
    let secret = url.rsplit('/').nth(1).expect("a secret");
    assert!(streams.get(secret).is_some());

    stop(&app, &meeting).await.expect(200);
    let over = until(&app, &id, "IDLE").await;
    stop(&app, &meeting).await.expect(200);
    assert_eq!(app.get(&active).await.expect(200)["data"], json!({}));
    let (text, _) = playlist(&app, &url).await;
    assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    let ingest = text.matches("#EXTINF").count() as u64 * 2;
    assert_eq!((&over["session"]["ingest_seconds"], &over["session"]["viewer_seconds"]), (&json!(ingest), &json!(2)));
    assert!(over["session"]["started_time"].is_string() && over["session"]["stopped_time"].is_string());
    app.get(&format!("/livestreams/{id}/active-livestream-session")).await.refused(404);
    let session = app.get(&format!("/livestreams/sessions/{run}")).await;
    let session = session.expect(200)["data"].clone();
    assert_eq!(session["livestream_id"], json!(id));

    let told: Vec<Value> = receiver.hears(3).await.iter().map(|heard| heard.json()).collect();
    let statuses: Vec<String> = told.iter().map(|told| told["status"].text()).collect();
    assert_eq!(statuses, ["IDLE", "LIVE", "OFFLINE"]);
    let last = &told[2];
    assert_eq!((&last["streamId"], &last["playbackUrl"], &last["manualIngest"]), (&json!(id), &json!(url), &json!(false)));
    assert_eq!((&last["meeting"]["id"], &last["meeting"]["title"]), (&json!(meeting), &json!("Planning")));
    assert!(last["meeting"].get("sessionId").is_none() && last["meeting"].get("startedAt").is_none(), "{last:#}");

    let stats = app.get("/analytics/livestreams/overall").await;
    let stats = stats.expect(200)["data"].clone();
    assert_eq!(stats, json!({"count": 1, "total_ingest_seconds": ingest, "total_viewer_seconds": 2}));
    let days = app.get("/analytics/livestreams/daywise?start_time=1&end_time=99999999999").await;
    let days = days.expect(200)["data"].clone();
    assert_eq!((days.as_array().map(Vec::len), &days[0]["count"]), (Some(1), &json!(1)));
    let none = app.get("/analytics/livestreams/overall?end_time=1").await.expect(200)["data"].clone();
    assert_eq!(none["count"], 0);
    app.get("/analytics/livestreams/overall?end_time=yesterday").await.refused(400);

    // Its time is over.
    let livestreams = app.running.doors.livestreams.clone();
    let now = app.running.doors.clock.now();
    livestreams.sweep_once(now).await.expect("a store");
    playlist(&app, &url).await;
    livestreams.sweep_once(now.plus_ms(31 * 60_000)).await.expect("a store");
    fetch(&app, &url).await.refused(404);
    assert!(!app.data.join("recordings").join(&id).exists(), "its folder is cleared");
    until(&app, &id, "IDLE").await;
}

#[tokio::test]
async fn one_that_fails_or_never_begins_is_told() {
    let app = app("fails").await;
    let meeting = busy(&app).await;
    let started = begin(&app, &meeting).await;
    let found = until(&app, &started["id"].text(), "ERRORED").await;
    assert_eq!(found["session"]["err_message"], "no such meeting");
    assert!(found["session"].get("started_time").is_none());
    fetch(&app, &started["playback_url"].text()).await.refused(404);
    // Another may begin.
    begin(&app, &meeting).await;

    let app = self::app("never").await;
    let meeting = busy(&app).await;
    let id = begin(&app, &meeting).await["id"].text();
    stop(&app, &meeting).await.expect(200);
    let found = until(&app, &id, "IDLE").await;
    assert!(found["session"].get("err_message").is_none(), "somebody stopped it: that is no failure");
}

#[tokio::test]
async fn one_goes_on_when_its_recorder_dies() {
    let app = app("streams-dies").await;
    let meeting = busy(&app).await;
    let started = begin(&app, &meeting).await;
    until(&app, &started["id"].text(), "LIVE").await;
    let until = Instant::now() + Duration::from_secs(30);
    let text = loop {
        let (text, _) = playlist(&app, &started["playback_url"].text()).await;
        if text.contains("2-1.m4s") {
            break text;
        }
        assert!(Instant::now() < until, "{text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(text.contains("#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"2-1.mp4\""), "{text}");
    stop(&app, &meeting).await.expect(200);
}

#[tokio::test]
async fn a_receiver_is_sent_it_too_and_its_address_is_told_to_nobody() {
    let app = app("streams-refused").await;
    let meeting = busy(&app).await;
    let path = format!("/meetings/{meeting}/livestreams");
    let said = app.post(&path, json!({"rtmp_out_config": {"rtmp_url": "rtmp://example.org/live/s3cret"}})).await;
    assert!(!said.json().to_string().contains("s3cret"), "its key is told");
    let id = said.expect(201)["data"]["id"].text();
    until(&app, &id, "LIVE").await;
    let job = std::fs::read_to_string(app.data.join("recordings").join(&id).join("1/job.json")).expect("a job");
    let job: Value = serde_json::from_str(&job).expect("JSON");
    assert_eq!(job["rtmp"]["url"], "rtmp://example.org/live/s3cret");
    stop(&app, &meeting).await.expect(200);
    // That its receiver did not take it is told, and is no failure of the livestream's.
    let over = until(&app, &id, "IDLE").await;
    let why = "not streamed to its RTMP address: the receiver cannot be reached";
    assert_eq!(over["session"]["err_message"], why);
    let row =
        app.running.doors.store.livestream(&RecordingId::parse(&id).expect("an id")).await.expect("a store").expect("a row");
    assert!(row.rtmp_url().is_none() && !row.config.to_string().contains("s3cret"), "it is forgotten");
    // So is that of one whose node has gone for good.
    let doors = &app.running.doors;
    let gone = RecordingId::parse(&UNKNOWN.replace("00000000-", "00000001-")).expect("an id");
    let (status, now) = (LivestreamStatus::Live, doors.clock.now());
    let again = |text: &str| text.replace('a', "b") + "0";
    let (secret, run) = (again(&row.secret), again(&row.run));
    let mut left = Livestream { id: gone.clone(), node: "gone for good".to_owned(), secret, run, status, ..row };
    left.stream_to("rtmp://example.org/live/s3cret");
    doors.store.create_livestream(&left).await.expect("a store");
    doors.livestreams.sweep_once(now.plus_ms(3 * 86_400_000)).await.expect("a store");
    let row = doors.store.livestream(&gone).await.expect("a store").expect("a row");
    assert!(row.status == LivestreamStatus::Errored && row.rtmp_url().is_none(), "{:?}", row.status);
}

#[tokio::test]
async fn what_cannot_be_streamed_is_refused_in_words() {
    let app = app("streams").await;
    let meeting = app.meeting("Planning").await;
    let path = format!("/meetings/{meeting}/livestreams");
    assert!(app.post(&path, json!({})).await.refused(404).contains("No active session"));
    app.post(&format!("/meetings/{UNKNOWN}/livestreams"), json!({})).await.refused(404);
    stop(&app, UNKNOWN).await.refused(404);
    stop(&app, &meeting).await.expect(200);
    app.enter(&meeting, "ada").await;
    for (body, field) in [
        (json!({"name": "two words"}), "\"name\""),
        (json!({"name": 7}), "\"name\""),
        (json!({"video_config": {"width": 4096}}), "\"video_config.width\""),
        (json!({"video_config": {"height": 0}}), "\"video_config.height\""),
    ] {
        let said = app.post(&path, body).await.refused(400);
        assert!(said.contains(field), "{said}");
    }
    app.post(&path, json!({"manual_ingest": true})).await.refused(422);
    for url in ["rtmp://10.0.0.1/live/s3cret", "rtmps://[::ffff:10.0.0.1]/live/s3cret", "https://example.org/live/s3cret"] {
        let said = app.post(&path, json!({"rtmp_out_config": {"rtmp_url": url}})).await.refused(422);
        assert!(said.contains("\"rtmp_url\" must") && !said.contains("s3cret"), "{said}");
    }
    for (method, path) in [
        ("POST", "/livestreams".to_owned()),
        ("PUT", format!("/livestreams/{UNKNOWN}/enable")),
        ("PUT", format!("/livestreams/{UNKNOWN}/disable")),
        ("POST", format!("/livestreams/{UNKNOWN}/reset-stream-key")),
    ] {
        // Only one that is there can be changed, and none is made that nobody could stream to.
        let status = if path == "/livestreams" { 422 } else { 404 };
        let said = app.call(method, &path).json(&json!({})).send().await.refused(status);
        assert!(status == 404 || said.contains("livestreams.ingest_listen"), "{said}");
    }
    app.get(&format!("/livestreams/{UNKNOWN}")).await.refused(404);
    app.get(&format!("/livestreams/sessions/{UNKNOWN}")).await.refused(404);
    app.get("/livestreams?status=LOST").await.refused(400);
    app.get("/livestreams?sort_order=UP").await.refused(400);
    let empty = app.get("/livestreams").await;
    assert_eq!(empty.expect(200)["data"]["paging"]["total_count"], 0);
    let app = TestApp::with(|config| config.recording.ffmpeg = "no-such-program".to_owned()).await;
    let meeting = busy(&app).await;
    let said = app.post(&format!("/meetings/{meeting}/livestreams"), json!({})).await.refused(422);
    assert!(said.contains("ffmpeg is not installed"), "{said}");
}

#[tokio::test]
async fn another_app_has_none_of_it_and_lists_find_what_is_asked_for() {
    let app = app("streams").await;
    let theirs = app.other_account("theirs", "their-key", None).await;
    let (one, two) = (busy(&app).await, busy(&app).await);
    let (first, second) = (begin(&app, &one).await["id"].text(), begin(&app, &two).await["id"].text());
    until(&app, &first, "LIVE").await;
    stop(&app, &two).await.expect(200);
    until(&app, &second, "IDLE").await;
    let kit = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}");
    let foreign = |method: &str, path: &str| {
        app.bare(method, &format!("{kit}{path}")).header("authorization", "Bearer their-key").json(&json!({}))
    };
    foreign("GET", &format!("/livestreams/{first}")).send().await.refused(404);
    foreign("GET", &format!("/meetings/{one}/active-livestream")).send().await.refused(404);
    foreign("POST", &format!("/meetings/{one}/active-livestream/stop")).send().await.refused(404);
    foreign("POST", &format!("/meetings/{one}/livestreams")).send().await.refused(404);
    assert_eq!(foreign("GET", "/livestreams").send().await.expect(200)["data"]["livestreams"], json!([]));
    until(&app, &first, "LIVE").await;

    let ids = async |query: &str| -> Vec<String> {
        let list = app.get(&format!("/livestreams?{query}")).await;
        let list = list.expect(200)["data"]["livestreams"].clone();
        list.as_array().expect("a list").iter().map(|found| found["id"].text()).collect()
    };
    assert_eq!(ids("sort_order=ASC").await, [&*first, &*second]);
    assert_eq!(ids("sort_order=DSC").await, [&*second, &*first]);
    assert_eq!(ids("status=LIVE").await, [&*first]);
    assert_eq!(ids("sort_order=DSC&per_page=1&page_no=2").await, [&*first]);
    assert_eq!(ids("exclude_meetings=true").await.len(), 0);
    assert_eq!(ids("start_time=2099-01-01T00:00:00Z").await.len(), 0);
    let of_one = app.get(&format!("/meetings/{one}/livestream")).await;
    let of_one = of_one.expect(200);
    assert_eq!((&of_one["data"]["livestreams"][0]["id"], &of_one["paging"]["total_count"]), (&json!(first), &json!(1)));
    let session = app.get(&format!("/meetings/{one}/active-session")).await.expect(200)["data"]["id"].text();
    let runs = app.get(&format!("/sessions/{session}/livestream-sessions")).await;
    let runs = runs.expect(200);
    assert_eq!(runs["data"]["data"][0]["livestream_id"], json!(first));
}

#[tokio::test]
async fn participants_stream_what_their_session_lets_them() {
    let app = app("streams").await;
    let meeting = app.meeting("Planning").await;
    let host = app.participant(&meeting, "group_call_host", "hana").await;
    let guest = app.participant(&meeting, "group_call_participant", "bo").await;
    let elsewhere = busy(&app).await;
    let ask = |method: &str, path: &str, who: &Value| {
        app.bare(method, &format!("/v2{path}")).header("authorization", &format!("Bearer {}", who["token"].text()))
    };
    let start =
        |who: &Value| ask("POST", &format!("/meetings/{meeting}/livestreams"), who).json(&json!({"manual_ingest": false})).send();
    let stop = |who: &Value| ask("POST", &format!("/meetings/{meeting}/active-livestream/stop"), who).send();
    start(&host).await.refused(404);
    app.join(&guest["id"].text()).await;
    assert!(start(&host).await.refused(404).contains("join the meeting first"));
    app.join(&host["id"].text()).await;
    start(&guest).await.refused(403);
    ask("POST", &format!("/meetings/{elsewhere}/livestreams"), &host).json(&json!({})).send().await.refused(403);
    let id = start(&host).await.expect(201)["data"]["id"].text();
    until(&app, &id, "LIVE").await;
    // Whoever is in may watch, and nobody who waits outside.
    let outside = app.participant(&meeting, "group_call_participant", "cy").await;
    let seen = ask("GET", &format!("/meetings/{meeting}/active-livestream"), &outside).send().await.expect(200)["data"].clone();
    assert_eq!(seen, json!({}));
    let seen = ask("GET", &format!("/meetings/{meeting}/active-livestream"), &guest).send().await.expect(200)["data"].clone();
    assert_eq!(seen["status"], "LIVE");
    stop(&guest).await.refused(403);
    stop(&host).await.expect(200);
    until(&app, &id, "IDLE").await;
    stop(&host).await.expect(200);
}

#[tokio::test]
async fn a_stream_key_is_told_to_those_who_may_stream_and_nobody_else() {
    let app = TestApp::with(|config| {
        config.livestreams.ingest_listen = vec!["127.0.0.1:0".parse().expect("an address")];
        config.livestreams.ingest_url = "rtmps://live.example.org/live".to_owned();
    })
    .await;
    let keys = "/client/v4/accounts/dev/api-keys";
    let made = app.bare("POST", keys).header("authorization", "Bearer dev-token").json(&json!({"scope": "read"})).send().await;
    let reader = made.expect(201)["data"]["secret"].text();
    let made = app.post("/livestreams", json!({"name": "Radio"})).await.expect(201)["data"].clone();
    assert_eq!(made["ingest_server"], "rtmps://live.example.org/live");
    let (key, path) = (made["stream_key"].text(), format!("/livestreams/{}", made["id"].text()));
    let reads = |method: &str, path: &str| {
        let call = app.call(method, path).without("authorization").header("authorization", &format!("Bearer {reader}"));
        if method == "GET" { call.send() } else { call.json(&json!({})).send() }
    };
    for path in [&*path, "/livestreams"] {
        assert!(app.get(path).await.expect(200).to_string().contains(&key));
        let seen = reads("GET", path).await.expect(200).to_string();
        assert!(seen.contains("Radio") && !seen.contains(&key) && !seen.contains("ingest_server"), "{seen}");
    }
    for change in ["disable", "enable"] {
        reads("PUT", &format!("{path}/{change}")).await.refused(403);
    }
    reads("POST", &format!("{path}/reset-stream-key")).await.refused(403);
    let theirs = app.other_account("theirs", "their-key", None).await;
    let kit = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}");
    let foreign = app.bare("POST", &format!("{kit}{path}/reset-stream-key")).header("authorization", "Bearer their-key");
    foreign.json(&json!({})).send().await.refused(404);
    app.post("/livestreams", json!({"name": "two words"})).await.refused(400);

    let meeting = app.meeting("Planning").await;
    let host = app.participant(&meeting, "group_call_host", "hana").await;
    let guest = app.participant(&meeting, "group_call_participant", "bo").await;
    for who in [&host, &guest] {
        app.join(&who["id"].text()).await;
    }
    let ask = |method: &str, path: &str, who: &Value| {
        app.bare(method, &format!("/v2/meetings/{meeting}{path}"))
            .header("authorization", &format!("Bearer {}", who["token"].text()))
    };
    ask("POST", "/livestreams", &guest).json(&json!({"manual_ingest": true})).send().await.refused(403);
    let on = json!({"manual_ingest": true, "rtmp_out_config": {"rtmp_url": "rtmp://example.org/live/x"}});
    ask("POST", "/livestreams", &host).json(&on).send().await.refused(422);
    let started =
        ask("POST", "/livestreams", &host).json(&json!({"manual_ingest": true})).send().await.expect(201)["data"].clone();
    let active = async |who: &Value| ask("GET", "/active-livestream", who).send().await.expect(200)["data"].clone();
    assert_eq!(active(&host).await["stream_key"], started["stream_key"]);
    let seen = active(&guest).await;
    assert_eq!((&seen["playback_url"], &seen["manual_ingest"]), (&started["playback_url"], &json!(true)));
    assert_eq!((seen.get("stream_key"), seen.get("ingest_server")), (None, None));
    stop(&app, &meeting).await.expect(200);
    until(&app, &started["id"].text(), "IDLE").await;
    // One that is made of a meeting has no key to change.
    app.post(&format!("/livestreams/{UNKNOWN}/reset-stream-key"), json!({})).await.refused(404);
}
