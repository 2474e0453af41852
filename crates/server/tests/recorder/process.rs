//! A recorder as a process of its own, which is given a job and orders, and asked what it said.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of a job, gone when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("salon-recorder-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The files with this ending.
    pub fn with(&self, ending: &str) -> Vec<PathBuf> {
        let all = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> = all.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
        found.sort();
        found
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Recorder {
    process: Child,
    input: Option<ChildStdin>,
    said: Receiver<Value>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Recorder {
    pub fn start(job: &Value) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_salon"));
        command.arg("recorder").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut input = process.stdin.take().unwrap();
        writeln!(input, "{job}").unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (saying, said) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = saying.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { process, input: Some(input), said }
    }

    /// Waits until it says this; other things that it says are passed over.
    pub async fn hear(&mut self, what: &str) -> Value {
        let (mut last, wanted) = (Value::Null, what.to_owned());
        tokio::task::block_in_place(|| {
            loop {
                let said = self.said.recv_timeout(PATIENCE);
                let said = said.unwrap_or_else(|error| panic!("{error}: it never said {wanted}, but last {last}"));
                if said["said"] == wanted.as_str() {
                    return said;
                }
                assert!(!["finished", "failed"].contains(&said["said"].as_str().unwrap()), "instead of {wanted}: {said}");
                last = said;
            }
        })
    }

    pub fn order(&mut self, order: &str) {
        writeln!(self.input.as_mut().unwrap(), r#"{{"order":"{order}"}}"#).unwrap();
    }

    /// What a server does that dies.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// As an operator would.
    pub fn terminate(&self) {
        assert!(Command::new("kill").arg(self.id().to_string()).status().unwrap().success());
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ends its encoder as the system would that has no memory left.
    pub fn kill_encoder(&self) {
        let children = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap().flat_map(|task| {
            let path = task.unwrap().path().join("children");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>()
        });
        let children: Vec<String> = children.collect();
        assert_eq!(children.len(), 1, "one encoder");
        assert!(Command::new("kill").arg("-9").args(children).status().unwrap().success());
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its exit code, once it ends.
    pub async fn ends(&mut self) -> Option<i32> {
        tokio::task::block_in_place(|| self.process.wait()).unwrap().code()
    }
}

/// What a recorder has in its folder.
pub fn said(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("said.jsonl")).unwrap();
    let said = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["said"].as_str().unwrap().to_owned());
    said.filter(|said| said != "progress").collect()
}

/// Whether ffmpeg's programs are there to read files back with.
pub fn has_ffmpeg() -> bool {
    Command::new("ffprobe").arg("-version").output().is_ok()
}

/// What a program writes, that must find nothing to complain of.
pub fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(program);
    let ran = command.args(["-v", "warning"]).args(arguments).stdin(Stdio::null()).output().unwrap();
    let complaints = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && complaints.is_empty(), "{program} {arguments:?}: {complaints}");
    ran.stdout
}

/// A server in a process of its own, which can be killed and started again on the same port and data.
pub struct Server {
    process: Child,
    pub address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    pub fn start(data: &Path, listen: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_salon"));
        command.args(["dev", "--listen", listen, "--media-port=0", "--data"]).arg(data).env_clear();
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.unwrap().strip_prefix("salon ready http://")?.to_owned()));
        Self { process, address: address.expect("it gets ready").parse().unwrap() }
    }

    /// With SIGKILL.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
