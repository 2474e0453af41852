//! The server under load: one that runs, or one of our own, started from a binary with data that is thrown away.
//! Invariant: a server that was started here ends here, with its data.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::oneshot;

use crate::process::Process;
use crate::rest::Door;
use crate::system::ask_to_end;

/// What `salon dev` calls its account, app and token.
const DEV: &str = "dev";
const DEV_TOKEN: &str = "dev-token";

/// A server of our own that has not ended by itself by then is ended.
const STOP_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server to load.
pub struct Server {
    pub door: Door,
    /// None if it runs elsewhere.
    pub process: Option<Process>,
    own: Option<Own>,
}

struct Own {
    child: Child,
    data: PathBuf,
}

impl Server {
    /// A server that runs: `http://HOST:PORT`.
    pub fn at(url: &str, account: String, app: String, token: String, process: Option<u32>) -> anyhow::Result<Self> {
        let address = url.strip_prefix("http://").context("--url must begin with http://, the load generator speaks no TLS")?;
        let address = address.trim_end_matches('/').to_owned();
        Ok(Self { door: Door { address, account, app, token }, process: process.map(Process::new), own: None })
    }

    /// Starts `salon dev` in a process of its own.
    pub async fn start(binary: &Path, settings: &[String]) -> anyhow::Result<Self> {
        let data = std::env::temp_dir().join(format!("salon-bench-{}", uuid::Uuid::new_v4()));
        let mut command = Command::new(binary);
        command.args(["dev", "--listen", "127.0.0.1:0", "--media-port", "0", "--set", "media.ip=127.0.0.1"]);
        command.args(["--set", "log.level=warn", "--data"]).arg(&data);
        settings.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let (said, warned) = (child.stdout.take(), child.stderr.take());
        let id = child.id();
        let own = Own { child, data };
        let (ready, is_ready) = oneshot::channel();
        let (said, warned) = (said.expect("it was asked for"), warned.expect("it was asked for"));
        thread::spawn(move || listen(said, ready));
        thread::spawn(move || pass_on(warned));
        let address = is_ready.await.context("the server has ended before it was ready; see what it said above")?;
        let door = Door { address, account: DEV.to_owned(), app: DEV.to_owned(), token: DEV_TOKEN.to_owned() };
        Ok(Self { door, process: Some(Process::new(id)), own: Some(own) })
    }

    /// Ends a server of our own and waits until it has.
    pub async fn stop(mut self) {
        let Some(own) = &mut self.own else { return };
        ask_to_end(own.child.id());
        let start = Instant::now();
        while start.elapsed() < STOP_WITHIN && matches!(own.child.try_wait(), Ok(None)) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Waits for the line that tells where the server is, and then keeps its output from filling up.
fn listen(said: ChildStdout, ready: oneshot::Sender<String>) {
    let mut ready = Some(ready);
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        if let Some(address) = line.strip_prefix("salon ready http://")
            && let Some(ready) = ready.take()
        {
            let _ = ready.send(address.to_owned());
        }
    }
}

/// What the server says is for people to see, but for its greeting.
fn pass_on(warned: ChildStderr) {
    for line in BufReader::new(warned).lines().map_while(Result::ok).filter(|line| !line.starts_with("salon dev: ")) {
        eprintln!("{line}");
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}
