//! The livestreams that can be watched here, by their secrets: what is there of each, and who watches.
//! Invariant: only files that a recorder has told of are handed out, and each by the name of its part.
//! Next: `livestream_job.rs`, which fills them.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::segments::{Segment, Segments};
use crate::viewers::Viewers;

/// All of them. Clones share them.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<String, Arc<Stream>>>>);

/// One of them.
pub struct Stream {
    folder: PathBuf,
    most_ms: u64,
    bits: u32,
    state: Mutex<State>,
}

/// What is in a file.
pub enum Content {
    Shared(Arc<[u8]>),
    /// Read bit by bit, as fast as it is taken.
    File {
        file: tokio::fs::File,
        bytes: u64,
    },
}

/// Segments that those who watch live are sent: what is in memory. Others are read as slowly as whoever looks back takes them.
const LATEST: usize = 5;

#[derive(Default)]
struct State {
    segments: Segments,
    viewers: Viewers,
    viewer_ms: u64,
    /// The latest files that are being sent, by their paths: however many are sent one, it is in memory once.
    sent: HashMap<PathBuf, Weak<[u8]>>,
    /// As it was written last, and of how many segments.
    playlist: Option<(u64, bool, Arc<str>)>,
}

impl Streams {
    pub fn get(&self, secret: &str) -> Option<Arc<Stream>> {
        self.all().get(secret).cloned()
    }

    /// What it takes at most is `bits` a second.
    pub(crate) fn open(&self, secret: &str, folder: &Path, (most_ms, bits): (u64, u32), viewer_ms: u64) -> Arc<Stream> {
        let state = Mutex::new(State { viewer_ms, ..State::default() });
        let stream = Arc::new(Stream { folder: folder.to_path_buf(), most_ms, bits, state });
        self.all().insert(secret.to_owned(), stream.clone());
        stream
    }

