//! One recorder process and its folder: starting it, hearing what it says, telling it what to do, ending it.
//! What it says is read from its folder, whoever started it: nothing is lost while the server is away, and there is one way
//! to hear. Invariant: it parses what strangers send, so it has nothing of our environment, little memory, and a group of its
//! own that is killed as one.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, kill_process_group, prlimit, setpriority_process, waitpid};
use salon_recorder::job::{Job, ORDERS, Order, PID, SAID, Saying};

/// How often it is looked what was said.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Others go first.
const NICENESS: i32 = 10;

/// What it may take: bytes of memory, and open files.
const MEMORY_BYTES: u64 = 1 << 30;
const OPEN_FILES: u64 = 1_024;

/// The longest line it may say. A recorder with a thousand tracks says some 200 KB at its end.
const MAX_LINE_BYTES: usize = 4 << 20;

/// Its allocator takes a gigabyte at once as its own, which the system counts as memory: that alone would be all it may take.
const ALLOCATOR: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");

/// What it says to the log of its folder; more is of no use.
pub const LOG: &str = "log";

/// A recorder that runs, or did.
pub struct Process {
    folder: PathBuf,
    pid: Option<Pid>,
    /// Of one that this run of the server has started.
    child: Option<Child>,
    orders: Option<ChildStdin>,
    said: Said,
}

/// What was heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Said(Saying),
    /// It runs no more, and will say nothing more.
    Ended,
}

impl Process {
    /// Starts one, in a folder that is there.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(program: &[OsString], job: &Job) -> anyhow::Result<Self> {
        Self::start_with(program, job, Stdio::null())
    }

    /// The same, with something for its standard output.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start_with(program: &[OsString], job: &Job, output: Stdio) -> anyhow::Result<Self> {
        let (first, rest) = program.split_first().context("there is no program to record with")?;
        let log = std::fs::File::create(job.folder.join(LOG)).context("its folder cannot be written to")?;
        let mut command = Command::new(first);
        command.args(rest).env_clear().env(ALLOCATOR.0, ALLOCATOR.1).current_dir(&job.folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(output).stderr(log);
        let mut child = command.spawn().context("it cannot be started")?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Before it is told anything. Where the system refuses, it is only less polite.
            let _ = setpriority_process(Some(pid), NICENESS);
            for (resource, most) in [(Resource::Data, MEMORY_BYTES), (Resource::Nofile, OPEN_FILES), (Resource::Core, 0)] {
                let _ = prlimit(Some(pid), resource, Rlimit { current: Some(most), maximum: Some(most) });
            }
        }
        let mut orders = child.stdin.take();
        let line = serde_json::to_string(job).context("a job is plain data")? + "\n";
        let told = orders.as_mut().map(|orders| orders.write_all(line.as_bytes()));
        let process = Self { said: Said::of(&job.folder), folder: job.folder.clone(), pid, child: Some(child), orders };
        let noted = std::fs::write(job.folder.join(PID), format!("{}\n", pid.map_or(0, |pid| pid.as_raw_nonzero().get())));
        if let (Some(Ok(())), Ok(())) = (told, noted) {
            return Ok(process);
        }
        process.kill();
        anyhow::bail!("it does not take its job")
    }

    /// One that may have been started by an earlier run of the server.
    pub fn found(folder: &Path) -> Self {
        let pid = std::fs::read_to_string(folder.join(PID)).ok();
        let pid = pid.and_then(|pid| pid.trim().parse().ok()).and_then(Pid::from_raw);
        // Its id may be another's by now, but nobody else works in its folder.
        let is_it =
            |pid: &Pid| works_in(*pid).zip(folder.canonicalize().ok()).is_some_and(|(works_in, folder)| works_in == folder);
        let pid = pid.filter(is_it);
        Self { said: Said::of(folder), folder: folder.to_path_buf(), pid, child: None, orders: None }
    }

    /// All that it has said so far, without waiting.
    pub fn said_so_far(&mut self) -> Vec<Saying> {
        std::iter::from_fn(|| self.said.next()).collect()
    }

    /// The same, as far as it says how it stands now, not how it came to.
    pub fn heard_so_far(&mut self) -> Vec<Saying> {
        let all = self.said_so_far();
        let last = |wanted: fn(&Saying) -> bool| all.iter().rfind(|saying| wanted(saying)).cloned();
        let began = all.iter().find(|saying| matches!(saying, Saying::Began { .. })).cloned();
        let paused = last(|saying| matches!(saying, Saying::Paused { .. } | Saying::Resumed { .. }));
        let streamed = last(|saying| matches!(saying, Saying::Streamed { .. }));
        let unshown = last(|saying| matches!(saying, Saying::Unshown { .. }));
        let done = last(|saying| matches!(saying, Saying::Finished { .. } | Saying::Failed { .. }));
        began.into_iter().chain(paused).chain(streamed).chain(unshown).chain(done).collect()
    }

    /// Waits for the next thing that it says.
    pub async fn hear(&mut self) -> Heard {
        loop {
            // Asked first: what it says before it ends is there when it has ended.
            let runs = self.runs();
            if let Some(saying) = self.said.next() {
                return Heard::Said(saying);
            }
            if !runs {
                return Heard::Ended;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Tells it what to do.
    pub fn order(&mut self, order: Order) {
        let line = serde_json::to_string(&order).unwrap_or_default() + "\n";
        let told = match &mut self.orders {
            Some(orders) => orders.write_all(line.as_bytes()),
            None => {
                let file = OpenOptions::new().create(true).append(true).open(self.folder.join(ORDERS));
                file.and_then(|mut file| file.write_all(line.as_bytes()))
            }
        };
        if let Err(error) = told {
            tracing::debug!(%error, "a recorder does not hear");
        }
    }

    /// Ends it and all that it has started.
    pub fn kill(&self) {
        if let Some(pid) = self.pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// The end of what it said to its log.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(self.folder.join(LOG)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[text.len().saturating_sub(300)..]).into_owned();
        text.lines().last().unwrap_or_default().to_owned()
    }

    /// Whether it is there still.
    pub fn runs(&mut self) -> bool {
        match (&mut self.child, self.pid) {
            (Some(child), _) => matches!(child.try_wait(), Ok(None)),
            (None, Some(pid)) => {
                let runs = works_in(pid).is_some();
                if !runs {
                    // A child of the program that this process ran before, which nobody else waits for.
                    let _ = waitpid(Some(pid), WaitOptions::NOHANG);
                }
                runs
            }
            (None, None) => false,
        }
    }
}

/// The folder in which a process works; none if it runs no more.
fn works_in(pid: Pid) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())).ok()
}

