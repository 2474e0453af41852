//! Receivers that are streamed to: what they are sent is what is in the file, and whatever they do, the file is the same and
//! the end is not waited for. Receivers are ffmpeg that listens; times are printed, and judged only where one hangs for good.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::people::{Device, Person, robot};
use crate::ports::free_port;
use crate::process::{Folder, Recorder, has_ffmpeg, run};
use crate::support::{TestApp, Text};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An ffmpeg that takes a stream and writes it to a file.
struct Receiver {
    process: Child,
    file: PathBuf,
}

impl Receiver {
    fn listen(port: u16, file: PathBuf) -> Self {
        let from = format!("rtmp://127.0.0.1:{port}/live/k3y");
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y", "-listen", "1", "-f", "flv", "-i", &from, "-c", "copy", "-flush_packets", "1"]);
        let process = command.arg(&file).stdin(Stdio::null()).spawn().unwrap();
        Self { process, file }
    }

    /// Waits until it has so much.
    async fn has(&self, bytes: u64) {
        let until = Instant::now() + PATIENCE;
        while std::fs::metadata(&self.file).map_or(0, |file| file.len()) < bytes {
            assert!(Instant::now() < until, "it is sent nothing");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until its stream is over.
    async fn ends(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "its stream is not over");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What is decoded of a file's pictures.
fn pictures(file: &Path) -> Vec<String> {
    let path = file.to_str().unwrap();
    let pictures = run("ffmpeg", &["-i", path, "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let text = String::from_utf8(pictures).unwrap();
    let told = text.lines().filter(|line| !line.starts_with('#'));
    told.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// The same, and its sound as it is.
fn content(file: &Path) -> (Vec<String>, Vec<u8>) {
    let sound = run("ffmpeg", &["-i", file.to_str().unwrap(), "-map", "0:a", "-c", "copy", "-f", "adts", "-"]);
    (pictures(file), sound)
}

async fn job(app: &TestApp, meeting: &str, folder: &Folder, url: &str) -> Value {
    json!({
        "id": "r", "server": format!("http://{}", app.running.addr), "meeting_id": meeting, "token": robot(app, meeting).await,
        "folder": folder.0, "name": "all", "kind": "composite", "video": {"codec": "H264", "width": 320, "height": 180},
        "rtmp": {"url": url, "open": ["127.0.0.0/8"]},
    })
}

async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// A meeting with somebody in it who is seen and heard.
async fn busy() -> (TestApp, String, Person) {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Stand-up").await;
    let ana = Person::comes(&app, &meeting, "ana", Device::flashing(1_000.0, "0x2040c0")).await;
    (app, meeting, ana)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_is_sent_is_what_is_in_the_file() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (app, meeting, _ana) = busy().await;
    let (folder, port) = (Folder::new(), free_port());
    let mut receiver = Receiver::listen(port, folder.0.join("received.flv"));
    let mut recorder = Recorder::start(&job(&app, &meeting, &folder, &format!("rtmp://127.0.0.1:{port}/live/k3y")).await);
    recorder.hear("began").await;
    let streamed = recorder.hear("streamed").await;
    assert_eq!(streamed["why"], Value::Null, "{streamed}");
    seconds(5.0).await;
    let told = Command::new("ps").args(["-eo", "args"]).output().unwrap().stdout;
    let told = String::from_utf8(told).unwrap();
    let others = told.lines().filter(|line| line.contains("k3y") && !line.contains("-listen"));
    assert_eq!(others.count(), 0, "the key is in nobody's arguments");
    recorder.order("stop");
    let asked = Instant::now();
    recorder.hear("finished").await;
    println!("stopped after {:.1?}", asked.elapsed());
    receiver.ends().await;
    let (kept, sent) = (content(&folder.0.join("all.mp4")), content(&receiver.file));
    assert!(kept.0.len() > 120, "{} pictures", kept.0.len());
    assert!(kept == sent, "{} and {} pictures, {} and {} bytes of sound", kept.0.len(), sent.0.len(), kept.1.len(), sent.1.len());
    let info = run("ffprobe", &["-show_streams", "-of", "json", receiver.file.to_str().unwrap()]);
    let info: Value = serde_json::from_slice(&info).unwrap();
    let video = info["streams"].as_array().unwrap().iter().find(|stream| stream["codec_type"] == "video").unwrap();
    assert_eq!((&video["codec_name"], &video["width"], &video["height"]), (&json!("h264"), &json!(320), &json!(180)));
    let log = std::fs::read_to_string(folder.0.join("said.jsonl")).unwrap();
    assert!(!log.contains("k3y"), "{log}");
}

/// Answers whatever it is asked as a receiver would that takes the stream, and then reads no more.
async fn hanging() -> u16 {
    /// A command of RTMP: its name, the number that it answers, and what is in it behind that.
    fn command(name: &str, of: f64, more: &[u8]) -> Vec<u8> {
        let body = [&[2, 0, name.len() as u8], name.as_bytes(), &[0], &of.to_be_bytes(), &[5], more].concat();
        [&[3, 0, 0, 0, 0, 0, body.len() as u8, 20, 0, 0, 0, 0], &body[..]].concat()
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut came = [0; 1 + 2 * 1_536];
            stream.read_exact(&mut came[..1 + 1_536]).await.unwrap();
            stream.write_all(&[&[3][..], &[7; 2 * 1_536]].concat()).await.unwrap();
            let code = b"NetStream.Publish.Start";
            let status = [&[3, 0, 4][..], b"code", &[2, 0, code.len() as u8], code, &[0, 0, 9]].concat();
            let created = [&[0][..], &1_f64.to_be_bytes()].concat();
            let answers = [command("_result", 1.0, &[5]), command("_result", 4.0, &created), command("onStatus", 0.0, &status)];
            stream.write_all(&answers.concat()).await.unwrap();
            held.push(stream);
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_refuses_is_silent_or_hangs_harms_nothing() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (app, meeting, _ana) = busy().await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for (way, port) in [("none", free_port()), ("silent", silent.local_addr().unwrap().port()), ("hangs", hanging().await)] {
        let folder = Folder::new();
        let mut recorder = Recorder::start(&job(&app, &meeting, &folder, &format!("rtmp://127.0.0.1:{port}/live/k3y")).await);
        recorder.hear("began").await;
        match way {
            "none" => assert_eq!(recorder.hear("streamed").await["why"], "the receiver cannot be reached"),
            "silent" => seconds(5.0).await,
            _ => {
                assert_eq!(recorder.hear("streamed").await["why"], Value::Null);
                assert_eq!(recorder.hear("streamed").await["why"], "the receiver takes nothing more");
            }
        }
        recorder.order("stop");
        let asked = Instant::now();
        let finished = recorder.hear("finished").await;
        let took = asked.elapsed();
        println!("{way}: stopped after {took:.1?}");
        assert!(took < Duration::from_secs(20), "{way}: {took:?}");
        let (length, told) = (content(&folder.0.join("all.mp4")).0.len(), finished["duration_ms"].as_f64().unwrap() / 1_000.0);
        assert!((length as f64 / 30.0 - told).abs() < 0.2, "{way}: {length} pictures in {told} s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_dies_is_streamed_to_again_and_without_files_there_are_none() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (app, meeting, _ana) = busy().await;
    let (folder, port) = (Folder::new(), free_port());
    let receiver = Receiver::listen(port, folder.0.join("first.flv"));
    let mut job = job(&app, &meeting, &folder, &format!("rtmp://localhost:{port}/live/k3y")).await;
    job["rtmp"]["open"] = json!(["127.0.0.0/8", "::1"]);
    job["video"]["file"] = false.into();
    let mut recorder = Recorder::start(&job);
    assert_eq!(recorder.hear("streamed").await["why"], Value::Null);
    receiver.has(50_000).await;
    drop(receiver);
    let why = recorder.hear("streamed").await["why"].text();
    assert!(["broke off", "be reached"].iter().any(|words| why.contains(words)), "{why}");
    let mut second = Receiver::listen(port, folder.0.join("second.flv"));
    while recorder.hear("streamed").await["why"] != Value::Null {}
    second.has(50_000).await;
    recorder.order("stop");
    let finished = recorder.hear("finished").await;
    assert_eq!(finished["files"], json!([]));
    assert_eq!(recorder.ends().await, Some(0));
    second.ends().await;
    // It begins with a key frame, and decodes without a complaint.
    assert!(content(&second.file).0.len() > 30);
    assert_eq!(folder.with(".mp4"), Vec::<PathBuf>::new());
}

/// The encoder dies: the receiver is sent what the next one makes, on the same connection, and the file has both.
#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_dies_costs_a_receiver_a_moment() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (app, meeting, _ana) = busy().await;
    let (folder, port) = (Folder::new(), free_port());
    let mut receiver = Receiver::listen(port, folder.0.join("received.flv"));
    let mut recorder = Recorder::start(&job(&app, &meeting, &folder, &format!("rtmp://127.0.0.1:{port}/live/k3y")).await);
    assert_eq!(recorder.hear("streamed").await["why"], Value::Null);
    receiver.has(50_000).await;
    seconds(3.0).await;
    recorder.kill_encoder();
    let before = std::fs::metadata(&receiver.file).unwrap().len();
    receiver.has(before + 100_000).await;
    recorder.order("stop");
    let finished = recorder.hear("finished").await;
    receiver.ends().await;
    let told = finished["duration_ms"].as_f64().unwrap() / 1_000.0;
    let (kept, sent) = (pictures(&folder.0.join("all.mp4")).len() as f64 / 30.0, pictures(&receiver.file).len() as f64 / 30.0);
    println!("{kept:.1} s are in the file, {sent:.1} s were sent, of {told:.1} s");
    assert!((kept - sent).abs() < 0.5 && sent > told - 4.5, "{kept} s in the file, {sent} s were sent, of {told} s");
    let times = run(
        "ffprobe",
        &["-select_streams", "v", "-show_entries", "packet=dts_time", "-of", "csv=p=0", receiver.file.to_str().unwrap()],
    );
    let times: Vec<f64> =
        String::from_utf8(times).unwrap().lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    assert!(times.is_sorted() && times.last().unwrap() - times[0] < told + 1.0, "its clock goes on: {:?}", times.last());
    assert_eq!(said_streamed(&folder), 1, "the connection lasts");
}

/// How often it was said how a receiver does.
fn said_streamed(folder: &Folder) -> usize {
    crate::process::said(&folder.0).iter().filter(|said| *said == "streamed").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_livestream_is_sent_to_a_receiver_as_well() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let app =
        TestApp::with(|config| config.recording.program = vec![env!("CARGO_BIN_EXE_salon").into(), "recorder".into()]).await;
    let meeting = app.meeting("Stand-up").await;
    let _ana = Person::comes(&app, &meeting, "ana", Device::flashing(1_000.0, "0x2040c0")).await;
    let (folder, port) = (Folder::new(), free_port());
    let mut receiver = Receiver::listen(port, folder.0.join("received.flv"));
    let config = json!({"rtmp_url": format!("rtmp://127.0.0.1:{port}/live/k3y")});
    let video = json!({"width": 320, "height": 180});
    let body = json!({"rtmp_out_config": config, "video_config": video});
    let said = app.post(&format!("/meetings/{meeting}/livestreams"), body).await;
    let id = said.expect(201)["data"]["id"].text();
    receiver.has(50_000).await;
    let until = Instant::now() + PATIENCE;
    while app.get(&format!("/livestreams/{id}")).await.expect(200)["data"]["livestream"]["status"] != "LIVE" {
        assert!(Instant::now() < until, "it is not live");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    app.call("POST", &format!("/meetings/{meeting}/active-livestream/stop")).send().await.expect(200);
    receiver.ends().await;
    assert!(content(&receiver.file).0.len() > 30);
    let over = loop {
        let found = app.get(&format!("/livestreams/{id}")).await.expect(200)["data"].clone();
        if found["livestream"]["status"] == "IDLE" {
            break found;
        }
        assert!(Instant::now() < until + PATIENCE, "it is not over: {found}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(over["session"]["err_message"], Value::Null);
    let said = ["said.jsonl", "log"].map(|name| app.data.join("recordings").join(&id).join("1").join(name));
    for file in said {
        assert!(!std::fs::read_to_string(&file).unwrap().contains("k3y"), "{}", file.display());
    }
}
