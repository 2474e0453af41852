//! The binary itself as a process of its own, so that it can be killed as a power cut or the system would.
//! Asked over REST with the token that `salon dev` accepts.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use salon_doors::rfc3339::parse_rfc3339;
use salon_server::config::{DEV_ACCOUNT, DEV_APP, DEV_TOKEN};
use serde_json::{Value, json};

use crate::house::{Person, fresh};
use crate::http::Call;

pub struct Node {
    process: Child,
    pub address: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Node {
    /// Starts on this data and waits until it is ready.
    pub fn start(data: &Path) -> Self {
        Self::logging(data, "info", Stdio::null())
    }

    /// The same, with what it logs at this level.
    pub fn logging(data: &Path, level: &str, log: Stdio) -> Self {
        let level = format!("log.level={level}");
        Self::run(data, ["session.grace_secs=1", "limits.session_keep_alive_min_secs=1", &level], log)
    }

    /// With these settings. `SALON_TEST_BIN` is another build, to measure with.
    pub fn with(data: &Path, settings: &[String]) -> Self {
        let other = std::env::var_os("SALON_TEST_BIN");
        Self::of(other.as_deref().unwrap_or(OsStr::new(env!("CARGO_BIN_EXE_salon"))).as_ref(), data, settings)
    }

    /// The same of another program.
    pub fn of(program: &Path, data: &Path, settings: &[String]) -> Self {
        let log = match std::env::var_os("SALON_TEST_LOG") {
            Some(_) => Stdio::inherit(),
            None => Stdio::null(),
        };
        Self::run_program(program, data, settings.iter().map(String::as_str), log)
    }

    fn run<'a>(data: &Path, settings: impl IntoIterator<Item = &'a str>, log: Stdio) -> Self {
        Self::run_program(Path::new(env!("CARGO_BIN_EXE_salon")), data, settings, log)
    }

    fn run_program<'a>(program: &Path, data: &Path, settings: impl IntoIterator<Item = &'a str>, log: Stdio) -> Self {
        let mut command = Command::new(program);
        command.args(["dev", "--listen=127.0.0.1:0", "--media-port=0", "--data"]).arg(data);
        command.args(settings.into_iter().map(|setting| format!("--set={setting}")));
        let mut process = command.env_clear().stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.unwrap().strip_prefix("salon ready http://")?.to_owned()));
        Self { process, address: address.expect("the node gets ready") }
    }

    /// Ends it with SIGKILL: it has no time for anything. Answers with when that was.
    pub fn kill(mut self) -> i64 {
        self.process.kill().unwrap();
        let at = now();
        self.process.wait().unwrap();
        at
    }

    /// How long its threads whose names begin so have worked.
    pub fn worked(&self, threads: &str) -> Duration {
        let of = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.ok()?.path();
            let name = std::fs::read_to_string(path.join("comm")).ok()?;
            let spent = std::fs::read_to_string(path.join("schedstat")).ok()?;
            let nanos = spent.split(' ').next()?.parse().ok()?;
            name.starts_with(threads).then(|| Duration::from_nanos(nanos))
        };
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        tasks.filter_map(of).sum()
    }

    /// The processes that it has started and that run, each with the signals that it holds back, as a bit each.
    pub fn children(&self) -> Vec<u64> {
        let value = |status: &str, name: &str| Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned());
        let own = |entry: std::io::Result<std::fs::DirEntry>| {
            let status = std::fs::read_to_string(entry.ok()?.path().join("status")).ok()?;
            let runs = !value(&status, "State:")?.starts_with('Z');
            let is_ours = value(&status, "PPid:")? == self.process.id().to_string();
            (runs && is_ours).then(|| u64::from_str_radix(&value(&status, "SigBlk:")?, 16).ok())?
        };
        std::fs::read_dir("/proc").unwrap().filter_map(own).collect()
    }

    /// Tells it to become the program that lies where it was started from.
    pub fn upgrade(&self) {
        self.signal(Signal::USR2);
    }

    /// Tells it to stop, and waits until it has.
    pub fn ends(mut self) -> std::process::ExitStatus {
        self.signal(Signal::TERM);
        self.process.wait().unwrap()
    }

    /// Has it stand still.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Has one that stands still go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Asks the dev app; answers with status and body.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let path = format!("/client/v4/accounts/{DEV_ACCOUNT}/realtime/kit/{DEV_APP}{path}");
        let call =
            Call::new(self.address.parse().unwrap(), method, &path).header("authorization", &format!("Bearer {DEV_TOKEN}"));
        let said = if body.is_null() { call.send().await } else { call.json(&body).send().await };
        (said.status, said.json())
    }

    /// What an answer that must be good holds.
    pub async fn data(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, mut answer) = self.ask(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer["data"].take()
    }

    pub async fn meeting(&self, keep_alive_secs: u32) -> String {
        let body = json!({ "title": "Stand-up", "session_keep_alive_time_in_secs": keep_alive_secs });
        self.data("POST", "/meetings", body).await["id"].as_str().unwrap().to_owned()
    }

    pub async fn guest(&self, meeting: &str, name: &str) -> Person {
        self.add(meeting, name, "group_call_participant").await
    }

    pub async fn host(&self, meeting: &str, name: &str) -> Person {
        self.add(meeting, name, "group_call_host").await
    }

    pub async fn add(&self, meeting: &str, name: &str, preset: &str) -> Person {
        let body = json!({ "name": name, "preset_name": preset, "custom_participant_id": name });
        let added = self.data("POST", &format!("/meetings/{meeting}/participants"), body).await;
        let text = |key: &str| added[key].as_str().unwrap().to_owned();
        Person {
            address: self.address.clone(),
            meeting: meeting.to_owned(),
            participant: text("id"),
            name: name.to_owned(),
            token: text("token"),
            peer: fresh(),
        }
    }

    /// The live session; none if there is none.
    pub async fn live(&self, meeting: &str) -> Option<Value> {
        let (status, mut answer) = self.ask("GET", &format!("/meetings/{meeting}/active-session"), Value::Null).await;
        assert!(status == 200 || status == 404, "{status} {answer}");
        (status == 200).then(|| answer["data"].take())
    }

    pub async fn session(&self, id: &str) -> Value {
        self.data("GET", &format!("/sessions/{id}"), Value::Null).await
    }

    /// The peers of a session, at most a hundred.
    pub async fn peers(&self, session: &str) -> Vec<String> {
        let found = self.data("GET", &format!("/sessions/{session}/participants?per_page=100"), Value::Null).await;
        let peers = found["participants"].as_array().unwrap().iter();
        peers.map(|peer| peer["id"].as_str().unwrap().to_owned()).collect()
    }

    /// When this person left the session, as the record has it.
    pub async fn left_at(&self, session: &str, person: &Person) -> Option<i64> {
        let path = format!("/sessions/{session}/participants/{}", person.peer);
        let found = self.data("GET", &path, Value::Null).await;
        found["participant"]["left_at"].as_str().map(|at| parse_rfc3339(at).unwrap().0)
    }
}

/// Wall-clock milliseconds, the node's own clock.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis() as i64
}
