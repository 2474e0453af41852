//! What happens now, on standard error: one line that is written over on a terminal, few lines elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// On a terminal the line changes at most this often.
const LINE_EVERY: Duration = Duration::from_millis(100);
/// Elsewhere, such as in a log.
const LOG_EVERY: Duration = Duration::from_secs(5);

pub struct Progress {
    shown: bool,
    terminal: bool,
    title: Mutex<String>,
    last: Mutex<Option<Instant>>,
}

impl Progress {
    pub fn new(shown: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { shown, terminal, title: Mutex::default(), last: Mutex::default() }
    }

    /// Which run it is from now on.
    pub fn begin(&self, title: &str) {
        if let (Ok(mut known), Ok(mut last)) = (self.title.lock(), self.last.lock()) {
            *known = title.to_owned();
            *last = None;
        }
        self.say("starting");
    }

    pub fn step(&self, what: &str, done: usize, of: usize) {
        self.say(&format!("{what} {done} of {of}"));
    }

    pub fn say(&self, what: &str) {
        let (Ok(title), Ok(mut last)) = (self.title.lock(), self.last.lock()) else { return };
        let every = if self.terminal { LINE_EVERY } else { LOG_EVERY };
        if !self.shown || last.is_some_and(|last| last.elapsed() < every) {
            return;
        }
        *last = Some(Instant::now());
        let mut out = std::io::stderr().lock();
        let _ = match self.terminal {
            true => write!(out, "\r\x1b[2K{title}: {what}"),
            false => writeln!(out, "{title}: {what}"),
        };
        let _ = out.flush();
    }

    /// The line is free again.
    pub fn end(&self) {
        if self.shown && self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}
