//! `salon bench`, as a process that starts a server as another: packets go through it, and every figure comes out.

use std::process::{Command, Output};

use serde_json::Value;

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_salon")).arg("bench").arg("--quiet").args(arguments).output().expect("the binary runs")
}

fn json(name: &str, arguments: &[&str]) -> (Value, String) {
    let path = std::env::temp_dir().join(format!("salon-bench-{name}-{}.json", std::process::id()));
    let ran = bench(&[&["--json", path.to_str().expect("a path that is text")], arguments].concat());
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = std::fs::read_to_string(&path).expect("a report was written");
    let _ = std::fs::remove_file(&path);
    (serde_json::from_str(&text).expect("it is JSON"), String::from_utf8(ran.stdout).expect("text"))
}

#[test]
fn a_small_run_has_every_figure() {
    let (report, text) =
        json("small", &["--subscribers", "2", "--duration", "2", "--settle", "0.5", "--floor", "0.3", "--verify-every", "4"]);
    let figures = &report["figures"];
    let number = |path: &str| figures.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path} in {figures:#}"));
    // 230 packets a second, to two, for two seconds; a busy machine may be late.
    let forwarded = number("/forwarded");
    assert!((600.0..1_300.0).contains(&forwarded), "{forwarded} packets were forwarded");
    let opened = number("/opened_good");
    assert!(opened > forwarded / 8.0 && opened < forwarded / 2.0, "{opened} of {forwarded} were opened");
    assert_eq!(number("/opened_bad"), 0.0);
    assert_eq!(number("/connections_lost"), 0.0);
    assert_eq!(number("/join_ms/count"), 2.0);
    for figure in [
        "/cpu_us_per_forward",
        "/video_latency_us/p50",
        "/video_latency_us/p90",
        "/video_latency_us/p99",
        "/audio_latency_us/p50",
        "/audio_latency_us/p90",
        "/audio_latency_us/p99",
        "/memory_kib",
        "/join_ms/p50",
        "/floor_us/segmented",
        "/floor_us/plain",
    ] {
        assert!(number(figure) > 0.0, "{figure} is nothing");
    }
    assert!(figures["threads"].as_array().is_some_and(|threads| threads.iter().any(|thread| thread["thread"] == "media-0")));
    for row in ["server CPU per forwarded packet", "memory per subscriber", "join, p50"] {
        assert!(text.lines().any(|line| line.starts_with(row) && !line.contains("not measured")), "{row} in\n{text}");
    }
}

#[test]
fn a_bad_line_loses_packets_and_retransmission_brings_video_back() {
    let (report, _) = json(
        "line",
        &[
            "--subscribers",
            "1",
            "--duration",
            "3",
            "--settle",
            "0.5",
            "--floor",
            "0",
            "--loss",
            "10",
            "--delay",
            "10",
            "--audio-pps",
            "0",
        ],
    );
    let figures = &report["figures"];
    let number = |name: &str| figures[name].as_f64().unwrap_or_else(|| panic!("no {name}"));
    assert!(number("lost_by_line") > 10.0, "{figures:#}");
    assert!(number("recovered") > number("lost_by_line") / 2.0, "{figures:#}");
    assert!(number("loss") < 0.05, "{figures:#}");
    assert_eq!(number("opened_bad"), 0.0);
}

#[test]
fn people_who_see_each_other_are_streams_for_each_other() {
    let (report, _) =
        json("people", &["--people", "3", "--duration", "2", "--settle", "0.5", "--floor", "0", "--verify-every", "1"]);
    let figures = &report["figures"];
    assert_eq!(figures["join_ms"]["count"], 3, "{figures:#}");
    // Three publishers of 230 packets, each to two others, for two seconds.
    let forwarded = figures["forwarded"].as_f64().unwrap_or_default();
    assert!((1_800.0..3_600.0).contains(&forwarded), "{forwarded} packets were forwarded");
    assert_eq!(figures["opened_bad"], 0);
}

#[test]
fn mistakes_end_before_anything_starts() {
    let ran = bench(&["--subscribers", "0"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("nobody watches"));
    let ran = bench(&["--url", "https://salon.example.org"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("speaks no TLS"));
}

#[test]
fn a_soak_ends_with_nothing_left_over() {
    let shape = ["--people", "2", "--meetings", "4", "--video-pps", "30"];
    let (report, text) = json("soak", &[&["--scenario", "soak", "--duration", "8", "--stay", "2"][..], &shape].concat());
    let soak = &report["soak"];
    assert!(soak["joined"].as_u64().is_some_and(|joined| joined >= 4), "{soak:#}");
    assert_eq!((&soak["joined"], &soak["failed"]), (&soak["left"], &Value::from(0)), "{soak:#}");
    assert_eq!(soak["left_over"], serde_json::json!([]), "{soak:#}");
    assert_eq!(soak["panics"], 0.0);
    assert!(text.contains("Nothing is left over") && text.contains("all gone"), "{text}");
}

#[test]
fn a_webhook_is_told_of_everybody_who_came() {
    let (report, text) = json("webhooks", &["--scenario", "webhooks", "--meetings", "2", "--people", "2"]);
    let rows = report["table"].as_array().expect("rows");
    let row = |figure: &str| rows.iter().find(|row| row["figure"] == figure).unwrap_or_else(|| panic!("no {figure} in {text}"));
    // Four people in each of four turns with a webhook, and as many without.
    assert_eq!(row("join answered to receiver told, p50")["note"], "16 joins");
    assert_eq!(row("join without a webhook, p50")["note"], "16 joins");
    assert!(rows.iter().all(|row| row["measured"].is_number()), "{text}");
}
