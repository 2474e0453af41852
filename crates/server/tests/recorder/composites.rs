//! Composites: who is where in the picture, whose sound is when, and what is left when something dies. Decoded by ffmpeg.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::people::{Device, Person, robot};
use crate::process::{Folder, Recorder, has_ffmpeg, run};
use crate::sound::tone;
use crate::support::{TestApp, Text};

/// Pictures are looked at this small.
const WIDTH: usize = 64;
const HEIGHT: usize = 36;

/// What is in a file.
struct Film {
    /// Rows of red, green, blue.
    frames: Vec<Vec<u8>>,
    /// One channel of 48 kHz.
    samples: Vec<f32>,
    told: Value,
}

impl Film {
    fn read(path: &Path) -> Self {
        let path = path.to_str().unwrap();
        let scale = format!("fps=30,scale={WIDTH}:{HEIGHT}:flags=area");
        let pictures = run("ffmpeg", &["-i", path, "-map", "0:v", "-vf", &scale, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
        let sound = run("ffmpeg", &["-i", path, "-map", "0:a", "-f", "f32le", "-ac", "1", "-ar", "48000", "-"]);
        let told = run("ffprobe", &["-show_streams", "-show_format", "-of", "json", path]);
        Self {
            frames: pictures.chunks_exact(WIDTH * HEIGHT * 3).map(<[u8]>::to_vec).collect(),
            samples: sound.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect(),
            told: serde_json::from_slice(&told).unwrap(),
        }
    }

    /// In seconds.
    fn length(&self) -> f64 {
        self.frames.len() as f64 / 30.0
    }

    fn stream(&self, kind: &str) -> &Value {
        self.told["streams"].as_array().unwrap().iter().find(|stream| stream["codec_type"] == kind).unwrap()
    }

    /// The colour at a spot of a frame, in parts of the picture.
    fn colour(&self, frame: usize, x: f64, y: f64) -> [u8; 3] {
        let at = ((y * HEIGHT as f64) as usize * WIDTH + (x * WIDTH as f64) as usize) * 3;
        self.frames[frame][at..at + 3].try_into().unwrap()
    }

    /// The seconds at which a spot becomes white.
    fn flashes(&self, x: f64, y: f64) -> Vec<f64> {
        let is_white = |frame: usize| self.colour(frame, x, y).iter().all(|part| *part > 200);
        let begins = (1..self.frames.len()).filter(|frame| is_white(*frame) && !is_white(frame - 1));
        begins.map(|frame| frame as f64 / 30.0).collect()
    }

    /// The seconds at which a tone begins.
    fn beeps(&self, hertz: f32) -> Vec<f64> {
        let is_loud: Vec<bool> = self.samples.chunks(240).map(|piece| tone(piece, hertz) > 0.1).collect();
        // Five milliseconds are short for a tone: what goes on for longer counts.
        let begins = (4..is_loud.len().saturating_sub(8))
            .filter(|n| !is_loud[n - 4..*n].contains(&true) && is_loud[*n..n + 8].iter().filter(|loud| **loud).count() >= 7);
        begins.map(|n| n as f64 * 0.005).collect()
    }
}

/// Whether two colours are about the same, after two encoders and a change of range.
fn close(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 45)
}

const BLUE: [u8; 3] = [0x20, 0x40, 0xc0];
const RED: [u8; 3] = [0xc0, 0x30, 0x20];

async fn job(app: &TestApp, meeting: &str, folder: &Folder, codec: &str) -> Value {
    json!({
        "id": "r", "server": format!("http://{}", app.running.addr), "meeting_id": meeting, "token": robot(app, meeting).await,
        "folder": folder.0, "name": "all", "kind": "composite",
        "video": {"codec": codec, "width": 320, "height": 180},
    })
}

async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_seen_and_heard_at_the_same_time_and_a_pause_leaves_no_trace() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let meeting = app.meeting("Stand-up").await;
    let later = Device::flashing(1_600.0, "0xc03020");
    let _ana = Person::comes(&app, &meeting, "ana", Device::flashing(1_000.0, "0x2040c0")).await;
    let mut job = job(&app, &meeting, &folder, "H264").await;
    job["audio"] = json!({"codec": "MP3", "channel": "stereo", "file": true});
    let mut recorder = Recorder::start(&job);
    let began = recorder.hear("began").await;
    seconds(5.0).await;
    let wall = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let bo_comes = wall();
    let bo = Person::comes(&app, &meeting, "bo", later).await;
    seconds(3.0).await;
    recorder.order("pause");
    let paused = recorder.hear("paused").await;
    seconds(2.0).await;
    recorder.order("resume");
    let resumed = recorder.hear("resumed").await;
    seconds(4.0).await;
    let bo_leaves = wall();
    drop(bo);
    seconds(3.0).await;
    recorder.order("stop");
    let finished = recorder.hear("finished").await;
    assert_eq!(recorder.ends().await, Some(0));
    let names: Vec<String> = finished["files"].as_array().unwrap().iter().map(|file| file["name"].text()).collect();
    assert_eq!(names, ["all.mp4", "all.mp3"]);
    assert!(folder.with(".mp4").len() == 1 && folder.with(".txt").is_empty(), "nothing is left over");

