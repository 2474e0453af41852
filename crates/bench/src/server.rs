//! The server under load: one that runs, or one of our own, started from a binary with data that is thrown away.
//! Invariant: a server that was started here ends here, with its data.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use crate::media::sockets::ask_to_end;
use crate::process::Process;
use crate::rest::Door;

/// What `salon dev` calls its account, app and token.
const DEV: &str = "dev";
const DEV_TOKEN: &str = "dev-token";

/// A server to load.
pub struct Server {
    pub door: Door,
    /// None if it runs elsewhere.
    pub process: Option<Process>,
    own: Option<Own>,
}

struct Own {
    child: Child,
    id: u32,
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
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        tokio::spawn(pass_on(child.stderr.take().expect("it was asked for")));
        let id = child.id().context("the server has ended at once")?;
        let mut lines = BufReader::new(child.stdout.take().expect("it was asked for")).lines();
        let own = Own { child, id, data };
        let address = loop {
            match lines.next_line().await? {
                Some(line) => match line.strip_prefix("salon ready http://") {
                    Some(address) => break address.to_owned(),
                    None => continue,
                },
                None => bail!("the server has ended before it was ready; see what it said above"),
            }
        };
        let door = Door { address, account: DEV.to_owned(), app: DEV.to_owned(), token: DEV_TOKEN.to_owned() };
        Ok(Self { door, process: Some(Process::new(id)), own: Some(own) })
    }

    /// Ends a server of our own and waits until it has.
    pub async fn stop(mut self) {
        if let Some(own) = &mut self.own {
            ask_to_end(own.id);
            let _ = tokio::time::timeout(std::time::Duration::from_secs(20), own.child.wait()).await;
        }
    }
}

/// What the server says is for people to see, but for its greeting.
async fn pass_on(said: ChildStderr) {
    let mut lines = BufReader::new(said).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if !line.starts_with("salon dev: ") {
            eprintln!("{line}");
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}
