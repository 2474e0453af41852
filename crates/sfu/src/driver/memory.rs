//! Where connections lie that outlive the process: a folder that only its owner can open, best on a file system in memory. A
//! file for each connection, replaced whole, and one of words for each media thread, which is mapped: writing a word is a
//! store to memory, and what was stored is there after the process was killed.
//! Invariants: what cannot be written is removed, as the next run would take it for true; nothing older than `LASTS` is used.
//! Next: `../engine/resuming.rs` says what is saved.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::TransportId;
use crate::engine::Engine;
use crate::engine::saved::{Saved, VERSION};
use crate::limits::{RESUME_AGAIN_AFTER_MS, RESUME_WITHIN_MS};

/// Words of one thread at most, those in front included. Of 8 bytes each, in a file that is as long as it must be.
const WORDS: usize = 1 << 20;

/// Words that are added at once. A word of the mapping that the file does not have must not be touched.
const STEP: usize = 8_192;

/// Words in front: the form of the file, when the run was last alive, and when it went on with connections of another.
const FRONT: usize = 8;
const FORM: usize = 0;
const ALIVE: usize = 1;
const RESUMED: usize = 2;

/// What a file's first line begins with.
const MAGIC: &str = "salon media connection";

pub(super) struct Memory {
    /// Where connections outlive a crash. Without one they are only handed over.
    folder: Option<PathBuf>,
    /// Behind `MAGIC`: what must be the same for another run to go on.
    mark: String,
    words: File,
    mapped: &'static [AtomicU64],
    /// Words that the file has.
    ready: usize,
    failed: bool,
}

/// Why connections of the run before are not gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stale {
    #[error("there was no run before, or of another version")]
    Unknown,
    #[error("the run before ended too long ago")]
    Old,
    #[error("the run before went on with connections, too, and ended soon after")]
    Loop,
}

impl Memory {
    /// For the media thread that has this port.
    pub(super) fn open(folder: &Path, thread: usize, port: u16) -> io::Result<Self> {
        own(folder)?;
        let words = folder.join(format!("words-{thread}"));
        let words = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(words)?;
        Self::with(Some(folder), words, thread, port)
    }

    /// For one whose words are nobody else's yet, or are what another process handed over.
    pub(super) fn with(folder: Option<&Path>, words: File, thread: usize, port: u16) -> io::Result<Self> {
        let ready = (words.metadata()?.len() as usize / 8).min(WORDS);
        let mapped = map(&words)?;
        let mark = format!("{VERSION} {thread} {port} {}", boot());
        let mut memory = Self { folder: folder.map(Path::to_owned), mark, words, mapped, ready, failed: false };
        if memory.ready < FRONT + STEP {
            memory.grow()?;
        }
        Ok(memory)
    }

    /// The file of the words.
    pub(super) fn file_of_words(&self) -> &File {
        &self.words
    }