    let film = Film::read(&folder.0.join("all.mp4"));
    let (video, audio) = (film.stream("video"), film.stream("audio"));
    assert_eq!((&video["codec_name"], &video["width"], &video["height"]), (&json!("h264"), &json!(320), &json!(180)));
    assert_eq!((&audio["codec_name"], &audio["sample_rate"], &audio["channels"]), (&json!("aac"), &json!("48000"), &json!(2)));
    let length = film.length();
    let told = finished["duration_ms"].as_f64().unwrap() / 1_000.0;
    assert!((length - told).abs() < 0.2, "{length} s of pictures, told {told}");
    assert!((film.samples.len() as f64 / 48_000.0 - length).abs() < 0.1, "{} samples for {length} s", film.samples.len());
    let at = |said: &Value| said["at_ms"].as_f64().unwrap() / 1_000.0;
    let wanted = at(&finished) - at(&began) - (at(&resumed) - at(&paused));
    assert!((told - wanted).abs() < 0.4, "{told} s, without the pause {wanted}");
    let sound = folder.0.join("all.mp3");
    let sound = run("ffprobe", &["-show_entries", "format=duration", "-of", "csv=p=0", sound.to_str().unwrap()]);
    let sound: f64 = String::from_utf8(sound).unwrap().trim().parse().unwrap();
    assert!((sound - length).abs() < 0.2, "{sound}");

    // One alone has everything; two are side by side; then one again.
    let is = |seconds: f64, x: f64, y: f64, colour| {
        // Two seconds from then on: most of that is no flash, also where a loss makes a picture stay for a while.
        let frames = (seconds * 30.0) as usize..(((seconds + 2.0) * 30.0) as usize).min(film.frames.len());
        frames.clone().any(|frame| close(film.colour(frame, x, y), colour))
            || panic!("{:?} at {seconds} s, {x} {y}", film.colour(frames.start, x, y))
    };
    assert!(is(bo_comes - at(&began) - 2.3, 0.5, 0.4, BLUE));
    let both = bo_leaves - at(&began) - (at(&resumed) - at(&paused)) - 2.3;
    assert!(is(both, 0.25, 0.45, BLUE) && is(both, 0.75, 0.45, RED));
    assert!(is(length - 2.0, 0.5, 0.4, BLUE));

    // While both are there each has flashes in its place, and its own beeps.
    let mut offsets = Vec::new();
    for (x, hertz) in [(0.25, 1_000.0), (0.75, 1_600.0)] {
        let beeps = film.beeps(hertz);
        println!("{hertz} Hz: beeps at {beeps:.3?}, flashes at {:.3?}", film.flashes(x, 0.45));
        for flash in film.flashes(x, 0.45) {
            let nearest = beeps.iter().map(|beep| beep - flash).min_by(|a, b| a.abs().total_cmp(&b.abs()));
            offsets.extend(nearest.filter(|offset| offset.abs() < 0.5).map(|offset| offset * 1_000.0));
        }
    }
    let mean = offsets.iter().sum::<f64>() / offsets.len() as f64;
    println!("sound to picture: {offsets:.0?} ms, mean {mean:.1}");
    assert!(offsets.len() >= 3, "{offsets:?}");
    assert!(offsets.iter().all(|offset| offset.abs() < 90.0), "{offsets:?}");
}