/// What was said in a folder, line by line.
struct Said {
    file: PathBuf,
    read: u64,
    /// A line that is not whole yet.
    rest: Vec<u8>,
    lines: std::collections::VecDeque<Saying>,
}

impl Said {
    fn of(folder: &Path) -> Self {
        Self { file: folder.join(SAID), read: 0, rest: Vec::new(), lines: std::collections::VecDeque::new() }
    }

    fn next(&mut self) -> Option<Saying> {
        if self.lines.is_empty() {
            self.look();
        }
        self.lines.pop_front()
    }

    fn look(&mut self) {
        let Ok(mut file) = std::fs::File::open(&self.file) else { return };
        if file.seek(SeekFrom::Start(self.read)).is_err() {
            return;
        }
        let mut bytes = Vec::new();
        let Ok(read) = file.take(MAX_LINE_BYTES as u64).read_to_end(&mut bytes) else { return };
        self.read += read as u64;
        self.rest.extend(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            // What a later version says beside is none of our business.
            self.lines.extend(serde_json::from_slice::<Saying>(&line).ok());
        }
        if self.rest.len() > MAX_LINE_BYTES {
            self.rest.clear();
        }
    }
}

/// Whether a library whose file begins with this is where systems have theirs.
pub fn has_library(begins: &str) -> bool {
    let has = |folder: &Path| {
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.into_iter().any(|name| name.to_string_lossy().starts_with(begins))
    };
    // Debian has them in a folder for each kind of machine.
    let below = |folder: &str| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    ["/usr/local/lib", "/usr/lib64", "/usr/lib", "/lib64", "/lib"].iter().any(|folder| has(Path::new(folder)))
        || below("/usr/lib").filter(|path| path.to_string_lossy().contains("-linux-")).any(|path| has(&path))
}

/// Where a program is: at this path, or under this name in a folder of `PATH`.
pub fn find_program(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return name.canonicalize().ok().filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}
