//! What a node keeps on disk is for its own user: the secret that signs tokens is there, and what people said.
//! Invariant: nothing that Salon makes can be read by other users of the computer.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use rustix::fs::Mode;

/// The permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

/// From now on this process makes files and folders that only its own user can open.
pub fn keep_to_ourselves() {
    rustix::process::umask(Mode::from_bits_truncate(OTHERS));
}

/// Makes a folder, if it is missing, that only its owner can open.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whether others can open it. What is not there is closed to them.
pub fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|known| known.mode() & OTHERS != 0)
}
