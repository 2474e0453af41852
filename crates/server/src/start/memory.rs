//! Where media connections are kept that outlive the process: in memory, as their keys belong on no disk.

use std::path::{Path, PathBuf};

use salon_doors::keys::digest;

/// A folder of this node. What systemd gives the service, which must keep it over restarts; else of shared memory; where there
/// is neither, beside the data.
pub fn folder(data: &Path) -> PathBuf {
    if let Some(given) = std::env::var_os("RUNTIME_DIRECTORY") {
        // Several are separated by colons.
        if let Some(first) = std::env::split_paths(&given).next().filter(|first| first.is_dir()) {
            return first.join("media");
        }
    }
    let shared = Path::new("/dev/shm");
    if !shared.is_dir() {
        return data.join("media");
    }
    let place = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    shared.join(format!("salon-{}", hex::encode(&digest(&place.to_string_lossy())[..8])))
}
