//! What `salon upgrade` finds in the folder for data: which process runs there, and what came of the last upgrade.
//! Invariant: the first is locked by the process that it names for as long as that runs, so nobody else is ever signalled.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const PROCESS: &str = "process";
const UPGRADE: &str = "upgrade";

/// This process runs here, until this is dropped.
pub struct Noted(#[expect(dead_code, reason = "it is the lock")] File);

impl Noted {
    /// # Errors
    /// The file cannot be written, or another process has it.
    pub fn this_process(data: &Path) -> io::Result<Self> {
        let mut file = open(data)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::AddrInUse.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(file))
    }
}

fn open(data: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(data.join(PROCESS))
}

/// The process that runs here; none if none does.
pub fn running(data: &Path) -> Option<i32> {
    let mut file = File::open(data.join(PROCESS)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        _ => return None,
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// What came of an upgrade.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Of all upgrades of this folder.
    pub number: u64,
    /// Why it came to nothing.
    pub failed: Option<String>,
    /// What runs now.
    pub version: String,
}

/// The last one.
pub fn last(data: &Path) -> Outcome {
    let text = std::fs::read_to_string(data.join(UPGRADE)).unwrap_or_default();
    let mut lines = text.splitn(3, '\n');
    let number = lines.next().and_then(|number| number.parse().ok()).unwrap_or(0);
    let version = lines.next().unwrap_or_default().to_owned();
    let failed = lines.next().map(str::trim).filter(|why| !why.is_empty()).map(str::to_owned);
    Outcome { number, failed, version }
}

/// Notes another.
///
/// # Errors
/// Those of the disk.
pub fn note(data: &Path, failed: Option<&str>) -> io::Result<()> {
    let number = last(data).number + 1;
    let (file, beside): (PathBuf, PathBuf) = (data.join(UPGRADE), data.join(format!("{UPGRADE}.new")));
    std::fs::write(&beside, format!("{number}\n{}\n{}\n", env!("CARGO_PKG_VERSION"), failed.unwrap_or_default()))?;
    std::fs::rename(beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_is_known_while_it_does_and_what_came_of_upgrades_is_numbered() {
        let data = std::env::temp_dir().join(format!("salon-notes-{}", std::process::id()));
        std::fs::create_dir_all(&data).expect("made");
        assert_eq!((running(&data), last(&data).number), (None, 0));
        let noted = Noted::this_process(&data).expect("noted");
        assert_eq!(running(&data), Some(std::process::id().cast_signed()));
        assert!(Noted::this_process(&data).is_err());
        drop(noted);
        assert_eq!(running(&data), None, "what a dead process wrote is not its number any more");
        note(&data, Some("it is\nno program")).expect("noted");
        assert_eq!((last(&data).number, last(&data).failed.as_deref()), (1, Some("it is\nno program")));
        note(&data, None).expect("noted");
        assert_eq!((last(&data).number, last(&data).failed), (2, None));
        std::fs::remove_dir_all(&data).expect("removed");
    }
}
