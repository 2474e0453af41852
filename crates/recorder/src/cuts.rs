//! What an encoder writes, cut into what players of a livestream fetch: a head, and segments of two seconds.
//! Invariant: what is said is whole in its file; segments are numbered on over all encoders of a recorder.
//! Next: `timing.rs`, when a segment was; the server, which makes a playlist of what is said.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::boxes::Piece;
use crate::job::Saying;
use crate::timing::Timing;

/// What was cut so far. Clones share it.
#[derive(Clone)]
pub struct Cuts {
    folder: PathBuf,
    /// What the names of files begin with.
    name: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    heads: u32,
    segments: u32,
    bytes: u64,
    unsaid: Vec<Saying>,
}

/// The cuts of one encoder.
pub struct Cutter {
    cuts: Cuts,
    /// The moment of its first picture, in microseconds since 1970.
    began: i64,
    head: Option<(String, Timing)>,
}

impl Cuts {
    pub fn new(folder: PathBuf) -> Self {
        Self::named(folder, String::new())
    }

    /// With files whose names begin so.
    pub fn named(folder: PathBuf, name: String) -> Self {
        Self { folder, name, state: Arc::default() }
    }

    /// Writes a head; its name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn head(&self, bytes: &[u8]) -> io::Result<String> {
        let name = {
            let mut state = self.state();
            state.heads += 1;
            format!("{}{}.mp4", self.name, state.heads)
        };
        self.write(&name, bytes)?;
        Ok(name)
    }

    /// Writes a segment, from this millisecond since 1970 on, and so many long.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn segment(&self, bytes: &[u8], (head, codecs): (&str, &str), (at_ms, ms): (u64, u64)) -> io::Result<()> {
        let name = {
            let mut state = self.state();
            state.segments += 1;
            format!("{}{}.m4s", self.name, state.segments)
        };
        self.write(&name, bytes)?;
        let mut state = self.state();
        state.bytes += bytes.len() as u64;
        state.unsaid.push(Saying::Segment { name, head: head.to_owned(), codecs: codecs.to_owned(), at_ms, ms });
        Ok(())
    }

    /// Whole, or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).inspect_err(|_| _ = fs::remove_file(&path))
    }

    pub fn cutter(&self, began: i64) -> Cutter {
        Cutter { cuts: self.clone(), began, head: None }
    }

    /// What is to be said of them.
    pub fn unsaid(&self) -> Vec<Saying> {
        std::mem::take(&mut self.state().unsaid)
    }

    pub fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// Whether anything can be watched.
    pub fn are_any(&self) -> bool {
        self.state().segments > 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Cutter {
    /// Takes what the encoder wrote.
    ///
    /// # Errors
    /// If it cannot be written, or is nothing that can be played.
    pub fn take(&mut self, piece: &Piece) -> io::Result<()> {
        let odd = |what| io::Error::other(format!("the encoder writes {what} that cannot be read"));
        match piece {
            Piece::Head(bytes) => {
                let timing = Timing::of(bytes).ok_or_else(|| odd("a head"))?;
                self.head = Some((self.cuts.head(bytes)?, timing));
            }
            Piece::Fragment(bytes) => {
                let (head, timing) = self.head.as_ref().ok_or_else(|| odd("a fragment before its head"))?;
                let span = timing.span(bytes).ok_or_else(|| odd("a fragment"))?;
                let at_ms = u64::try_from((self.began + span.start) / 1_000).unwrap_or_default();
                let ms = u64::try_from((span.length + 500) / 1_000).unwrap_or_default();
                self.cuts.segment(bytes, (head, &timing.codecs), (at_ms, ms))?;
            }
            Piece::Other(_) => {}
        }
        Ok(())
    }
}