    /// Those behind the front.
    pub(super) fn words(&self) -> &'static [AtomicU64] {
        &self.mapped[FRONT..]
    }

    /// How many of those can be written to.
    pub(super) fn ready(&self) -> usize {
        self.ready - FRONT
    }

    /// Whether connections of the run before may be gone on with. To be asked once, before `begin`.
    pub(super) fn judge(&self, wall: SystemTime) -> Result<(), Stale> {
        let at = |word: usize| self.mapped[word].load(Ordering::Acquire);
        let ago = |since: u64| millis(wall).saturating_sub(since);
        match () {
            () if at(FORM) != form() || at(ALIVE) == 0 => Err(Stale::Unknown),
            () if ago(at(ALIVE)) > RESUME_WITHIN_MS => Err(Stale::Old),
            () if ago(at(RESUMED)) < RESUME_AGAIN_AFTER_MS => Err(Stale::Loop),
            () => Ok(()),
        }
    }

    /// This run lives from now on; `resumed` if it went on with connections of the one before.
    pub(super) fn begin(&self, wall: SystemTime, resumed: bool) {
        self.mapped[RESUMED].store(if resumed { millis(wall) } else { 0 }, Ordering::Release);
        self.mapped[FORM].store(form(), Ordering::Release);
        self.alive(wall);
    }

    pub(super) fn alive(&self, wall: SystemTime) {
        self.mapped[ALIVE].store(millis(wall), Ordering::Release);
    }

    /// Saves what has changed.
    pub(super) fn save(&mut self, now: Instant, engine: &mut Engine) {
        if self.folder.is_none() {
            engine.forget_saves();
        }
        for save in engine.take_saves(now) {
            let written = save.what.map(|what| self.write(&save.transport, &what));
            if !matches!(written, Some(Ok(()))) {
                self.forget(save.transport.as_str());
            }
            if let Some(Err(error)) = written
                && !std::mem::replace(&mut self.failed, true)
            {
                tracing::warn!(%error, "media connections cannot be saved: they will not outlive a crash");
            }
        }
        if engine.words_mut().room() < STEP / 4 && self.ready < WORDS && self.grow().is_ok() {
            engine.words_mut().limit(self.ready());
        }
    }

    /// What the run before left of this thread.
    pub(super) fn left(&self) -> Vec<Saved> {
        let files = self.folder.iter().flat_map(fs::read_dir).flatten().flatten();
        files.filter(|file| is_connection(&file.path())).filter_map(|file| self.read(&file.path())).collect()
    }

    /// Forgets all connections, also those of other threads.
    pub(super) fn clear(&self) {
        let files = self.folder.iter().flat_map(fs::read_dir).flatten().flatten();
        for file in files.filter(|file| is_connection(&file.path())) {
            let _ = fs::remove_file(file.path());
        }
    }

    pub(super) fn forget(&self, transport: &str) {
        if let Some(file) = self.file(transport) {
            // What is not there is forgotten.
            let _ = fs::remove_file(file);
        }
    }

    fn write(&self, transport: &TransportId, what: &Saved) -> io::Result<()> {
        let (Some(folder), Some(place)) = (&self.folder, self.file(transport.as_str())) else { return Ok(()) };
        let body = serde_json::to_string(what)?;
        let beside = folder.join("next").with_extension(self.mark.replace(' ', "-"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        write!(file, "{MAGIC} {} {:08x}\n{body}", self.mark, crc32fast::hash(body.as_bytes()))?;
        fs::rename(&beside, place)
    }

    /// None of another run's that does not fit, or of one that is spoilt.
    fn read(&self, file: &Path) -> Option<Saved> {
        let text = fs::read_to_string(file).ok()?;
        let (front, body) = text.split_once('\n')?;
        let sum = front.strip_prefix(MAGIC)?.strip_prefix(' ')?.strip_prefix(&self.mark)?.strip_prefix(' ')?;
        (u32::from_str_radix(sum, 16) == Ok(crc32fast::hash(body.as_bytes()))).then_some(())?;
        serde_json::from_str(body).ok()
    }

    /// Names of connections may be anything.
    fn file(&self, transport: &str) -> Option<PathBuf> {
        let beginning = &transport.as_bytes()[..transport.len().min(100)];
        Some(self.folder.as_ref()?.join(format!("connection-{}", hex::encode(beginning))))
    }

    /// Makes the file longer. Written rather than left empty: where memory is full this fails, and a touch of it would end
    /// the process.
    fn grow(&mut self) -> io::Result<()> {
        let ready = (self.ready + STEP).next_multiple_of(STEP).min(WORDS);
        self.words.write_all_at(&vec![0; (ready - self.ready) * 8], self.ready as u64 * 8)?;
        self.ready = ready;
        Ok(())
    }
}

fn is_connection(file: &Path) -> bool {
    file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("connection-"))
}

/// Of the words: another version means other things by them.
fn form() -> u64 {
    0x5341_4c4f_4e00_0000 | u64::from(VERSION)
}

