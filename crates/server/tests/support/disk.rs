//! A disk of a test's own, to be full or not to be written. Only where tests may mount one.
#![allow(dead_code)]

use std::path::PathBuf;
use std::process::Command;

/// A disk of its own, of so many kilobytes; none where that may not be made.
pub struct Disk(pub PathBuf);

impl Disk {
    pub fn mount(name: &str, kilobytes: u32) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("salon-disk-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        let size = format!("size={kilobytes}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).status();
        let disk = Self(path);
        mounted.is_ok_and(|status| status.success()).then_some(disk)
    }

    /// Has it be otherwise, as `mount -o remount` says it.
    pub fn remount(&self, how: &str) {
        let ran = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status();
        assert!(ran.expect("mount runs").success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
        let _ = std::fs::remove_dir(&self.0);
    }
}
