//! Track recordings: a file for each voice and stay, whole, in time, and of nobody else.

use std::time::Duration;

use serde_json::{Value, json};

use crate::people::{Device, Person, robot};
use crate::process::{Folder, Recorder, Server, has_ffmpeg, run, said};
use crate::sound::{decode, heard, tone};
use crate::support::{Call, KIT, TestApp, Text, preset_body};

async fn job(app: &TestApp, meeting: &str, folder: &Folder) -> Value {
    json!({
        "id": "r", "server": format!("http://{}", app.running.addr), "meeting_id": meeting, "token": robot(app, meeting).await,
        "folder": folder.0, "name": "speaker", "kind": "track",
    })
}

async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// Milliseconds by which a busy machine may do things later than it is told.
const LATE: u64 = 400;

/// The moment in a file's name, at which its sound begins.
fn began(name: &str) -> u64 {
    name.rsplit_once('_').unwrap().1.strip_suffix(".webm").unwrap().parse().unwrap()
}

fn wall_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}

/// The file of a peer: what was said of it, and its samples.
fn file_of(finished: &Value, folder: &Folder, peer: &str) -> (Value, Vec<f32>) {
    let file = finished["files"].as_array().unwrap().iter().find(|file| file["peer_id"] == peer);
    let file = file.unwrap_or_else(|| panic!("no file of {peer} in {finished}")).clone();
    let path = folder.0.join(file["name"].text());
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(file["bytes"], bytes.len());
    let samples = decode(&bytes);
    assert!((samples.len() as u64 / 48).abs_diff(file["duration_ms"].as_u64().unwrap()) <= 1);
    if has_ffmpeg() {
        let path = path.to_str().unwrap();
        let told = run("ffprobe", &["-show_entries", "stream=codec_name:format=duration", "-of", "csv=p=0", path]);
        let told = String::from_utf8(told).unwrap();
        let told: Vec<&str> = told.lines().collect();
        assert_eq!(told[0], "opus");
        let length: f64 = told[1].parse().unwrap();
        assert!((length - samples.len() as f64 / 48_000.0).abs() < 0.02, "{length} s");
        let raw = run("ffmpeg", &["-i", path, "-f", "s16le", "-ac", "1", "-"]);
        assert!((raw.len() / 2).abs_diff(samples.len()) < 960, "who counts samples comes to the same");
    }
    (file, samples)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_voice_has_a_file_with_what_was_said_when_it_was_said() {
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let meeting = app.meeting("Stand-up").await;
    let ana = Person::speaks(&app, &meeting, "ana", 400.0).await;
    let mut recorder = Recorder::start(&job(&app, &meeting, &folder).await);
    recorder.hear("began").await;
    seconds(1.0).await;
    let bo = Person::speaks(&app, &meeting, "bo", 800.0).await;
    let spoke = wall_ms();
    seconds(1.0).await;
    ana.mute(true).await;
    let muted_at = wall_ms();
    seconds(1.5).await;
    let unmuted_at = wall_ms();
    ana.mute(false).await;
    seconds(1.0).await;
    let (ana_id, bo_id) = (ana.id().to_owned(), bo.id().to_owned());
    let left = wall_ms();
    drop(bo);
    seconds(0.5).await;
    let live = app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"].clone();
    assert_eq!((&live["live_participants"], &live["max_concurrent_participants"]), (&json!(1), &json!(2)), "a robot is nobody");
    let stopped = wall_ms();
    recorder.order("stop");
    let finished = recorder.hear("finished").await;
    assert_eq!(recorder.ends().await, Some(0));
    assert_eq!(said(&folder.0), ["began", "finished"]);
    assert_eq!(finished["files"].as_array().unwrap().len(), 2);

    let (file, samples) = file_of(&finished, &folder, &ana_id);
    let name = file["name"].text();
    assert!(name.starts_with(&format!("speaker_{}_{ana_id}_peer_audio_", file["user_id"].text())), "{name}");
    let spans = heard(&samples, 400.0);
    let [(_, muted), (unmuted, end)] = spans[..] else { panic!("{spans:?}") };
    for (at, meant) in [(muted, muted_at), (unmuted, unmuted_at), (end, stopped)] {
        assert!((began(&name) + at as u64).abs_diff(meant) < LATE, "{at} ms into {name} should be {meant}: {spans:?}");
    }
    assert!(tone(&samples, 800.0) < 0.01, "nobody else is in it");

    let (file, samples) = file_of(&finished, &folder, &bo_id);
    let spans = heard(&samples, 800.0);
    let [(start, end)] = spans[..] else { panic!("{spans:?}") };
    let name = file["name"].text();
    assert!(start <= 40 && began(&name).abs_diff(spoke) < 10 * LATE, "{start} ms into {name}, and spoke at {spoke}");
    assert!((began(&name) + end as u64).abs_diff(left) < LATE, "{name} ends after {end} ms, and left at {left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_on_the_list_are_recorded_latecomers_among_them_and_pauses_are_not() {
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let meeting = app.meeting("Stand-up").await;
    let _ana = Person::speaks(&app, &meeting, "ana", 400.0).await;
    let mut job = job(&app, &meeting, &folder).await;
    job["user_ids"] = json!(["bo"]);
    let mut recorder = Recorder::start(&job);
    let began = recorder.hear("began").await;
    let bo = Person::speaks(&app, &meeting, "bo", 800.0).await;
    seconds(1.0).await;
    recorder.order("pause");
    let paused = recorder.hear("paused").await;
    seconds(1.0).await;
    recorder.order("resume");
    let resumed = recorder.hear("resumed").await;
    seconds(1.0).await;
    // A server that died and came back finds the folder, and neither pipe.
    recorder.close_input();
    let pid: u32 = std::fs::read_to_string(folder.0.join("pid")).unwrap().parse().unwrap();
    assert_eq!(pid, recorder.id());
    std::fs::write(folder.0.join("orders.jsonl"), "{\"order\":\"stop\"}\n").unwrap();
    let finished = recorder.hear("finished").await;
    assert_eq!(said(&folder.0), ["began", "paused", "resumed", "finished"]);
    assert_eq!(finished["files"].as_array().unwrap().len(), 1);
    let (_, samples) = file_of(&finished, &folder, bo.id());
    let spans = heard(&samples, 800.0);
    let [(_, from), (to, _)] = spans[..] else { panic!("{spans:?}") };
    let pause = resumed["at_ms"].as_u64().unwrap() - paused["at_ms"].as_u64().unwrap();
    assert!(((to - from) as u64).abs_diff(pause) <= LATE, "{spans:?}, paused for {pause} ms");
    let all = finished["at_ms"].as_u64().unwrap() - began["at_ms"].as_u64().unwrap();
    assert!(finished["duration_ms"].as_u64().unwrap().abs_diff(all - pause) < LATE, "{finished}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_finishes_by_itself_when_the_session_ends_and_records_each_stay() {
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let meeting = app.meeting("Stand-up").await;
    let ana = Person::speaks(&app, &meeting, "ana", 400.0).await;
    let bo = Person::speaks(&app, &meeting, "bo", 600.0).await;
    let mut recorder = Recorder::start(&job(&app, &meeting, &folder).await);
    recorder.hear("began").await;
    seconds(0.7).await;
    let (bo_left, bo_id) = (wall_ms(), bo.id().to_owned());
    drop(bo);
    seconds(0.7).await;
    let cleo = Person::speaks(&app, &meeting, "cleo", 600.0).await;
    seconds(0.7).await;
    app.post(&format!("/meetings/{meeting}/active-session/kick-all"), json!({})).await.expect(200);
    let ended = wall_ms();
    let finished = recorder.hear("finished").await;
    assert_eq!(recorder.ends().await, Some(0));
    assert_eq!(finished["files"].as_array().unwrap().len(), 3);
    for (peer, end) in [(ana.id(), ended), (&bo_id, bo_left), (cleo.id(), ended)] {
        let (file, samples) = file_of(&finished, &folder, peer);
        let at = began(&file["name"].text()) + samples.len() as u64 / 48;
        assert!(at.abs_diff(end) < LATE, "{file} ends at {at}, and the stay at {end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_before_kill_9_plays() {
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let meeting = app.meeting("Stand-up").await;
    let _ana = Person::speaks(&app, &meeting, "ana", 400.0).await;
    let mut recorder = Recorder::start(&job(&app, &meeting, &folder).await);
    let began = recorder.hear("began").await["at_ms"].as_u64().unwrap();
    seconds(2.0).await;
    let killed = wall_ms();
    recorder.kill();
    let [path] = &folder.with(".webm")[..] else { panic!("one file") };
    let samples = decode(&std::fs::read(path).unwrap());
    let lost = (killed - began).saturating_sub(samples.len() as u64 / 48);
    assert!(lost < 500, "{lost} ms are lost");
    assert!(tone(&samples[4_800..], 400.0) > 0.2);
    if has_ffmpeg() {
        run("ffmpeg", &["-i", path.to_str().unwrap(), "-f", "null", "-"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_said_and_leaves_no_process() {
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let mut recorder = Recorder::start(&json!({"id": "r"}));
    assert_eq!(recorder.ends().await, Some(2), "no job");

    let meeting = app.meeting("Empty").await;
    let mut outside = job(&app, &meeting, &folder).await;
    outside["name"] = "../elsewhere".into();
    assert_eq!(Recorder::start(&outside).ends().await, Some(2), "a name that leads out of the folder");
    let mut recorder = Recorder::start(&job(&app, &meeting, &folder).await);
    let failed = recorder.hear("failed").await;
    assert!(failed["why"].text().contains("room.joinRoom is refused"), "{failed}");
    assert_eq!(recorder.ends().await, Some(1));

    let _quiet = app.enter(&meeting, "quiet").await;
    let mut recorder = Recorder::start(&job(&app, &meeting, &folder).await);
    recorder.hear("began").await;
    recorder.order("stop");
    assert_eq!(recorder.hear("failed").await["why"].text(), "nobody was heard");
    assert_eq!(recorder.ends().await, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_back_when_the_server_was_killed_and_goes_on() {
    let (data, folder) = (Folder::new(), Folder::new());
    let server = Server::start(&data.0, "127.0.0.1:0");
    let address = server.address;
    let ask = async |method: &str, path: &str, body: Value| {
        let call = Call::new(address, method, &format!("{KIT}{path}")).header("authorization", "Bearer dev-token");
        call.json(&body).send().await.json()["data"].clone()
    };
    let meeting = ask("POST", "/meetings", json!({"title": "Stand-up"})).await["id"].text();
    let mut preset = preset_body("robot");
    preset["permissions"]["recorder_type"] = "RECORDER".into();
    preset["permissions"]["hidden_participant"] = true.into();
    ask("POST", "/presets", preset).await;
    let add = async |name: &str, preset: &str| {
        let body = json!({"name": name, "preset_name": preset, "custom_participant_id": name});
        ask("POST", &format!("/meetings/{meeting}/participants"), body).await
    };
    let (ana, bo) = (add("ana", "group_call_host").await, add("bo", "group_call_host").await);
    let first = Person::comes_with(address, &meeting, &ana, Device::new(400.0, |_| true)).await;
    let job = json!({
        "id": "r", "server": format!("http://{address}"), "meeting_id": meeting, "token": add("robot", "robot").await["token"],
        "folder": folder.0, "name": "speaker", "kind": "track",
    });
    let mut recorder = Recorder::start(&job);
    recorder.hear("began").await;
    seconds(1.0).await;
    server.kill();
    recorder.close_input();
    let _server = Server::start(&data.0, &address.to_string());
    let second = Person::comes_with(address, &meeting, &bo, Device::new(800.0, |_| true)).await;
    let path = folder.0.clone();
    let there = async || {
        while std::fs::read_dir(&path)
            .unwrap()
            .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "webm"))
            .count()
            < 2
        {
            seconds(0.1).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(50), there()).await.expect("the second voice is recorded");
    seconds(1.0).await;
    std::fs::write(folder.0.join("orders.jsonl"), "{\"order\":\"stop\"}\n").unwrap();
    let finished = recorder.hear("finished").await;
    assert_eq!(finished["files"].as_array().unwrap().len(), 2);
    let (_, samples) = file_of(&finished, &folder, first.id());
    assert!(tone(&samples, 400.0) > 0.05, "what was said before is there");
    let (_, samples) = file_of(&finished, &folder, second.id());
    assert!(tone(&samples[9_600..], 800.0) > 0.2, "and what was said after");
}
