//! What people say is written down: by whom it is heard, when everybody is told, and what there is afterwards.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use prost::Message as _;
use salon_peer::{Invite, Peer};
use salon_server::config::{Config, Secret, TranscriptionEngine};
use salon_store::ListeningState;
use salon_wire::event_id::room;
use salon_wire::signaling::message::v1::SocketMessage;
use salon_wire::signaling::socket::ai::MeetingTranscript;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::sync::mpsc;

use crate::people::{Device, Person};
use crate::receiver::{Mood, Receiver};
use crate::support::contract::agrees;
use crate::support::{Call, Said, TestApp, Text, preset_body};
use crate::tones::{self, Services};

fn written_down(config: &mut Config) {
    config.recording.program = vec![env!("CARGO_BIN_EXE_salon").into(), "recorder".into()];
    config.transcription.engine = TranscriptionEngine::Command;
    config.transcription.command = tones::program();
}

async fn meeting(app: &TestApp, more: Value) -> String {
    let mut body = json!({"title": "Choir"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.post("/meetings", body).await.expect(201)["data"]["id"].text()
}

/// Somebody whose preset has what they say written down at once, or not, who sings for a second of each four.
async fn sings(app: &TestApp, meeting: &str, name: &str, hertz: f32, is_enabled: bool) -> Person {
    let preset = format!("singer-{is_enabled}");
    let mut body = preset_body(&preset);
    body["permissions"]["transcription_enabled"] = is_enabled.into();
    // The second time it is there.
    let _ = app.post("/presets", body).await;
    let participant = app.participant(meeting, &preset, name).await;
    Person::comes_with(app.running.addr, meeting, &participant, Device::new(hertz, |n| n < 50)).await
}

/// Somebody who only reads along.
async fn reads(app: &TestApp, meeting: &str) -> (Peer, mpsc::Receiver<SocketMessage>, String) {
    let participant = app.participant(meeting, "group_call_host", "reader").await;
    let token = participant["token"].text();
    let invite = Invite { meeting: meeting.to_owned(), participant: participant["id"].text(), token: token.clone() };
    let id = "00000000-0000-4000-8000-00000000000a".to_owned();
    let (peer, pushes) = Peer::open_as(&app.running.addr.to_string(), invite, id).await.unwrap();
    peer.enter().await.unwrap();
    (peer, pushes, token)
}

/// What it is told of what is said: whether it is whole, and the line.
async fn told(pushes: &mut mpsc::Receiver<SocketMessage>) -> (bool, String) {
    loop {
        let push = tokio::time::timeout(Duration::from_secs(60), pushes.recv()).await.expect("it is told").unwrap();
        if push.event == room::TRANSCRIPT {
            let told = MeetingTranscript::decode(push.payload.unwrap()).unwrap();
            return (!told.is_partial, told.transcript);
        }
    }
}

async fn told_whole(pushes: &mut mpsc::Receiver<SocketMessage>) -> String {
    loop {
        if let (true, line) = told(pushes).await {
            return line;
        }
    }
}

fn fetch(app: &TestApp, url: &str) -> Call {
    app.bare("GET", &format!("/{}", url.splitn(4, '/').nth(3).expect("an absolute address")))
}

async fn text(app: &TestApp, url: &str) -> String {
    let said = fetch(app, url).send().await;
    assert_eq!(said.status, 200, "{}", String::from_utf8_lossy(&said.body));
    String::from_utf8(said.body).unwrap()
}

/// What is there once it is.
async fn until_there(app: &TestApp, path: &str) -> Said {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let said = app.get(path).await;
        if said.status == 200 {
            return said;
        }
        assert!(Instant::now() < until, "{path} stays away: {}", String::from_utf8_lossy(&said.body));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The rows of a CSV in which every field is quoted, and nothing in it is a quote.
fn rows(csv: &str) -> Vec<Vec<String>> {
    let row = |line: &str| line.trim_matches('"').split("\",\"").map(str::to_owned).collect();
    csv.lines().map(row).collect()
}

async fn session(app: &TestApp, meeting: &str) -> String {
    app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"]["id"].text()
}

async fn ends(app: &TestApp, meeting: &str) {
    app.post(&format!("/meetings/{meeting}/active-session/kick-all"), json!({})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_written_down_at_once_is_told_of_and_everybody_is_in_the_transcript() {
    let receiver = Receiver::start(Mood::Says(200)).await;
    let app = TestApp::with(written_down).await;
    let hook = json!({"name": "Hook", "url": receiver.url, "events": ["meeting.ended", "meeting.transcript", "meeting.summary"]});
    app.post("/webhooks", hook).await.expect(201);
    let meeting = meeting(&app, json!({"transcribe_on_end": true, "ai_config": {"transcription": {"language": "nl"}}})).await;
    let ana = sings(&app, &meeting, "ana", 400.0, true).await;
    let bo = sings(&app, &meeting, "bo", 700.0, false).await;
    let (_reader, mut pushes, token) = reads(&app, &meeting).await;
    let active = format!("/v2/meetings/{meeting}/active-transcript");
    let as_reader = |path: &str| app.bare("GET", path).header("authorization", &format!("Bearer {token}"));

    let began = Instant::now();
    let (is_whole, first) = told(&mut pushes).await;
    assert!(!is_whole && first.ends_with(",\"400...\""), "a part of it comes first: {first}");
    let lines = [told_whole(&mut pushes).await, told_whole(&mut pushes).await];
    println!("two lines were told after {} ms", began.elapsed().as_millis());
    let session = session(&app, &meeting).await;
    for line in &lines {
        let fields: Vec<&str> = line.splitn(6, ',').collect();
        let seconds: i64 = fields[0].parse().unwrap();
        assert!((app.running.doors.clock.now().0 / 1_000 - seconds).abs() < 60, "{line}");
        assert_eq!((fields[1], &fields[3..]), (ana.id(), &["ana", "ana", "\"400 hertz, in \"\"nl\"\"\""][..]), "{line}");
    }
    let url = as_reader(&active).send().await.expect(200)["data"]["transcript_download_url"].text();
    let so_far = text(&app, &url).await;
    assert!(lines.iter().all(|line| so_far.lines().any(|known| known == line)) && !so_far.contains("700"), "{so_far}");
    assert_eq!(app.bare("GET", &active).send().await.status, 401);

    // The robot is nobody: in no list, no count, and no recording.
    let people = app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"].clone();
    assert_eq!((&people["live_participants"], &people["max_concurrent_participants"]), (&json!(3), &json!(3)));
    app.get(&format!("/recordings/active-recording/{meeting}")).await.refused(404);
    let known = app.get(&format!("/sessions/{session}/participants")).await.expect(200);
    assert_eq!(known["paging"]["total_count"], 3);

    let path = format!("/sessions/{session}/transcript");
    app.get(&path).await.refused(404);
    ends(&app, &meeting).await;
    let found = until_there(&app, &path).await;
    let found = agrees("GET", "/sessions/{session_id}/transcript", &found)["data"].clone();
    assert_eq!(found["sessionId"], json!(session));
    let csv = text(&app, &found["transcript_download_url"].text()).await;
    let rows = rows(&csv);
    let names: BTreeSet<&str> = rows.iter().map(|row| row[4].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["ana", "bo"]), "{csv}");
    let starts: Vec<i64> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert!(starts.is_sorted() && starts[0] < 30_000, "{starts:?}");
    for row in &rows {
        let (peer, hertz) = if row[4] == "ana" { (ana.id(), "400") } else { (bo.id(), "700") };
        assert_eq!((row[1].as_str(), row[3].as_str(), row.len()), (peer, row[4].as_str(), 6));
        assert!(row[5].starts_with(&format!("{hertz} hertz")), "{row:?}");
    }
    let of = async |format: &str| {
        let found = app.get(&format!("{path}?format={format}")).await.expect(200)["data"].clone();
        text(&app, &found["transcript_download_url"].text()).await
    };
    let json: Value = serde_json::from_str(&of("JSON").await).unwrap();
    let first = &json[0];
    assert_eq!((&first["startTime"], first["peerData"]["id"].text()), (&json!(starts[0]), rows[0][1].clone()));
    assert!(first["peerData"]["leftAt"].is_string() && first["endTime"].as_i64() > first["startTime"].as_i64(), "{first}");
    assert!(of("SRT").await.starts_with("1\n00:00:"));
    assert!(of("VTT").await.starts_with("WEBVTT\n\n00:00:"));
    app.get(&format!("{path}?format=DOC")).await.refused(400);
    let wrong = found["transcript_download_url"].text().replace(".csv", ".json");
    fetch(&app, &wrong).send().await.refused(404);

    let heard = receiver.hears(2).await;
    let heard: Vec<Value> = heard.iter().map(|heard| heard.json()).collect();
    assert_eq!((heard[0]["event"].text().as_str(), heard[1]["event"].text().as_str()), ("meeting.ended", "meeting.transcript"));
    assert_eq!(heard[1]["meeting"]["sessionId"], json!(session));
    assert_eq!(text(&app, &heard[1]["transcriptDownloadUrl"].text()).await, csv);
    assert_eq!(heard[1]["transcriptDownloadUrlExpiry"], found["transcript_download_url_expiry"]);
    let folder = app.data.join("recordings/transcripts");
    let until = Instant::now() + Duration::from_secs(10);
    while std::fs::read_dir(&folder).unwrap().next().is_some() {
        assert!(Instant::now() < until, "no sound is left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // Its time is over.
    let (transcripts, now) = (app.running.doors.transcripts.clone(), app.running.doors.clock.now());
    transcripts.sweep_once(now).await.unwrap();
    app.get(&path).await.expect(200);
    transcripts.sweep_once(now.plus_ms(8 * 86_400_000)).await.unwrap();
    app.get(&path).await.refused(404);
    fetch(&app, &found["transcript_download_url"].text()).send().await.refused(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_nobody_is_heard_and_what_is_said_live_is_the_transcript() {
    let app = TestApp::with(written_down).await;
    let meeting = meeting(&app, json!({})).await;
    let quiet = sings(&app, &meeting, "bo", 700.0, false).await;
    let session = session(&app, &meeting).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!app.data.join("recordings/transcripts").exists(), "nobody listens");
    let (_reader, mut pushes, _) = reads(&app, &meeting).await;
    let ana = sings(&app, &meeting, "ana", 1_000.0, true).await;
    let line = told_whole(&mut pushes).await;
    assert!(line.contains(ana.id()) && line.contains("1000 hertz"), "{line}");
    // It hears those alone whom it may.
    let pieces = || {
        let parts = std::fs::read_dir(app.data.join("recordings/transcripts")).unwrap().map(|job| job.unwrap().path().join("1"));
        let files = parts.flat_map(|part| std::fs::read_dir(part).unwrap()).map(|file| file.unwrap().file_name());
        files.filter_map(|name| name.into_string().ok()).filter(|name| name.contains(quiet.id())).count()
    };
    assert_eq!(pieces(), 0);
    ends(&app, &meeting).await;
    let found = until_there(&app, &format!("/sessions/{session}/transcript")).await.expect(200)["data"].clone();
    let csv = text(&app, &found["transcript_download_url"].text()).await;
    assert!(rows(&csv).iter().all(|row| row[4] == "ana"), "{csv}");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_asked_as_they_want_to_be_and_a_summary_is_made_of_the_whole() {
    let receiver = Receiver::start(Mood::Says(200)).await;
    let services = Services::start().await;
    let address = services.address.clone();
    let app = TestApp::with(|config| {
        written_down(config);
        config.transcription.engine = TranscriptionEngine::Http;
        config.transcription.url = format!("{address}/v1/audio/transcriptions");
        config.transcription.key = Secret::from("s3cret-1");
        config.summary.url = format!("{address}/v1/chat/completions");
        config.summary.key = Secret::from("s3cret-2");
        config.summary.model = "small".to_owned();
    })
    .await;
    let hook = json!({"name": "Hook", "url": receiver.url, "events": ["meeting.transcript", "meeting.summary"]});
    app.post("/webhooks", hook).await.expect(201);
    let how = json!({
        "transcribe_on_end": true, "summarize_on_end": true,
        "ai_config": {
            "transcription": {"language": "en-US", "keywords": ["Salon", "hertz"]},
            "summarization": {"summary_type": "code_review", "word_limit": 150, "text_format": "plain_text"},
        },
    });
    let meeting = meeting(&app, how).await;
    // The first two tries come to nothing.
    *services.fails.lock().unwrap() = 3;
    let (_reader, mut pushes, _) = reads(&app, &meeting).await;
    let _ana = sings(&app, &meeting, "ana", 1_300.0, true).await;
    assert!(told_whole(&mut pushes).await.contains("1300 hertz"));
    let session = session(&app, &meeting).await;
    let path = format!("/sessions/{session}/summary");
    app.get(&path).await.refused(404);
    app.post(&path, json!({})).await.refused(404);
    ends(&app, &meeting).await;
    let found = until_there(&app, &path).await;
    let found = agrees("GET", "/sessions/{session_id}/summary", &found)["data"].clone();
    let summary = text(&app, &found["summaryDownloadUrl"].text()).await;
    assert!(summary.starts_with("# Summary\n\nana said "), "{summary}");

    let asked = services.asked();
    let sound = asked.iter().find(|(path, ..)| path == "/v1/audio/transcriptions").unwrap();
    assert_eq!(sound.1, "Bearer s3cret-1");
    for field in
        ["name=\"model\"\r\n\r\nwhisper-1\r\n", "name=\"language\"\r\n\r\nen\r\n", "name=\"prompt\"\r\n\r\nSalon, hertz\r\n"]
    {
        assert!(sound.2.contains(field), "{}", sound.2);
    }
    let talk = asked.iter().find(|(path, ..)| path == "/v1/chat/completions").unwrap();
    assert_eq!(talk.1, "Bearer s3cret-2");
    assert!(talk.2.starts_with("\"small\" ") && talk.2.contains("150 words") && talk.2.contains("plain text"), "{}", talk.2);
    assert!(talk.2.contains("code review"), "{}", talk.2);

    // Again, and when nobody answers.
    let again = app.post(&path, json!({})).await;
    assert_eq!(agrees("POST", "/sessions/{session_id}/summary", &again)["data"]["session_id"], json!(session));
    let told: Vec<Value> = receiver.hears(3).await.iter().map(|heard| heard.json()).collect();
    let events: Vec<String> = told.iter().map(|told| told["event"].text()).collect();
    assert_eq!(events, ["meeting.transcript", "meeting.summary", "meeting.summary"]);
    assert_eq!(text(&app, &told[2]["summaryDownloadUrl"].text()).await, summary);

    // Whoever is erased takes what they said along.
    app.post("/erasures", json!({"custom_participant_id": "ana"})).await.expect(200);
    app.get(&path).await.refused(404);
    app.get(&format!("/sessions/{session}/transcript")).await.refused(404);
    fetch(&app, &found["summaryDownloadUrl"].text()).send().await.refused(404);
}

/// The process that listens.
fn robot(app: &TestApp) -> Option<(u32, String)> {
    let folder = app.data.join("recordings/transcripts").canonicalize().ok()?;
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let works_in = std::fs::read_link(entry.path().join("cwd")).ok()?;
        let part = works_in.file_name()?.to_str()?.to_owned();
        (works_in.starts_with(&folder)).then_some((pid, part))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_that_is_killed_is_missed_for_a_moment_only() {
    let app = TestApp::with(written_down).await;
    let meeting = meeting(&app, json!({"transcribe_on_end": true})).await;
    let (_reader, mut pushes, _) = reads(&app, &meeting).await;
    let _ana = sings(&app, &meeting, "ana", 400.0, true).await;
    told_whole(&mut pushes).await;
    let (pid, part) = robot(&app).unwrap();
    assert_eq!(part, "1");
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    let until = Instant::now() + Duration::from_secs(30);
    while robot(&app).is_none_or(|(_, part)| part != "2") {
        assert!(Instant::now() < until, "another comes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(told_whole(&mut pushes).await.contains("400 hertz"), "and is heard");
}

/// The folder of a node that is started again.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("salon-{name}-{}", std::process::id())))
    }

    /// Starts the node, whose engine and summaries are these services.
    async fn start(&self, services: &Services) -> TestApp {
        let address = services.address.clone();
        TestApp::with(|config| {
            written_down(config);
            config.data = self.0.clone();
            config.transcription.engine = TranscriptionEngine::Http;
            config.transcription.url = format!("{address}/v1/audio/transcriptions");
            config.summary.url = format!("{address}/v1/chat/completions");
        })
        .await
    }

    /// Runs a statement behind the node's back.
    async fn raw(&self, sql: &'static str) {
        let mut connection = SqliteConnectOptions::new().filename(self.0.join("salon.db")).connect().await.unwrap();
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Whose speech waits for the engine, and is whole.
    fn waiting(&self) -> String {
        let folders = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let files =
            folders(self.0.join("recordings/transcripts")).flat_map(folders).filter(|part| part.is_dir()).flat_map(folders);
        files
            .filter(|file| file.extension().is_some_and(|ending| ending == "wav"))
            .map(|file| file.display().to_string())
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so().await {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The node is started anew between the end of a session and the day on which the engine works again, when it was as far as
/// this. Only Ana has leave, and by its end the meeting does not want the others.
async fn what_waits_is_written_after_a_restart(state: ListeningState) {
    let folder = Folder::new(&format!("restart-{state:?}"));
    let services = Services::start().await;
    *services.fails.lock().unwrap() = usize::MAX;
    let app = folder.start(&services).await;
    let how = json!({"transcribe_on_end": true, "ai_config": {"transcription": {"language": "nl"}}});
    let meeting = meeting(&app, how).await;
    let ana = sings(&app, &meeting, "ana", 400.0, true).await;
    let bo = sings(&app, &meeting, "bo", 700.0, false).await;
    until("both are heard", async || folder.waiting().contains(ana.id()) && folder.waiting().contains(bo.id())).await;
    let session = session(&app, &meeting).await;
    let patch = app.call("PATCH", &format!("/meetings/{meeting}")).json(&json!({"transcribe_on_end": false}));
    patch.send().await.expect(200);
    ends(&app, &meeting).await;
    let doors = &app.running.doors;
    let is_so_far = async || doors.store.unfinished_listenings(doors.hub.name()).await.unwrap()[0].state == state;
    until("it is as far", is_so_far).await;
    app.stop().await;
    let asked = services.asked().len();

    let app = folder.start(&services).await;
    // Its meeting cannot be read when everything is written.
    folder.raw("alter table meetings rename to away").await;
    *services.fails.lock().unwrap() = 0;
    until("everything is written", async || folder.waiting().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    folder.raw("alter table away rename to meetings").await;
    let found = until_there(&app, &format!("/sessions/{session}/transcript")).await.expect(200)["data"].clone();
    let csv = text(&app, &found["transcript_download_url"].text()).await;
    let names: BTreeSet<String> = rows(&csv).into_iter().map(|row| row[4].clone()).collect();
    assert_eq!(names, BTreeSet::from(["ana".to_owned()]), "{csv}");
    let languages = services.asked()[asked..].iter().all(|(.., form)| form.contains("name=\"language\"\r\n\r\nnl\r\n"));
    assert!(languages, "as the meeting says");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_over_at_a_restart_is_written_down_after_it() {
    what_waits_is_written_after_a_restart(ListeningState::Listening).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_that_waits_for_the_engine_at_a_restart_is_written_down_after_it() {
    what_waits_is_written_after_a_restart(ListeningState::Writing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_that_cannot_be_noted_right_now_is_noted_later() {
    let folder = Folder::new("summary");
    let services = Services::start().await;
    let app = folder.start(&services).await;
    let meeting = meeting(&app, json!({"transcribe_on_end": true})).await;
    let (_reader, mut pushes, _) = reads(&app, &meeting).await;
    let _ana = sings(&app, &meeting, "ana", 400.0, true).await;
    told_whole(&mut pushes).await;
    let session = session(&app, &meeting).await;
    ends(&app, &meeting).await;
    until_there(&app, &format!("/sessions/{session}/transcript")).await;
    let asked = || services.asked().iter().filter(|(path, ..)| path == "/v1/chat/completions").count();
    // The first try comes to nothing, and before the second the store goes away.
    *services.fails.lock().unwrap() = 2;
    let path = format!("/sessions/{session}/summary");
    app.post(&path, json!({})).await.expect(200);
    until("it is asked", async || asked() == 1).await;
    folder.raw("alter table transcripts rename to away").await;
    until("it is asked again", async || asked() == 2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    folder.raw("alter table away rename to transcripts").await;
    let found = until_there(&app, &path).await.expect(200)["data"].clone();
    assert!(text(&app, &found["summaryDownloadUrl"].text()).await.contains("ana said"));

    // As a run leaves it that is killed before it begins.
    folder.raw("update transcripts set summary_state = 'asked', summary = null").await;
    app.get(&path).await.refused(404);
    app.post(&path, json!({})).await.expect(200);
    until_there(&app, &path).await;
    app.stop().await;
}
