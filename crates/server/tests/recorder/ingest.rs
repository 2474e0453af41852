//! Others stream to a server by RTMP, as ffmpeg and OBS do: those who watch see their pictures and hear their sound, whoever may not
//! stream is refused, and a server that is killed loses nobody. Times are waited for, never judged.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Folder, Server, has_ffmpeg};
use crate::sound::tone;
use crate::support::{Call, KIT, TestApp, Text};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An encoder: blue pictures with a key frame a second, and a tone of 1000 Hz.
struct Encoder(Child);

const BLUE: &str = "-f lavfi -i color=c=blue:s=320x180:r=25";
const TONE: &str = "-f lavfi -i sine=f=1000:r=48000";
const USUAL: &str = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -c:a aac";

impl Encoder {
    fn streams(to: &str, what: &str) -> Self {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-re"]).args(what.split_whitespace()).args(["-f", "flv", to]);
        Self(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn usual(livestream: &Value) -> Self {
        Self::streams(&address(livestream), &format!("{BLUE} {TONE} {USUAL}"))
    }

    /// Waits until it has gone by itself.
    async fn ends(&mut self) {
        wait("it streams on", async || self.0.try_wait().unwrap().is_some().then_some(())).await;
    }

    fn is_there(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// As encoders that are switched off: it says that it ends.
    async fn stops(mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.ends().await;
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn address(livestream: &Value) -> String {
    format!("{}/{}", livestream["ingest_server"].text(), livestream["stream_key"].text())
}

async fn wait<T>(else_: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    let (until, mut look) = (Instant::now() + PATIENCE, look);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "{else_}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn call(at: SocketAddr, method: &str, path: &str, body: Value) -> crate::support::Said {
    let call = Call::new(at, method, &format!("{KIT}{path}")).header("authorization", "Bearer dev-token");
    if method == "GET" { call.send().await } else { call.json(&body).send().await }
}

async fn create(at: SocketAddr) -> Value {
    call(at, "POST", "/livestreams", json!({"name": "Town-hall_1"})).await.expect(201)["data"].clone()
}

/// The livestream and its sessions, once its status is so.
async fn until(at: SocketAddr, livestream: &Value, status: &str) -> Value {
    let path = format!("/livestreams/{}", livestream["id"].text());
    wait(status, async || {
        let found = call(at, "GET", &path, Value::Null).await.expect(200)["data"].clone();
        (found["livestream"]["status"] == status).then_some(found)
    })
    .await
}

/// The playlist, as a player has it.
/// A server of its own with a livestream, which an encoder streams.
async fn streaming() -> (Folder, Server, Value, Encoder) {
    let folder = Folder::new();
    let server = Server::start(&folder.0, "127.0.0.1:0");
    let made = create(server.address).await;
    let encoder = Encoder::usual(&made);
    until(server.address, &made, "LIVE").await;
    (folder, server, made, encoder)
}

async fn playlist(at: SocketAddr, livestream: &Value) -> String {
    let path = |url: &str| format!("/{}", url.splitn(4, '/').nth(3).unwrap());
    let index = path(&livestream["playback_url"].text());
    let said = Call::new(at, "GET", &index).send().await;
    assert_eq!(said.status, 200);
    let text = String::from_utf8(said.body).unwrap();
    let own = text.lines().find(|line| !line.starts_with('#')).unwrap();
    String::from_utf8(Call::new(at, "GET", &index.replace("index.m3u8", own)).send().await.body).unwrap()
}

/// What a player decodes of it: the middle of its pictures, and how much of its sound is the tone.
fn watched(livestream: &Value) -> ([u8; 3], usize, f32) {
    let url = livestream["playback_url"].text();
    let pictures = "-t 2 -vf crop=2:2,scale=1:1 -pix_fmt rgb24 -f rawvideo -";
    let from = ["-live_start_index", "0", "-i", &url];
    let play = |how: &str| {
        // While it goes on it warns that it reads the same head again.
        let ran =
            Command::new("ffmpeg").args(["-v", "error"]).args(from).args(how.split(' ')).stdin(Stdio::null()).output().unwrap();
        assert!(ran.status.success() && ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    };
    let pixels = play(pictures);
    let sound = play("-t 2 -vn -ac 1 -ar 48000 -f f32le -");
    let samples: Vec<f32> = sound.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    let middle = pixels.len() / 6 * 3;
    ([pixels[middle], pixels[middle + 1], pixels[middle + 2]], pixels.len() / 3, tone(&samples[24_000..72_000], 1_000.0))
}

async fn app() -> TestApp {
    TestApp::with(|config| {
        config.recording.program = vec![env!("CARGO_BIN_EXE_salon").into(), "recorder".into()];
        config.livestreams.ingest_listen = vec!["127.0.0.1:0".parse().unwrap()];
        // What is streamed to it is copied: nothing encodes.
        config.recording.ffmpeg = "no-such-program".to_owned();
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_streamed_with_a_key_is_watched_and_every_time_is_a_session() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let app = app().await;
    let at = app.running.addr;
    let made = create(at).await;
    assert_eq!((&made["status"], &made["disabled"], made.get("meeting_id")), (&json!("IDLE"), &json!(false), None));
    assert_eq!((&made["name"], &made["manual_ingest"]), (&json!("Town-hall_1"), &json!(true)));
    let path = format!("/livestreams/{}", made["id"].text());
    let before = call(at, "GET", &path, Value::Null).await.expect(200)["data"].clone();
    assert_eq!((before.get("session"), &before["paging"]["total_count"]), (None, &json!(0)));
    app.get(&format!("{path}/active-livestream-session")).await.refused(404);
    let mut first = Encoder::usual(&made);
    let live = until(at, &made, "LIVE").await;
    // Somebody else with the same key is refused, and the first goes on.
    Encoder::usual(&made).ends().await;
    let (middle, pictures, loud) = tokio::task::block_in_place(|| watched(&made));
    assert!(middle[2] > 200 && middle[0] < 60 && middle[1] < 60, "{middle:?} is not blue");
    assert!((45..=52).contains(&pictures) && loud > 0.08, "{pictures} pictures, {loud} of the tone");
    assert!(first.is_there());
    // Who may not stream any more is ended, and what was there can be watched.
    call(at, "PUT", &format!("{path}/disable"), json!({})).await.expect(200);
    first.ends().await;
    let over = until(at, &made, "IDLE").await;
    assert_eq!((&over["livestream"]["disabled"], &over["session"]["id"]), (&json!("true"), &live["session"]["id"]));
    assert!(over["session"]["ingest_seconds"].as_u64().unwrap() >= 2 && over["session"]["viewer_seconds"].as_u64().unwrap() >= 2);
    assert!(playlist(at, &made).await.ends_with("#EXT-X-ENDLIST\n"));
    Encoder::usual(&made).ends().await;
    let enabled = call(at, "PUT", &format!("{path}/enable"), json!({})).await.expect(200)["data"].clone();
    assert_eq!((&enabled["disabled"], &enabled["stream_key"]), (&json!(false), &made["stream_key"]));
    let reset = call(at, "POST", &format!("{path}/reset-stream-key"), json!({})).await.expect(200)["data"].clone();
    assert_ne!(reset["stream_key"], made["stream_key"]);
    Encoder::usual(&made).ends().await;
    assert_eq!(until(at, &made, "IDLE").await["sessions"].as_array().unwrap().len(), 1, "the old key opens nothing");
    let second = Encoder::usual(&reset);
    let again = until(at, &made, "LIVE").await;
    assert_eq!((again["sessions"].as_array().unwrap().len(), &again["sessions"][1]), (2, &over["session"]));
    assert_ne!(again["session"]["id"], over["session"]["id"]);
    app.get(&format!("/livestreams/sessions/{}", over["session"]["id"].text())).await.expect(200);
    second.stops().await;
    let over = until(at, &made, "IDLE").await;
    assert_eq!(over["session"].get("err_message"), None);
    let days = app.get("/analytics/livestreams/overall").await.expect(200)["data"].clone();
    assert_eq!(days["count"], 2);
    // The key is in no file of it.
    let folder = app.data.join("recordings").join(made["id"].text()).join("1");
    for file in ["said.jsonl", "log"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(!text.contains(&reset["stream_key"].text()), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_waits_for_whoever_streams_and_waits_again() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let app = app().await;
    let at = app.running.addr;
    let meeting = app.meeting("Planning").await;
    let path = format!("/meetings/{meeting}/livestreams");
    app.post(&path, json!({"manual_ingest": true})).await.refused(404);
    app.enter(&meeting, "ada").await;
    let made = app.post(&path, json!({"manual_ingest": true})).await.expect(201)["data"].clone();
    assert_eq!((&made["status"], &made["meeting_id"]), (&json!("INVOKED"), &json!(meeting)));
    app.post(&path, json!({"manual_ingest": true})).await.refused(409);
    let active = app.get(&format!("/meetings/{meeting}/active-livestream")).await.expect(200)["data"].clone();
    assert_eq!((&active["stream_key"], &active["manual_ingest"]), (&made["stream_key"], &json!(true)));
    for _ in 0..2 {
        let encoder = Encoder::usual(&made);
        until(at, &made, "LIVE").await;
        encoder.stops().await;
        until(at, &made, "INVOKED").await;
    }
    assert!(playlist(at, &made).await.contains("#EXT-X-DISCONTINUITY\n"), "who comes again goes on");
    app.call("POST", &format!("/meetings/{meeting}/active-livestream/stop")).send().await.expect(200);
    until(at, &made, "IDLE").await;
    Encoder::usual(&made).ends().await;
    assert_eq!(app.get(&format!("/meetings/{meeting}/active-livestream")).await.expect(200)["data"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_speaks_nonsense_or_sends_other_formats_is_let_go() {
    let app = app().await;
    let at = app.running.addr;
    let made = create(at).await;
    let door = made["ingest_server"].text();
    let door: SocketAddr = door.split('/').nth(2).unwrap().parse().unwrap();
    let mut silent: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(door).unwrap()).collect();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[3; 40_000], &[0xff; 100]] {
        let mut stream = TcpStream::connect(door).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(bytes);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < 5_000, "{} bytes in answer", rest.len());
    }
    // Those who came first and said nothing have gone for others.
    silent[0].set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(silent[0].read(&mut [0; 9]).unwrap_or(0), 0);
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let key = made["stream_key"].text();
    for odd in [format!("live/{}x", &key[..63]), "live/".to_owned(), key.clone(), format!("live/app/{}", key.to_uppercase())] {
        let mut encoder = Encoder::streams(&format!("rtmp://{door}/{odd}"), &format!("{BLUE} {TONE} {USUAL}"));
        encoder.ends().await;
    }
    for (what, why) in [
        (format!("{BLUE} {TONE} -c:v flv1 -c:a aac"), "its pictures are not in H.264"),
        (format!("{BLUE} {TONE} -c:v libx264 -g 25 -pix_fmt yuv420p -c:a libmp3lame -ar 44100"), "its sound is not in AAC"),
    ] {
        let path = format!("/livestreams/{}", made["id"].text());
        wait(why, async || {
            // One that comes too soon after another is refused, and comes again.
            Encoder::streams(&address(&made), &what).ends().await;
            let found = app.get(&path).await.expect(200)["data"].clone();
            (found["session"]["err_message"] == why).then_some(())
        })
        .await;
    }
    // And a good one is taken as if nothing had been.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let encoder = Encoder::usual(&made);
    until(at, &made, "LIVE").await;
    encoder.stops().await;
    let over = until(at, &made, "IDLE").await;
    assert_eq!(over["session"].get("err_message"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_loses_nobody_and_whoever_was_cut_off_goes_on() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (folder, server, made, mut encoder) = streaming().await;
    let at = server.address;
    let live = until(at, &made, "LIVE").await;
    server.kill();
    let _server = Server::start(&folder.0, &at.to_string());
    let before = playlist(at, &made).await;
    let count = |playlist: &str| playlist.matches("#EXTINF").count();
    let later = wait("it does not go on", async || {
        let now = playlist(at, &made).await;
        (count(&now) >= count(&before) + 2).then_some(now)
    })
    .await;
    assert!(encoder.is_there() && !later.contains("DISCONTINUITY\n"), "nobody noticed: {later}");
    // Now the encoder dies, and another takes its place.
    drop(encoder);
    let again = call(at, "GET", &format!("/livestreams/{}", made["id"].text()), Value::Null).await.expect(200)["data"].clone();
    let encoder = wait("it is not let in again", async || {
        let mut encoder = Encoder::usual(&again["livestream"]);
        tokio::time::sleep(Duration::from_secs(2)).await;
        encoder.is_there().then_some(encoder)
    })
    .await;
    let later = wait("it does not go on", async || {
        let now = playlist(at, &made).await;
        now.contains("#EXT-X-DISCONTINUITY\n").then_some(now)
    })
    .await;
    assert!(later.contains("1-") && later.contains("2-"), "{later}");
    assert_eq!(until(at, &made, "LIVE").await["session"]["id"], live["session"]["id"]);
    encoder.stops().await;
    assert_eq!(until(at, &made, "IDLE").await["session"].get("err_message"), None);
}

#[tokio::test]
async fn a_key_that_was_reset_streams_no_more_though_the_server_died_before_it_could_say_so() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (folder, server, made, mut encoder) = streaming().await;
    let at = server.address;
    call(at, "POST", &format!("/livestreams/{}/reset-stream-key", made["id"].text()), json!({})).await.expect(200);
    server.kill();
    let _server = Server::start(&folder.0, &at.to_string());
    encoder.ends().await;
    until(at, &made, "IDLE").await;
}
