//! An engine that is a program: a WAV on its standard input, lines of JSON on its standard output, one run for each piece.
//! Invariant: it has nothing of our environment but where programs, its home and its words are; it is ended with all that it
//! has started when it takes too long, and what it says is read up to a bound.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group, setpriority_process};
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::sound::{Said, Sound};

/// What it may say, in bytes.
const MAX_SAID: u64 = 1 << 20;

/// Others go first.
const NICENESS: i32 = 10;

/// What it has of our environment.
const KEPT: [&str; 5] = ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR"];

/// A line that it says.
#[derive(Deserialize)]
struct Line {
    text: String,
    #[serde(default)]
    start_ms: f64,
    end_ms: Option<f64>,
    /// What it may be so far; another line takes its place.
    #[serde(default)]
    partial: bool,
}

/// Has the program write down what is said.
///
/// # Errors
/// Why it cannot, for the log.
pub async fn write(
    words: &[String],
    sound: &Sound,
    within: Duration,
    so_far: impl Fn(String) + Send + 'static,
) -> anyhow::Result<Vec<Said>> {
    let (words, sound) = (words.to_vec(), sound.clone());
    let (started, pid) = oneshot::channel();
    let mut running = tokio::task::spawn_blocking(move || run(&words, &sound, started, &so_far));
    let pid = pid.await.ok().flatten();
    match tokio::time::timeout(within, &mut running).await {
        Ok(done) => done.context("it cannot be waited for")?,
        Err(_) => {
            end(pid);
            bail!("it took longer than {} s", within.as_secs());
        }
    }
}

fn run(
    words: &[String],
    sound: &Sound,
    started: oneshot::Sender<Option<Pid>>,
    so_far: &dyn Fn(String),
) -> anyhow::Result<Vec<Said>> {
    let (program, rest) = words.split_first().context("there is no program (transcription.command)")?;
    let how = &sound.how;
    let file = sound.path.to_string_lossy();
    let fill = |word: &String| word.replace("{language}", &how.language).replace("{file}", &file);
    let wav = std::fs::File::open(&sound.path).context("the sound cannot be read")?;
    let log = sound.path.with_extension("log");
    let complaints = std::fs::File::create(&log).context("its folder cannot be written to")?;
    let mut command = Command::new(program);
    command.args(rest.iter().map(fill)).env_clear().process_group(0);
    command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.env("SALON_LANGUAGE", &how.language).env("SALON_KEYWORDS", how.keywords.join("\n"));
    command.env("SALON_PROFANITY_FILTER", how.profanity_filter.to_string());
    command.stdin(wav).stdout(Stdio::piped()).stderr(complaints);
    let mut child = command.spawn().with_context(|| format!("{program} cannot be started"))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // Where the system refuses, it is only less polite.
    let _ = setpriority_process(pid, NICENESS);
    let _ = started.send(pid);
    let said = child.stdout.take().map(|said| read(said.take(MAX_SAID), sound.length_ms, so_far)).unwrap_or_default();
    // One that says more than is read finds its output closed.
    let status = child.wait().context("it cannot be waited for")?;
    // Whom it has left behind is of no use.
    end(pid);
    let last_words = last_words(&log);
    let _ = std::fs::remove_file(&log);
    if !status.success() {
        bail!("it ended with {status}{last_words}");
    }
    Ok(said)
}

/// Reads lines until there are no more; what is no line of it is passed over.
fn read(said: impl Read, length_ms: i64, so_far: &dyn Fn(String)) -> Vec<Said> {
    let mut lines = Vec::new();
    for line in BufReader::new(said).split(b'\n') {
        let Ok(line) = line else { break };
        let Ok(Line { text, start_ms, end_ms, partial }) = serde_json::from_slice::<Line>(&line) else { continue };
        match partial {
            true => so_far(text),
            false => {
                let end_ms = end_ms.map_or(length_ms, |end| end as i64);
                lines.push(Said { start_ms: start_ms as i64, end_ms, text });
            }
        }
    }
    lines
}

fn end(pid: Option<Pid>) {
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// The end of what it complained of.
fn last_words(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(300)..]).into_owned();
    text.trim().lines().last().map(|line| format!(": {line}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::sound::How;

    async fn says(script: &str, within: Duration) -> (anyhow::Result<Vec<Said>>, Vec<String>) {
        let name = format!("salon-command-{}-{}.wav", std::process::id(), script.len());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, b"RIFF").expect("a file");
        let how = How { language: "en-US".to_owned(), keywords: vec!["Salon".to_owned(), "Opus".to_owned()], ..How::default() };
        let sound = Sound { path: path.clone(), length_ms: 2_000, how };
        let words = ["/bin/sh", "-c", script, "engine", "{language}", "{file}"].map(str::to_owned);
        let partials = Arc::new(Mutex::new(Vec::new()));
        let note = partials.clone();
        let said = write(&words, &sound, within, move |text| note.lock().expect("a lock").push(text)).await;
        std::fs::remove_file(&path).expect("removed");
        let partials = partials.lock().expect("a lock").clone();
        (said, partials)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_program_is_given_sound_and_says_lines() {
        let script = r#"wav=$(cat); [ "$wav" = RIFF ] && [ "$(cat "$2")" = RIFF ] || exit 3
            echo '{"text": "hel", "partial": true}'; echo nonsense
            echo "{\"text\": \"hello $1 $SALON_LANGUAGE $SALON_KEYWORDS\", \"start_ms\": 100.5, \"end_ms\": 900}" | tr '\n' ' '; echo
            echo "{\"text\": \"$SALON_PROFANITY_FILTER ${CARGO_MANIFEST_DIR-nothing of ours}\", \"other\": 1}""#;
        let (said, partials) = says(script, LONG).await;
        let line = |start_ms, end_ms, text: &str| Said { start_ms, end_ms, text: text.to_owned() };
        let said = said.expect("it writes");
        assert_eq!(said, [line(100, 900, "hello en-US en-US Salon Opus"), line(0, 2_000, "false nothing of ours")]);
        assert_eq!(partials, ["hel"]);
    }

    #[tokio::test]
    async fn one_that_fails_says_why_and_one_that_hangs_is_ended() {
        let (said, _) = says("echo one >&2; echo no model >&2; exit 4", LONG).await;
        let why = said.expect_err("it fails").to_string();
        assert!(why.contains('4') && why.ends_with("no model"), "{why}");
        let (said, _) = says("sleep 600 & sleep 600", Duration::from_millis(200)).await;
        assert!(said.expect_err("it hangs").to_string().contains("longer than"));
        let (said, _) = says("yes '{\"text\": \"x\"}' | head -c 3000000", LONG).await;
        assert!(said.is_err() || said.is_ok_and(|said| said.len() < 100_000), "it is read up to a bound");
    }
}
