//! What a recorder says, and how it hears: standard output and input, and files in the job's folder beside them.
//! Invariant: what was said is in the folder before it is on standard output, and nobody who does not read can stop us.
//! Next: `job.rs`, the words.

use std::fs;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::job::{ORDERS, Order, PID, SAID, Saying};
use crate::news::News;

/// How often it is looked whether orders were written.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The longest order, in bytes: one that names some thousand people.
const LONGEST: usize = 256 * 1_024;

/// Sayings that wait for a server which does not read; beyond these it finds them in the folder.
const WAITING: usize = 64;

/// How long a server has to hear the last saying.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Room on the disk that is taken beforehand, in bytes: who fills the disk is heard all the same.
const ROOM: u64 = 1 << 20;

/// Where sayings go.
pub struct Sayings {
    file: fs::File,
    /// Bytes of the room that are left.
    room: u64,
    /// The last line is not whole.
    is_torn: bool,
    aloud: Option<SyncSender<String>>,
    /// Closed once all is said.
    done: Receiver<()>,
}

impl Sayings {
    /// Opens what is kept of them, and notes which process this is. Standard output may be for something else.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn open(folder: &Path, is_aloud: bool) -> io::Result<Self> {
        fs::write(folder.join(PID), std::process::id().to_string())?;
        let file = fs::OpenOptions::new().create(true).append(true).open(folder.join(SAID))?;
        let (aloud, lines) = sync_channel(WAITING);
        let (doing, done) = sync_channel(0);
        thread::Builder::new().name("sayings".to_owned()).spawn(move || {
            let _doing: SyncSender<()> = doing;
            speak(&lines);
        })?;
        Ok(Self { file, room: 0, is_torn: false, aloud: is_aloud.then_some(aloud), done })
    }

    /// Says it. A server that is gone hears nothing, and finds it in the folder.
    pub fn say(&mut self, saying: &Saying) {
        let Ok(mut line) = serde_json::to_string(saying) else { return };
        line.push('\n');
        if let Err(error) = self.note(line.as_bytes()) {
            complain!("salon recorder: cannot write {SAID}: {error}");
        }
        let _ = self.aloud.as_ref().map(|aloud| aloud.try_send(line));
    }

    fn note(&mut self, line: &[u8]) -> io::Result<()> {
        if self.room < ROOM / 2 && self.take_room() {
            self.room = ROOM;
        }
        // What is left of a line that could not be written would spoil the next one.
        let line = if std::mem::replace(&mut self.is_torn, true) { [b"\n", line].concat() } else { line.to_vec() };
        self.file.write_all(&line)?;
        (self.is_torn, self.room) = (false, self.room.saturating_sub(line.len() as u64));
        self.file.sync_data()
    }

    /// False where there is none, or the system knows no such thing.
    fn take_room(&self) -> bool {
        let end = self.file.metadata().map_or(0, |about| about.len());
        // SAFETY: the file is open during the call.
        unsafe { libc::fallocate(self.file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, end as i64, ROOM as i64) == 0 }
    }

    /// Waits until the last saying is heard, but not for ever.
    pub fn finish(self) {
        drop(self.aloud);
        let _ = self.done.recv_timeout(LAST_WORD);
    }
}

/// Writes lines to standard output, until nobody reads there.
fn speak(lines: &Receiver<String>) {
    for line in lines {
        let mut out = io::stdout().lock();
        if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// Passes on orders from standard input, until it ends, and from the folder, for ever.
///
/// # Errors
/// If the system has no thread left.
pub fn hear(folder: &Path, queue: SyncSender<News>) -> io::Result<()> {
    let (path, second) = (folder.join(ORDERS), queue.clone());
    thread::Builder::new().name("orders".to_owned()).spawn(move || read_input(&queue))?;
    thread::Builder::new().name("orders-file".to_owned()).spawn(move || watch(&path, &second))?;
    Ok(())
}

fn read_input(queue: &SyncSender<News>) {
    let mut input = io::stdin().lock();
    loop {
        let mut line = Vec::new();
        match input.by_ref().take(LONGEST as u64).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if !pass_on(&line, queue) => return,
            Ok(_) => {}
        }
    }
}

/// Reads what is appended to a file.
fn watch(path: &PathBuf, queue: &SyncSender<News>) {
    let mut read = 0;
    loop {
        if let Ok(mut file) = fs::File::open(path)
            && file.seek(SeekFrom::Start(read)).is_ok()
        {
            let mut bytes = Vec::new();
            let _ = file.take(4 * LONGEST as u64).read_to_end(&mut bytes);
            // A line that is not whole yet is read again.
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            read += whole as u64;
            for line in bytes[..whole].split(|byte| *byte == b'\n') {
                if !pass_on(line, queue) {
                    return;
                }
            }
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// False if nobody wants to know any more.
fn pass_on(line: &[u8], queue: &SyncSender<News>) -> bool {
    if line.trim_ascii().is_empty() {
        return true;
    }
    match serde_json::from_slice::<Order>(line) {
        Ok(order) => queue.send(News::Order(order)).is_ok(),
        Err(error) => {
            complain!("salon recorder: not an order: {error}");
            true
        }
    }
}
