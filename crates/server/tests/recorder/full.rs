//! A disk that fills up while something is recorded on it: what is there plays, and it is said why there is no more.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::disk::Disk;
use crate::people::{Device, Person, robot};
use crate::process::{Recorder, has_ffmpeg, run, said};
use crate::support::{TestApp, Text};

/// A recorder on this disk, of which somebody else takes all that is left once it is under way.
async fn recorded(disk: &Disk, job: Value) -> (Value, Value) {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Stand-up").await;
    let _ana = Person::comes(&app, &meeting, "ana", Device::flashing(1_000.0, "0x2040c0")).await;
    let mut all = json!({
        "id": "r", "server": format!("http://{}", app.running.addr), "meeting_id": meeting, "token": robot(&app, &meeting).await,
        "folder": disk.0, "name": "all", "kind": "composite", "video": {"codec": "H264", "width": 320, "height": 180},
    });
    all.as_object_mut().unwrap().extend(job.as_object().unwrap().clone());
    let mut recorder = Recorder::start(&all);
    let mut told = recorder.hear("progress").await;
    while told["ms"].as_u64().unwrap() < 6_000 {
        told = recorder.hear("progress").await;
    }
    let _ = std::fs::write(disk.0.join("filler"), vec![7; 64 << 20]);
    assert!(std::fs::metadata(disk.0.join("filler")).unwrap().len() < 64 << 20, "it is full");
    let missing = recorder.hear("unshown").await;
    (missing, recorder.hear("finished").await)
}

/// How long a file plays, in seconds, without a word of complaint.
fn plays(path: &Path) -> f64 {
    let path = path.to_str().unwrap();
    run("ffmpeg", &["-i", path, "-f", "null", "-"]);
    let told = run("ffprobe", &["-show_entries", "format=duration", "-of", "csv=p=0", path]);
    String::from_utf8(told).unwrap().trim().parse().unwrap()
}

fn is_told(disk: &Disk, missing: &Value, finished: &Value) {
    let why = missing["why"].text();
    assert!(why.starts_with("it ended early: ") && why.contains("No space left on device"), "{why}");
    // The server goes by what is in the folder, however full the disk is.
    assert_eq!(said(&disk.0).last().map(String::as_str), Some("finished"), "{finished}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_composite_ends_early_and_plays() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let Some(disk) = Disk::mount("composite", 16 << 10) else { return eprintln!("skipped: nothing can be mounted here") };
    let (missing, finished) = recorded(&disk, json!({})).await;
    is_told(&disk, &missing, &finished);
    assert_eq!(finished["files"][0]["name"], "all.mp4");
    let (length, told) = (plays(&disk.0.join("all.mp4")), finished["duration_ms"].as_f64().unwrap() / 1_000.0);
    assert!(length > 3.5 && length < told + 0.5, "{length} of {told} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn tracks_end_early_and_play() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let Some(disk) = Disk::mount("tracks", 4 << 10) else { return eprintln!("skipped: nothing can be mounted here") };
    let (missing, finished) = recorded(&disk, json!({"kind": "track"})).await;
    is_told(&disk, &missing, &finished);
    let files = finished["files"].as_array().unwrap();
    assert_eq!(files.len(), 1, "{finished}");
    let path = disk.0.join(files[0]["name"].text());
    assert_eq!(std::fs::metadata(&path).unwrap().len(), files[0]["bytes"].as_u64().unwrap(), "nothing is behind what is whole");
    let length = plays(&path);
    assert!(length > 5.0 && (length - files[0]["duration_ms"].as_f64().unwrap() / 1_000.0).abs() < 0.1, "{length} s, {finished}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_livestream_ends_early_and_what_was_told_of_is_whole() {
    if !has_ffmpeg() {
        return eprintln!("skipped: there is no ffmpeg");
    }
    let Some(disk) = Disk::mount("live", 16 << 10) else { return eprintln!("skipped: nothing can be mounted here") };
    let (missing, finished) = recorded(&disk, json!({"live": true})).await;
    is_told(&disk, &missing, &finished);
    let told = std::fs::read_to_string(disk.0.join("said.jsonl")).unwrap();
    let told: Vec<Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let segments: Vec<String> = told.iter().filter(|said| said["said"] == "segment").map(|said| said["name"].text()).collect();
    let there = Command::new("sh").args(["-c", "ls *.m4s | wc -l"]).current_dir(&disk.0).output().unwrap();
    assert_eq!(String::from_utf8(there.stdout).unwrap().trim(), segments.len().to_string(), "others are not left behind");
    let all: Vec<u8> =
        ["1.mp4".to_owned()].iter().chain(&segments).flat_map(|name| std::fs::read(disk.0.join(name)).unwrap()).collect();
    let whole = std::env::temp_dir().join(format!("salon-live-{}.mp4", std::process::id()));
    std::fs::write(&whole, all).unwrap();
    let length = plays(&whole);
    std::fs::remove_file(whole).unwrap();
    assert!(length > 3.5, "{length} s of {} segments", segments.len());
}