fn millis(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// Another one after the machine was started anew, when what is written in a folder on disk is not what it was.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.chars().filter(char::is_ascii_alphanumeric).take(32).collect()
}

/// Makes the folder if need be. It holds keys, so it must be ours, and closed to others: a folder for all, such as that for
/// shared memory, may have one of that name that somebody else has made.
fn own(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let known = fs::symlink_metadata(folder)?;
    let ours = known.is_dir() && known.uid() == rustix::process::geteuid().as_raw() && known.mode() & 0o077 == 0;
    ours.then_some(()).ok_or_else(|| io::Error::new(io::ErrorKind::PermissionDenied, "it is not ours alone"))
}

/// Words that are in no folder, for those who hand over and do not outlive a crash.
pub(super) fn of_no_folder() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create("salon-words", MemfdFlags::CLOEXEC)?.into())
}

/// For the life of the process.
fn map(file: &File) -> io::Result<&'static [AtomicU64]> {
    use rustix::mm::{MapFlags, ProtFlags, mmap};
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, never taken away, aligned to pages. Its words are atomic as the process before may still be dying;
    // those that the file does not have are not touched: `ready` says how many there are.
    unsafe {
        let start = mmap(std::ptr::null_mut(), WORDS * 8, access, MapFlags::SHARED, file, 0)?;
        Ok(std::slice::from_raw_parts(start.cast::<AtomicU64>(), WORDS))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("salon-memory-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn the_next_run_goes_on_soon_after_but_not_in_a_loop() {
        let folder = Folder::new("loop");
        let open = || Memory::open(&folder.0, 0, 5_000).expect("opened");
        let first = open();
        assert_eq!(first.judge(at(0)), Err(Stale::Unknown));
        first.begin(at(0), false);
        first.words()[3].store(77, Ordering::Release);
        first.alive(at(5));
        let second = open();
        assert_eq!((second.judge(at(6)), second.words()[3].load(Ordering::Acquire)), (Ok(()), 77));
        second.begin(at(6), true);
        second.alive(at(8));
        assert_eq!(open().judge(at(9)), Err(Stale::Loop), "it came to the same end");
        second.alive(at(18));
        assert_eq!(open().judge(at(19)), Ok(()));
        assert_eq!(open().judge(at(49)), Err(Stale::Old));
    }

    #[test]
    fn a_folder_that_others_can_open_holds_no_keys() {
        let folder = Folder::new("others");
        Memory::open(&folder.0, 0, 5_000).expect("opened");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder.0), mode(&folder.0.join("words-0"))), (0o700, 0o600));
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).expect("set");
        assert!(Memory::open(&folder.0, 0, 5_000).is_err());
    }

    #[test]
    fn what_is_spoilt_or_of_another_thread_port_or_boot_is_not_read() {
        let folder = Folder::new("spoilt");
        let memory = Memory::open(&folder.0, 0, 5_000).expect("opened");
        let saved = crate::engine::saved::tests::sample();
        memory.write(&"t".into(), &saved).expect("written");
        let file = memory.file("t").expect("a folder");
        assert_eq!(memory.left().len(), 1);
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
        for (thread, port) in [(1, 5_000), (0, 5_001)] {
            assert_eq!(Memory::open(&folder.0, thread, port).expect("opened").left().len(), 0);
        }
        let whole = fs::read(&file).expect("there");
        for end in 0..whole.len() {
            fs::write(&file, &whole[..end]).expect("written");
            assert_eq!(memory.left().len(), 0, "cut at {end}");
        }
        for place in 0..whole.len() {
            let mut spoilt = whole.clone();
            spoilt[place] ^= 1;
            fs::write(&file, &spoilt).expect("written");
            assert!(memory.left().is_empty(), "spoilt at {place}");
        }
        fs::write(&file, &whole).expect("written");
        assert_eq!(memory.left().len(), 1);
        memory.forget("t");
        assert_eq!(memory.left().len(), 0);
    }
}
