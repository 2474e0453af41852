//! The last moment this node is known to have been alive, kept so that it survives `kill -9`.
//! A file beside the data holds it to the tenth of a second, and to the millisecond of the last answer given: minutes
//! that were told never shrink after a crash. The store holds it to two seconds, for other nodes.
//! Invariant: an answer about a live session leaves only after its moment is in the file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use salon_core::Timestamp;

/// How often the file is brought up to date without any answer. Lower bounds the error of a crash tighter at about
/// 2 µs each time.
pub const FILE_EVERY: Duration = Duration::from_millis(100);

/// How often the store is. It must stay well below the time after which other nodes take this one for dead (8 s).
pub const STORE_EVERY: Duration = Duration::from_millis(1_500);

/// The file.
pub struct Heartbeat {
    file: File,
    written: AtomicI64,
}

impl Heartbeat {
    /// Opens the file and answers with what the last run left in it; `None` if there was none.
    pub fn open(path: &Path) -> io::Result<(Self, Option<Timestamp>)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = [0; 8];
        let last = match file.read_at(&mut bytes, 0) {
            Ok(8) => Some(Timestamp(i64::from_be_bytes(bytes))),
            _ => None,
        };
        Ok((Self { file, written: AtomicI64::new(0) }, last))
    }

    /// Makes `now` a moment at which this node was alive. Free if that millisecond is written already.
    ///
    /// # Errors
    /// Those of the disk: then the answer must not leave.
    pub fn beat(&self, now: Timestamp) -> io::Result<()> {
        if self.written.load(Ordering::Acquire) >= now.0 {
            return Ok(());
        }
        // Two writers may cross and leave the earlier moment in the file: the later one then writes again below.
        self.file.write_all_at(&now.0.to_be_bytes(), 0)?;
        let before = self.written.fetch_max(now.0, Ordering::AcqRel);
        if before > now.0 {
            self.file.write_all_at(&before.to_be_bytes(), 0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_beat_is_found_again() {
        let path = std::env::temp_dir().join(format!("salon-heartbeat-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let (beat, last) = Heartbeat::open(&path).unwrap();
        assert_eq!(last, None);
        beat.beat(Timestamp(7)).unwrap();
        beat.beat(Timestamp(5)).unwrap();
        let (_, last) = Heartbeat::open(&path).unwrap();
        assert_eq!(last, Some(Timestamp(7)));
        std::fs::remove_file(&path).unwrap();
    }
}