/// One who sends the largest pictures that there are costs what they cost, and nobody else's pictures.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_huge_pictures_makes_nobody_elses_stand_still() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let meeting = app.meeting("Stand-up").await;
    let _ana = Person::comes(&app, &meeting, "ana", Device::flashing(1_000.0, "0x2040c0")).await;
    let _bo = Person::comes(&app, &meeting, "bo", Device::huge()).await;
    let mut recorder = Recorder::start(&job(&app, &meeting, &folder, "H264").await);
    recorder.hear("began").await;
    seconds(12.0).await;
    recorder.order("stop");
    let finished = recorder.hear("finished").await;
    let film = Film::read(&folder.0.join("all.mp4"));
    let (length, told) = (film.length(), finished["duration_ms"].as_f64().unwrap() / 1_000.0);
    assert!((length - told).abs() < 0.3, "{length} of {told} s are there");
    let right = |n: usize| film.frames[n].chunks_exact(3 * WIDTH).flat_map(|row| &row[3 * WIDTH / 2..]).collect::<Vec<_>>();
    let changed = (60..film.frames.len()).filter(|n| right(*n) != right(n - 1)).count();
    let (flashes, beeps) = (film.flashes(0.25, 0.45), film.beeps(1_000.0));
    println!("flashes at {flashes:.3?}, beeps at {beeps:.3?}; the huge one changed {changed} times");
    let in_step = flashes.iter().filter(|flash| beeps.iter().any(|beep| (beep - *flash).abs() < 0.15)).count();
    assert!(in_step >= 4, "flashes at {flashes:.3?}, beeps at {beeps:.3?}");
    assert!(changed > 0, "the huge one is shown as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_encoder_may_die_and_the_file_is_whole() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let meeting = app.meeting("Stand-up").await;
    let _ana = Person::comes(&app, &meeting, "ana", Device::flashing(1_000.0, "0x2040c0")).await;
    let mut recorder = Recorder::start(&job(&app, &meeting, &folder, "H264").await);
    recorder.hear("began").await;
    seconds(6.0).await;
    recorder.kill_encoder();
    seconds(4.0).await;
    recorder.order("stop");
    let finished = recorder.hear("finished").await;
    assert_eq!(finished["files"].as_array().unwrap().len(), 1);
    let film = Film::read(&folder.0.join("all.mp4"));
    let (length, told) = (film.length(), finished["duration_ms"].as_f64().unwrap() / 1_000.0);
    assert!((told - 4.5..told + 0.2).contains(&length), "{length} of {told} s are there");
    assert!(
        close(film.colour(film.frames.len() - 40, 0.5, 0.4), BLUE) || close(film.colour(film.frames.len() - 20, 0.5, 0.4), BLUE)
    );
    assert_eq!(folder.with(".mp4").len(), 1, "the parts are one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webm_is_made_of_vp8_and_vorbis() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let meeting = app.meeting("Stand-up").await;
    let _ana = Person::comes(&app, &meeting, "ana", Device::flashing(1_000.0, "0xc03020")).await;
    let mut recorder = Recorder::start(&job(&app, &meeting, &folder, "VP8").await);
    recorder.hear("began").await;
    seconds(7.0).await;
    recorder.order("stop");
    let finished = recorder.hear("finished").await;
    let film = Film::read(&folder.0.join("all.webm"));
    assert_eq!((&film.stream("video")["codec_name"], &film.stream("audio")["codec_name"]), (&json!("vp8"), &json!("vorbis")));
    let (length, told) = (film.length(), finished["duration_ms"].as_f64().unwrap() / 1_000.0);
    assert!((length - told).abs() < 0.3, "{length} of {told} s are there");
    assert!(film.beeps(1_000.0).len() >= 2 && film.flashes(0.5, 0.4).len() >= 2, "{:?}", film.beeps(1_000.0));
    assert!(close(film.colour(120, 0.5, 0.4), RED) || close(film.colour(140, 0.5, 0.4), RED));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_when_it_is_killed_plays() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let meeting = app.meeting("Stand-up").await;
    let _ana = Person::comes(&app, &meeting, "ana", Device::flashing(1_000.0, "0xc03020")).await;
    let mut recorder = Recorder::start(&job(&app, &meeting, &folder, "H264").await);
    let mut told = recorder.hear("progress").await;
    while told["ms"].as_u64().unwrap() < 6_000 {
        told = recorder.hear("progress").await;
    }
    recorder.kill();
    let (length, told) = (Film::read(&folder.0.join("all.mp4")).length(), told["ms"].as_f64().unwrap() / 1_000.0);
    println!("after kill -9: {length:.1} of {told:.1} s");
    assert!(length > told - 3.0, "{length} of {told} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_lies_over_a_portrait_and_sigterm_finishes_it() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let meeting = app.meeting("Stand-up").await;
    let mark = folder.0.join("mark.png");
    run("ffmpeg", &["-f", "lavfi", "-i", "color=c=white:s=64x64", "-frames:v", "1", "-update", "1", mark.to_str().unwrap()]);
    let _ana = Person::comes(&app, &meeting, "ana", Device::flashing(1_000.0, "0x2040c0")).await;
    let mut job = job(&app, &meeting, &folder, "H264").await;
    let mark = json!({"file": "mark.png", "position": "right bottom", "width": 48});
    job["video"] = json!({"codec": "H264", "width": 180, "height": 320, "layout": "speaker", "watermark": mark});
    let mut recorder = Recorder::start(&job);
    recorder.hear("progress").await;
    seconds(4.0).await;
    recorder.terminate();
    recorder.hear("finished").await;
    assert_eq!(recorder.ends().await, Some(0));
    let film = Film::read(&folder.0.join("all.mp4"));
    assert_eq!((&film.stream("video")["width"], &film.stream("video")["height"]), (&json!(180), &json!(320)));
    let last = film.frames.len() - 20;
    assert!(film.colour(last, 0.8, 0.9).iter().all(|part| *part > 200), "{:?}", film.colour(last, 0.8, 0.9));
    assert!(close(film.colour(last, 0.5, 0.4), BLUE) || close(film.colour(last - 10, 0.5, 0.4), BLUE));
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_alone_is_recorded_too_and_a_missing_encoder_is_said() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let (app, folder) = (TestApp::dev().await, Folder::new());
    let meeting = app.meeting("Stand-up").await;
    let _ana = Person::speaks(&app, &meeting, "ana", 1_000.0).await;
    let mut job = job(&app, &meeting, &folder, "H264").await;
    job["ffmpeg"] = "/no/such/ffmpeg".into();
    let mut recorder = Recorder::start(&job);
    let why = recorder.hear("failed").await["why"].text();
    assert!(why.contains("cannot start /no/such/ffmpeg"), "{why}");
    assert_eq!(recorder.ends().await, Some(1));

    job["ffmpeg"] = "ffmpeg".into();
    job["video"] = Value::Null;
    job["audio"] = json!({"codec": "AAC", "channel": "mono", "file": true});
    let mut recorder = Recorder::start(&job);
    recorder.hear("began").await;
    seconds(4.0).await;
    recorder.order("stop");
    let finished = recorder.hear("finished").await;
    assert_eq!((&finished["files"][0]["name"], &finished["files"][0]["kind"]), (&json!("all.m4a"), &json!("audio")));
    let sound =
        run("ffmpeg", &["-i", folder.0.join("all.m4a").to_str().unwrap(), "-f", "f32le", "-ac", "1", "-ar", "48000", "-"]);
    let samples: Vec<f32> = sound.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    let told = finished["duration_ms"].as_f64().unwrap() / 1_000.0;
    assert!((samples.len() as f64 / 48_000.0 - told).abs() < 0.2, "{} samples, {told} s", samples.len());
    assert!(tone(&samples[96_000..120_000], 1_000.0) > 0.2);
}