    pub(crate) fn close(&self, secret: &str) {
        self.all().remove(secret);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Stream>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Stream {
    /// Its playlist, written by `write` if that has not been since the last segment. None as long as there is nothing in it.
    pub fn playlist(&self, viewer: &str, now_ms: i64, write: impl FnOnce(&Segments) -> String) -> Option<Arc<str>> {
        let mut state = self.state();
        state.viewers.seen(viewer, now_ms);
        let is_of = (state.segments.count(), state.segments.is_over);
        if is_of.0 == 0 {
            return None;
        }
        if let Some((count, is_over, written)) = &state.playlist
            && (*count, *is_over) == is_of
        {
            return Some(written.clone());
        }
        let written: Arc<str> = write(&state.segments).into();
        state.playlist = Some((is_of.0, is_of.1, written.clone()));
        Some(written)
    }

    /// Bits a second at most.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Its latest segment.
    pub fn latest(&self) -> Option<Segment> {
        self.state().segments.there.back().cloned()
    }

    /// The file that is called so in its playlist. Somebody is about to watch it.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        let (part, file) = name.split_once('-')?;
        let part = part.parse::<u32>().ok()?;
        let mut state = self.state();
        let of = state.segments.there.iter().rev().filter(|segment| segment.part == part);
        let mut watched = 0;
        let is_there = of.into_iter().any(|segment| {
            watched = if segment.name == file { segment.ms } else { 0 };
            segment.name == file || segment.head == file
        });
        state.viewer_ms += watched;
        is_there.then(|| self.folder.join(part.to_string()).join(file))
    }

    /// What is in a file of it.
    ///
    /// # Errors
    /// It is there no more.
    pub async fn read(&self, path: &Path) -> io::Result<Content> {
        if self.is_latest(path) {
            return self.share(path).await.map(Content::Shared);
        }
        let file = tokio::fs::File::open(path).await?;
        let bytes = file.metadata().await?.len();
        Ok(Content::File { file, bytes })
    }

    /// Whether those who watch live are sent this.
    fn is_latest(&self, path: &Path) -> bool {
        let state = self.state();
        let mut latest = state.segments.there.iter().rev().take(LATEST);
        latest.any(|segment| {
            let folder = self.folder.join(segment.part.to_string());
            path.strip_prefix(folder).is_ok_and(|file| file == Path::new(&segment.name) || file == Path::new(&segment.head))
        })
    }

    async fn share(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        let sent = self.state().sent.get(path).and_then(Weak::upgrade);
        if let Some(sent) = sent {
            return Ok(sent);
        }
        let bytes: Arc<[u8]> = tokio::fs::read(path).await?.into();
        let mut state = self.state();
        state.sent.retain(|_, sent| sent.strong_count() > 0);
        state.sent.insert(path.to_path_buf(), Arc::downgrade(&bytes));
        Ok(bytes)
    }

    /// Adds a segment; deletes those that are too old.
    pub(crate) fn push(&self, segment: Segment) {
        let gone = self.state().segments.push(segment, self.most_ms);
        for segment in gone {
            let _ = std::fs::remove_file(self.folder.join(segment.part.to_string()).join(&segment.name));
        }
    }

    pub(crate) fn end(&self) {
        self.state().segments.is_over = true;
    }

    /// How many segments there were.
    pub(crate) fn count(&self) -> u64 {
        self.state().segments.count()
    }

    /// When the first segment that is there began.
    pub(crate) fn first_at(&self) -> Option<i64> {
        self.state().segments.there.front().map(|first| first.at_ms)
    }

    /// Milliseconds that could be watched, and that were.
    pub(crate) fn sums(&self) -> (u64, u64) {
        let state = self.state();
        (state.segments.all_ms(), state.viewer_ms)
    }

    pub(crate) fn viewers(&self, now_ms: i64) -> u64 {
        self.state().viewers.count(now_ms)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(part: u32, name: &str) -> Segment {
        Segment { part, name: name.to_owned(), head: "1.mp4".to_owned(), codecs: String::new(), at_ms: 0, ms: 2_000 }
    }

    #[test]
    fn only_what_was_told_of_is_handed_out() {
        let (streams, folder) = (Streams::default(), Path::new("/jobs/l"));
        let stream = streams.open("s", folder, (60_000, 1), 500);
        assert!(stream.playlist("v", 0, |_| unreachable!("there is nothing")).is_none());
        stream.push(segment(1, "1.m4s"));
        stream.push(segment(2, "1.m4s"));
        assert_eq!(stream.file("2-1.m4s"), Some(folder.join("2/1.m4s")));
        assert_eq!(stream.file("1-1.mp4"), Some(folder.join("1/1.mp4")));
        for odd in ["1.m4s", "3-1.m4s", "1-2.m4s", "1-said.jsonl", "1-../2/1.m4s", "-1.m4s", "x-1.m4s", ""] {
            assert_eq!(stream.file(odd), None, "{odd}");
        }
        assert_eq!(stream.sums(), (4_000, 2_500), "a head is not watched");
        let written = stream.playlist("v", 0, |segments| segments.count().to_string());
        assert_eq!(written.as_deref(), Some("2"));
        assert_eq!(stream.playlist("w", 0, |_| unreachable!("nothing is new")).as_deref(), Some("2"));
        stream.end();
        assert_eq!(stream.playlist("w", 0, |_| "over".to_owned()).as_deref(), Some("over"));
        assert_eq!(stream.viewers(1), 2);
        streams.close("s");
        assert!(streams.get("s").is_none());
    }

    #[tokio::test]
    async fn what_those_who_watch_live_are_sent_is_in_memory_once_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("salon-streams-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("1")).expect("a folder");
        let path = folder.join("1/1.m4s");
        std::fs::write(&path, b"two seconds").expect("written");
        let stream = Streams::default().open("s", &folder, (60_000, 1), 0);
        let made = |n: usize| stream.push(segment(1, &format!("{n}.m4s")));
        let shared = async || match stream.read(&path).await {
            Ok(Content::Shared(bytes)) => bytes,
            Ok(Content::File { .. }) => panic!("it is the latest"),
            Err(error) => panic!("{error}"),
        };
        made(1);
        let (one, other) = (shared().await, shared().await);
        assert!(Arc::ptr_eq(&one, &other) && one.as_ref() == b"two seconds");
        (2..=LATEST + 1).for_each(made);
        assert!(matches!(stream.read(&path).await, Ok(Content::File { bytes: 11, .. })), "who looks back reads the file");
        std::fs::remove_dir_all(&folder).expect("removed");
        assert!(stream.read(&path).await.is_err());
    }
}
