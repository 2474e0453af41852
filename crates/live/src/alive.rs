//! The last moment this node is known to have been alive, kept so that it survives `kill -9`.
//! A file beside the data holds it to the tenth of a second, and to the millisecond of the last answer given: minutes
//! that were told never shrink after a crash. The store holds it to two seconds, for other nodes.
//! Invariant: who has a `Told` may tell of a live session up to its moment, because that moment is in the file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use salon_core::Timestamp;

/// The file.
pub struct Alive {
    file: Mutex<File>,
    /// What is in it.
    written: AtomicI64,
}

/// A moment up to which live sessions may be told of: it is written down. Made by [`Alive::tell`] only.
#[derive(Debug)]
pub struct Told(Timestamp);

impl Told {
    pub fn at(&self) -> Timestamp {
        self.0
    }
}

impl Alive {
    /// Opens the file and answers with what the last run left in it; `None` if there was none.
    pub fn open(path: &Path) -> io::Result<(Self, Option<Timestamp>)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = [0; 8];
        let last = match file.read_at(&mut bytes, 0) {
            Ok(8) => Some(Timestamp(i64::from_be_bytes(bytes))),
            _ => None,
        };
        Ok((Self { file: Mutex::new(file), written: AtomicI64::new(0) }, last))
    }

    /// Makes `at` a moment at which this node was alive. Free if that millisecond is written already.
    ///
    /// # Errors
    /// Those of the disk: then the answer must not leave.
    pub fn tell(&self, at: Timestamp) -> io::Result<Told> {
        if self.written.load(Ordering::Acquire) < at.0 {
            // One writer at a time, so that no earlier moment lands on a later one.
            let file = self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if self.written.load(Ordering::Acquire) < at.0 {
                file.write_all_at(&at.0.to_be_bytes(), 0)?;
                self.written.store(at.0, Ordering::Release);
            }
        }
        Ok(Told(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("salon-alive-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn the_last_moment_is_found_again() {
        let path = fresh("again");
        let (alive, last) = Alive::open(&path).unwrap();
        assert_eq!(last, None);
        alive.tell(Timestamp(7)).unwrap();
        alive.tell(Timestamp(5)).unwrap();
        let (_, last) = Alive::open(&path).unwrap();
        assert_eq!(last, Some(Timestamp(7)));
        std::fs::remove_file(&path).unwrap();
    }

    /// Many answer at once, each of its own millisecond: what is in the file is never before what any of them told.
    #[test]
    fn nobody_finds_an_earlier_moment_than_was_told() {
        let path = fresh("race");
        let (alive, _) = Alive::open(&path).unwrap();
        let next = AtomicI64::new(1);
        let reader = File::open(&path).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50_000 {
                        let told = alive.tell(Timestamp(next.fetch_add(1, Ordering::Relaxed))).unwrap();
                        let mut bytes = [0; 8];
                        reader.read_exact_at(&mut bytes, 0).unwrap();
                        let found = i64::from_be_bytes(bytes);
                        assert!(found >= told.at().0, "{found} is in the file after {} was told", told.at().0);
                    }
                });
            }
        });
        std::fs::remove_file(&path).unwrap();
    }
}
